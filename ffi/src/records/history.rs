//! The runs there were, and the previews that are stored.

use portbook::model::{self, ConduitId};
use portbook::operation::{self, Listing};
use serde::{Deserialize, Serialize};

use super::{Counts, count, date, id_of, same_words};
use crate::error::Result;

/// One execution of a conduit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct GenerationSummary {
    /// The conduit.
    pub conduit: String,
    /// Its source, as the book names it.
    pub source: String,
    /// Where it goes.
    pub target: String,
    /// Which execution it was, from 1.
    pub generation: i64,
    /// `running`, `completed`, `completed_with_errors`, `failed`, `cancelled` or `paused`.
    pub status: String,
    /// When it began.
    pub started_at: String,
    /// When it ended; none while it is under way.
    pub completed_at: Option<String>,
    /// What it did.
    pub counts: Counts,
    /// Bytes that were carried.
    pub bytes: i64,
    /// What ended it, if it failed.
    pub error: Option<String>,
    /// What the look at both sides after it showed.
    pub verification: String,
}

/// A preview that is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct StoredPreview {
    /// Names it.
    pub id: String,
    /// What it is of.
    pub sync_type: SyncType,
    /// What it is of, in that thing's own words.
    pub sync_id: Option<String>,
    /// The conduit, for files.
    pub conduit: Option<String>,
    /// Where it stands.
    pub state: PreviewState,
    /// A run that is under way, or is to be resumed, keeps it.
    pub is_pinned: bool,
    /// It can no longer be applied, and is removed at the next upkeep.
    pub is_expired: bool,
    /// When the places were looked at.
    pub computed_at: String,
    /// When it ends.
    pub expires_at: String,
    /// Who asked; none when the user is gone.
    pub computed_by: Option<String>,
}

/// Which stored previews are wanted; every field that is set narrows the list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct PreviewFilter {
    /// Of this conduit.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub conduit: Option<String>,
    /// Of this kind.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub sync_type: Option<SyncType>,
}

/// A page of stored previews, the last computed first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct PreviewPage {
    /// 1,000 at most.
    pub previews: Vec<StoredPreview>,
    /// What to give for the next page; none at the end.
    pub next: Option<String>,
}

/// What a preview is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum SyncType {
    /// A WooCommerce shop.
    Woocommerce,
    /// An Odoo instance.
    Odoo,
    /// A Shopify shop.
    Shopify,
    /// A host's own store.
    Custom,
    /// A conduit.
    Files,
    /// A definition between tables and lists.
    Records,
}

/// Where a preview stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum PreviewState {
    /// Its changes are being written; never applied.
    Building,
    /// Complete.
    Ready,
    /// A run applies it, or was cut short doing so.
    Applying,
    /// Done with.
    Applied,
}

same_words!(SyncType = model::SyncType { Woocommerce, Odoo, Shopify, Custom, Files, Records });
same_words!(PreviewState = model::PreviewState { Building, Ready, Applying, Applied });

impl From<operation::GenerationSummary> for GenerationSummary {
    fn from(run: operation::GenerationSummary) -> Self {
        Self {
            conduit: run.conduit.to_string(),
            source: run.source,
            target: run.target,
            generation: run.generation,
            status: run.status,
            started_at: date(run.started_at),
            completed_at: run.completed_at.map(date),
            counts: run.counts.into(),
            bytes: count(run.bytes),
            error: run.error,
            verification: run.verification,
        }
    }
}

impl From<operation::StoredPreview> for StoredPreview {
    fn from(preview: operation::StoredPreview) -> Self {
        Self {
            id: preview.id.to_string(),
            sync_type: preview.sync_type.into(),
            sync_id: preview.sync_id,
            conduit: preview.conduit.map(|id| id.to_string()),
            state: preview.state.into(),
            is_pinned: preview.is_pinned,
            is_expired: preview.is_expired,
            computed_at: date(preview.computed_at),
            expires_at: date(preview.expires_at),
            computed_by: preview.computed_by.map(|id| id.to_string()),
        }
    }
}

impl From<Listing<operation::StoredPreview>> for PreviewPage {
    fn from(page: Listing<operation::StoredPreview>) -> Self {
        let next = page.next.map(|key| key.to_string());
        Self { previews: page.rows.into_iter().map(Into::into).collect(), next }
    }
}

impl PreviewFilter {
    /// What the core is given.
    pub(crate) fn read(self) -> Result<operation::PreviewFilter> {
        let conduit = self.conduit.map(|id| id_of("conduit", &id).map(ConduitId)).transpose()?;
        Ok(operation::PreviewFilter { conduit, sync_type: self.sync_type.map(Into::into) })
    }
}
