//! What conduits are told.

use portbook::conduit::{self, MaxDelete};
use portbook::model;
use serde::{Deserialize, Serialize};

use super::{invalid, is, milliseconds, path_of, read, same_words, small};
use crate::error::Result;

/// What a conduit does. The conduit remembers what it was given last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct ConduitOptions {
    /// `mirror` unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub mode: Option<SyncMode>,
    /// Who wins a conflict. None: `source-wins` for mirror and selective, `keep-both` for bidirectional.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub conflict: Option<ConflictPolicy>,
    /// What becomes of names that one side cannot hold or cannot tell apart; `skip` unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub name_clash: Option<NameClash>,
    /// Which items take part; all unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub filters: Option<Filters>,
    /// Mirror mode: what the ledger never knew at the target is removed there.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub exact: Option<bool>,
    /// Deletions before a guard stops the run: a number, or a share such as `50%`. None: half of at least ten items. Given
    /// explicitly, it also stands for the confirmation that `exact` without a ledger asks for.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub max_delete: Option<String>,
    /// What is looked at after a run; `size` unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub verify: Option<Verify>,
    /// Transfers at once; 3 unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub transfers: Option<i64>,
    /// How many bytes may pass in a second: `512k`, `1.5M`, or a timetable.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub bandwidth: Option<String>,
}

/// Which items take part. A pattern without a slash is matched against the last component at any depth (`*.tmp`), one with
/// a slash against the whole path from the root (`docs/draft-*`). `*` and `?` stop at a slash, `**` does not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct Filters {
    /// When there are any, a file takes part only if one of them matches it.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub include: Option<Vec<String>>,
    /// What one of them matches does not take part; of a directory, nothing beneath it does.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub exclude: Option<Vec<String>>,
    /// Hidden and temporary files do not take part.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub index_rules: Option<bool>,
}

/// What a conduit does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum SyncMode {
    /// The target is made like the source, deletions included.
    Mirror,
    /// Changes flow both ways, three-way merged.
    Bidirectional,
    /// Rules and pins choose what is held at the target.
    Selective,
}

/// Who wins when both sides changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "kebab-case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum ConflictPolicy {
    /// The source's version.
    SourceWins,
    /// The target's version.
    DestinationWins,
    /// The later change, each measured in its own clock; both where that cannot be told.
    LatestWins,
    /// Both, the loser under another name.
    KeepBoth,
}

/// What becomes of an item whose name one side cannot hold, or cannot tell from another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum NameClash {
    /// It is left alone and waits for a person.
    Skip,
    /// That side gets it under an alias.
    Alias,
}

/// How a run looks at what it carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum Verify {
    /// Not at all.
    None,
    /// Sizes are compared.
    Size,
    /// Contents are read again and hashed.
    Checksum,
}

/// How a preview is made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct PreviewOptions {
    /// Read and hash every file on both sides, whatever sizes and times say.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub checksum: Option<bool>,
    /// How long the preview can be applied; an hour unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub lifetime_ms: Option<i64>,
}

/// How a preview is applied.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct ApplyOptions {
    /// Guards that a person has seen and confirmed for this plan, by their names.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub confirm: Option<Vec<String>>,
    /// How many bytes may pass in a second, instead of the conduit's limit.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub bandwidth: Option<String>,
    /// Transfers at once, instead of the conduit's number.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub transfers: Option<i64>,
    /// What is looked at after the run, instead of the conduit's setting.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub verify: Option<Verify>,
}

/// A rule of selective mode. Rules are asked in their order and the first one that matches decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct SelectionRule {
    /// The pattern, as those of `Filters`.
    pub pattern: String,
    /// Whether the target holds what matches.
    pub is_included: bool,
}

/// A choice for one file, or for everything beneath one directory. The deepest pin decides, and outranks every rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct Pin {
    /// The file or directory; it need not exist.
    pub path: String,
    /// Whether the target holds it.
    pub is_held: bool,
}

same_words!(SyncMode = model::SyncMode { Mirror, Bidirectional, Selective });
same_words!(ConflictPolicy = model::ConflictPolicy { SourceWins, DestinationWins, LatestWins, KeepBoth });
same_words!(NameClash = model::NameClash { Skip, Alias });
same_words!(Verify = model::Verify { None, Size, Checksum });

