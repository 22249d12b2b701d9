//! What a test may choose, before the start and while the server runs.

use std::sync::Arc;
use std::time::Duration;

use portbook::operation::Clock;

use super::clock::HandClock;

/// What is settled when the server starts.
pub struct GraphOptions {
    pub clock: Arc<dyn Clock>,
    /// Whether it also listens with TLS, with a certificate of an authority of its own.
    pub is_secured: bool,
    /// The id of the one tenant.
    pub tenant: String,
    pub apps: Vec<AppOptions>,
    pub sites: Vec<SiteOptions>,
    /// Of access tokens.
    pub token_lifetime: Duration,
    pub budget: Budget,
    pub rules: Rules,
}

/// A registered application.
#[derive(Clone, Debug)]
pub struct AppOptions {
    pub id: String,
    pub secret: String,
    /// DER of the certificate that it may sign assertions with.
    pub certificate: Option<Vec<u8>>,
    pub role: Role,
}

/// The permission of an application, each with those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// `Sites.Read.All`
    Read,
    /// `Sites.ReadWrite.All`: items.
    Write,
    /// `Sites.Manage.All`: lists and columns.
    Manage,
}

/// A site, as in `https://{hostname}{path}`.
#[derive(Clone, Debug)]
pub struct SiteOptions {
    pub hostname: String,
    pub path: String,
    pub title: String,
}

/// Resource units of one application in one tenant.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    pub per_minute: u64,
    pub per_day: u64,
    pub window: Window,
}

/// How a minute is measured, which the vendor does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// From one full minute of the clock to the next.
    Fixed,
    /// The sixty seconds before now.
    Sliding,
}

/// What the service does where its documents are silent or at odds with each other, or does only at times.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Milliseconds that its clock is ahead.
    pub skew_ms: i64,
    /// Whether `If-Match` counts on `PATCH …/fields`, on `PATCH …/items/{id}`, on `DELETE`, and within a batch.
    pub if_match_on_fields: bool,
    pub if_match_on_item: bool,
    pub if_match_on_delete: bool,
    pub if_match_in_batch: bool,
    /// Whether the answer to `PATCH …/fields` has the new eTag.
    pub patch_shows_etag: bool,
    /// The status of a duplicate in a unique column: 400, 409 and 500 have been seen.
    pub unique_status: u16,
    /// What of a text counts in unique columns; to be chosen before there are values.
    pub unique_ignores_case: bool,
    pub unique_ignores_trailing_spaces: bool,
    pub line_breaks: LineBreaks,
    /// Of the site's time zone, east of UTC.
    pub site_offset_minutes: i32,
    /// Items in a page that nobody asked a size of, and at most.
    pub page_items: usize,
    pub max_top: usize,
    pub unindexed: Unindexed,
    /// The list view threshold.
    pub threshold: usize,
    /// Above so many items no index is made any more.
    pub index_until: usize,
    /// How long one change of the columns takes, during which another conflicts.
    pub schema_window: Duration,
    /// The first change of an item within five seconds of its creation is refused with 409 (OneDrive/onedrive-api-docs#1414).
    pub fresh_items_conflict: bool,
    /// Age at which a token of the change feed is no longer honoured.
    pub delta_lifetime: Option<Duration>,
    /// What is then to be done.
    pub resync: Resync,
    /// An item that was changed comes twice: as it was, then as it is.
    pub delta_repeats: bool,
    /// Instead of a deleted item there is an error (microsoftgraph/msgraph-sdk-typescript#544).
    pub delta_error_elements: bool,
    /// So many items come that nobody has touched (microsoft-graph-docs#15378).
    pub delta_unchanged: usize,
}

/// What becomes of line breaks in text of a single line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineBreaks {
    Kept,
    Spaces,
    Refused,
}

/// What becomes of a filter or an order by a column without an index, when the header `Prefer` does not allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unindexed {
    Refused,
    RefusedAboveThreshold,
}

/// How a client gets back into step when its token is too old ("driveItem: delta" and "listItem: delta").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resync {
    ApplyDifferences,
    UploadDifferences,
}

impl Resync {
    pub fn code(self) -> &'static str {
        match self {
            Self::ApplyDifferences => "resyncChangesApplyDifferences",
            Self::UploadDifferences => "resyncChangesUploadDifferences",
        }
    }
}

impl Default for GraphOptions {
    fn default() -> Self {
        let site = SiteOptions {
            hostname: "contoso.sharepoint.com".to_owned(),
            path: "/sites/Team".to_owned(),
            title: "Team".to_owned(),
        };
        Self {
            clock: HandClock::at("2026-01-05T12:00:00Z"),
            is_secured: false,
            tenant: "3f8e1b52-0c6d-4a5e-9d2f-71c0a4b6e810".to_owned(),
            apps: vec![AppOptions::default()],
            sites: vec![site],
            token_lifetime: Duration::from_secs(3_599),
            budget: Budget::default(),
            rules: Rules::default(),
        }
    }
}

impl Default for AppOptions {
    fn default() -> Self {
        Self {
            id: "6a1c0f3e-58d7-4b0c-8f3a-2e9d5c7b1a40".to_owned(),
            secret: "a-secret~of.the_app".to_owned(),
            certificate: None,
            role: Role::Manage,
        }
    }
}

impl Default for Budget {
    /// That of a tenant with at most a thousand licences.
    fn default() -> Self {
        Self { per_minute: 1_200, per_day: 1_200_000, window: Window::Fixed }
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            skew_ms: 0,
            if_match_on_fields: true,
            if_match_on_item: true,
            if_match_on_delete: true,
            if_match_in_batch: true,
            patch_shows_etag: true,
            unique_status: 400,
            unique_ignores_case: true,
            unique_ignores_trailing_spaces: true,
            line_breaks: LineBreaks::Spaces,
            site_offset_minutes: 0,
            page_items: 200,
            max_top: 5_000,
            unindexed: Unindexed::Refused,
            threshold: 5_000,
            index_until: 20_000,
            schema_window: Duration::from_millis(20),
            fresh_items_conflict: false,
            delta_lifetime: None,
            resync: Resync::ApplyDifferences,
            delta_repeats: false,
            delta_error_elements: false,
            delta_unchanged: 0,
        }
    }
}