pub(super) fn max_delete_of(text: &str) -> Result<MaxDelete> {
    let read = match text.strip_suffix('%') {
        Some(share) => share.parse().ok().filter(|share| *share <= 100).map(MaxDelete::Percent),
        None => text.parse().ok().map(MaxDelete::Count),
    };
    let wrong = || invalid("read", "max_delete", "a number, or a share from 0% to 100% is wanted");
    Ok(read.ok_or_else(wrong)?)
}

impl ConduitOptions {
    /// What the core is given.
    pub(crate) fn read(self) -> Result<conduit::ConduitOptions> {
        let usual = conduit::ConduitOptions::default();
        Ok(conduit::ConduitOptions {
            mode: self.mode.map_or(usual.mode, Into::into),
            conflict: self.conflict.map(Into::into),
            name_clash: self.name_clash.map_or(usual.name_clash, Into::into),
            filters: self.filters.unwrap_or_default().into(),
            exact: is(self.exact),
            max_delete: self.max_delete.as_deref().map(max_delete_of).transpose()?,
            verify: self.verify.map_or(usual.verify, Into::into),
            transfers: self.transfers.map_or(Ok(usual.transfers), |n| small("transfers", n))?,
            bandwidth: read(self.bandwidth)?,
        })
    }
}

impl From<conduit::ConduitOptions> for ConduitOptions {
    fn from(options: conduit::ConduitOptions) -> Self {
        let conduit::ConduitOptions {
            mode,
            conflict,
            name_clash,
            filters,
            exact,
            max_delete,
            verify,
            transfers,
            bandwidth,
        } = options;
        let max_delete = max_delete.map(|most| match most {
            MaxDelete::Count(n) => n.to_string(),
            MaxDelete::Percent(share) => format!("{share}%"),
        });
        Self {
            mode: Some(mode.into()),
            conflict: conflict.map(Into::into),
            name_clash: Some(name_clash.into()),
            filters: Some(filters.into()),
            exact: Some(exact),
            max_delete,
            verify: Some(verify.into()),
            transfers: Some(transfers.into()),
            bandwidth: bandwidth.map(|limit| limit.to_string()),
        }
    }
}

impl From<Filters> for conduit::Filters {
    fn from(filters: Filters) -> Self {
        Self {
            include: filters.include.unwrap_or_default(),
            exclude: filters.exclude.unwrap_or_default(),
            index_rules: is(filters.index_rules),
        }
    }
}

impl From<conduit::Filters> for Filters {
    fn from(filters: conduit::Filters) -> Self {
        let conduit::Filters { include, exclude, index_rules } = filters;
        Self { include: Some(include), exclude: Some(exclude), index_rules: Some(index_rules) }
    }
}

impl PreviewOptions {
    /// What the core is given.
    pub(crate) fn read(self) -> Result<conduit::PreviewOptions> {
        let usual = conduit::PreviewOptions::default();
        let lifetime = self.lifetime_ms.map_or(Ok(usual.lifetime), |ms| milliseconds("lifetime_ms", ms))?;
        Ok(conduit::PreviewOptions { checksum: is(self.checksum), lifetime })
    }
}

impl ApplyOptions {
    /// What the core is given.
    pub(crate) fn read(self) -> Result<conduit::ApplyOptions> {
        Ok(conduit::ApplyOptions {
            confirm: self.confirm.unwrap_or_default(),
            bandwidth: read(self.bandwidth)?,
            transfers: self.transfers.map(|n| small("transfers", n)).transpose()?,
            verify: self.verify.map(Into::into),
        })
    }
}

impl From<SelectionRule> for conduit::SelectionRule {
    fn from(rule: SelectionRule) -> Self {
        Self { pattern: rule.pattern, is_included: rule.is_included }
    }
}

impl From<conduit::SelectionRule> for SelectionRule {
    fn from(rule: conduit::SelectionRule) -> Self {
        Self { pattern: rule.pattern, is_included: rule.is_included }
    }
}

impl Pin {
    /// What the core is given.
    pub(crate) fn read(self) -> Result<conduit::Pin> {
        Ok(conduit::Pin { path: path_of(&self.path)?, is_held: self.is_held })
    }
}

impl From<conduit::Pin> for Pin {
    fn from(pin: conduit::Pin) -> Self {
        Self { path: pin.path.to_string(), is_held: pin.is_held }
    }
}
