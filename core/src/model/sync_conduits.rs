//! Rows and enumerations of `sync_conduit`, `sync_generation` and what a person decides about them.

use std::fmt;

use super::text_enum::{stored, text_enum};
use super::{Column, ConduitId, Moment, PreviewId, RelPath, Row, TenantId, UserId, Value, ValueKind, record};
use crate::error::{Code, Error, Result};

text_enum! {
    /// What a conduit does (`sync_conduit.sync_mode`).
    SyncMode {
        /// The target is made like the source, deletions included.
        Mirror = "mirror",
        /// Changes flow both ways, three-way merged.
        Bidirectional = "bidirectional",
        /// Rules and pins choose what is held at the target.
        Selective = "selective",
    }
}

text_enum! {
    /// Who wins when both sides changed (`sync_conduit.conflict_policy`).
    ConflictPolicy {
        /// The source's version.
        SourceWins = "source-wins",
        /// The target's version.
        DestinationWins = "destination-wins",
        /// The later change, each measured in its own clock; both where that cannot be told.
        LatestWins = "latest-wins",
        /// Both, the loser under another name.
        KeepBoth = "keep-both",
    }
}

text_enum! {
    /// What becomes of an item whose name one side cannot hold, or cannot tell from another's (`sync_conduit.name_clash`).
    NameClash {
        /// It is left alone and waits for a person.
        Skip = "skip",
        /// That side gets it under an alias, which the ledger keeps.
        Alias = "alias",
    }
}

text_enum! {
    /// How a run looks at what it carried (`sync_conduit.verify`).
    Verify {
        /// Not at all.
        None = "none",
        /// Sizes are compared.
        Size = "size",
        /// Contents are read again and hashed.
        Checksum = "checksum",
    }
}

text_enum! {
    /// How much is read to index an entry (`sync_conduit.index_mode_override`).
    IndexMode {
        /// Names and metadata.
        Shallow = "shallow",
        /// Contents are hashed.
        Content = "content",
        /// Contents are hashed and looked into.
        Deep = "deep",
    }
}

text_enum! {
    /// Where a run stands (`sync_generation.status`).
    GenerationStatus {
        /// Under way, or cut short by the end of its process.
        Running = "running",
        /// Done.
        Completed = "completed",
        /// Done, but for items that failed.
        CompletedWithErrors = "completed_with_errors",
        /// Stopped by an error.
        Failed = "failed",
        /// Stopped by a person.
        Cancelled = "cancelled",
        /// To be resumed.
        Paused = "paused",
    }
}

text_enum! {
    /// What a person decided about a conflict (`sync_conflict.decision`), and how it ended (`sync_conflict.resolution`).
    Resolution {
        /// The source's state counts, also where that is that it has nothing.
        Source = "source",
        /// The target's state counts, also where that is that it has nothing.
        Destination = "destination",
        /// Both, one of them under another name.
        Both = "both",
        /// The source's item gets another name.
        RenameSource = "rename-source",
        /// The target's item gets another name.
        RenameDestination = "rename-destination",
        /// The conflict went away by itself. Nobody can decide that.
        Dropped = "dropped",
    }
}

text_enum! {
    /// Why an item waits for a person (`sync_conflict.reason`).
    WaitReason {
        /// Another item has the same name on that side, or a directory and a file have one name.
        NameCollision = "name_collision",
        /// That side cannot hold the name.
        NameNotAllowed = "name_not_allowed",
        /// An unclean stop may have damaged that side's file.
        Suspect = "suspect",
    }
}

/// When a conduit runs (`sync_conduit.schedule`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Schedule {
    /// When a change is seen: `instant`.
    Instant,
    /// When asked: `manual`.
    Manual,
    /// Every so many seconds, at least 1: `interval:5m`, with `s`, `m`, `h` or `d`.
    Interval {
        /// The seconds between two starts.
        seconds: u64,
    },
    /// By a cron expression: `cron:0 3 * * *`. Its fields are checked where schedules are run.
    Cron(String),
}

impl Schedule {
    /// The schedule of a stored or given text.
    ///
    /// # Errors
    /// `invalid` when it is none.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            Error::new(Code::Invalid, "read the schedule", text)
                .advise("use instant, manual, interval:<number><s|m|h|d> or cron:<expression>")
        };
        match (text, text.split_once(':')) {
            ("instant", _) => Ok(Self::Instant),
            ("manual", _) => Ok(Self::Manual),
            (_, Some(("interval", every))) => {
                let seconds = seconds_of(every).ok_or_else(wrong)?;
                Ok(Self::Interval { seconds })
            }
            (_, Some(("cron", rule))) if !rule.trim().is_empty() => Ok(Self::Cron(rule.to_owned())),
            _ => Err(wrong()),
        }
    }
}

fn seconds_of(every: &str) -> Option<u64> {
    let unit = every.chars().last()?;
    let number = every.strip_suffix(unit)?;
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let scale = [('s', 1), ('m', 60), ('h', 3600), ('d', 86400)].into_iter().find(|(u, _)| *u == unit)?.1;
    let seconds = digits.then(|| number.parse::<u64>().ok())??.checked_mul(scale)?;
    (seconds > 0).then_some(seconds)
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instant => f.write_str("instant"),
            Self::Manual => f.write_str("manual"),
            Self::Interval { seconds } => {
                let (scale, unit) = [(86400, 'd'), (3600, 'h'), (60, 'm')]
                    .into_iter()
                    .find(|(scale, _)| seconds.is_multiple_of(*scale))
                    .unwrap_or((1, 's'));
                write!(f, "interval:{}{unit}", seconds / scale)
            }
            Self::Cron(rule) => write!(f, "cron:{rule}"),
        }
    }
}

impl Column for Schedule {
    const KIND: ValueKind = ValueKind::Text;

    fn read(row: Row<'_>, column: usize) -> Result<Self> {
        stored(row.text(column)?, Self::parse)
    }

    fn value(&self) -> Value {
        Value::Text(self.to_string())
    }
}

/// What an independent look after a run has found (`sync_generation.verification_status`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum VerificationStatus {
    /// No look yet: `unverified`.
    #[default]
    Unverified,
    /// The watcher has not seen the changes yet: `waiting_watcher`.
    WaitingWatcher,
    /// The changes have not propagated yet: `waiting_library_sync`.
    WaitingLibrarySync,
    /// Both sides agree: `verified`.
    Verified,
    /// Differences remain: `failed:<reason>`; the reason is not empty.
    Failed(String),
}

impl VerificationStatus {
    /// The status of a stored text.
    ///
    /// # Errors
    /// `invalid` when it is none.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "unverified" => Ok(Self::Unverified),
            "waiting_watcher" => Ok(Self::WaitingWatcher),
            "waiting_library_sync" => Ok(Self::WaitingLibrarySync),
            "verified" => Ok(Self::Verified),
            _ => match text.strip_prefix("failed:") {
                Some(reason) if !reason.is_empty() => Ok(Self::Failed(reason.to_owned())),
                Some(_) | None => Err(Error::new(Code::Invalid, "read the verification status", text)),
            },
        }
    }
}

impl fmt::Display for VerificationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unverified => f.write_str("unverified"),
            Self::WaitingWatcher => f.write_str("waiting_watcher"),
            Self::WaitingLibrarySync => f.write_str("waiting_library_sync"),
            Self::Verified => f.write_str("verified"),
            Self::Failed(reason) => write!(f, "failed:{reason}"),
        }
    }
}

impl Column for VerificationStatus {
    const KIND: ValueKind = ValueKind::Text;

    fn read(row: Row<'_>, column: usize) -> Result<Self> {
        stored(row.text(column)?, Self::parse)
    }

    fn value(&self) -> Value {
        Value::Text(self.to_string())
    }
}

record! {
    /// A row of `sync_conduit`: a standing relation between two directories.
    Conduit = "sync_conduit", numbered: true,
    {
        /// Its number; 0 until it is inserted.
        id: i64,
        /// Its id at every border.
        uuid: ConduitId,
        /// Whose it is.
        tenant_id: TenantId,
        /// The `entry` of the source's root, a directory.
        source_entry_id: i64,
        /// The `entry` of the target's root, a directory.
        target_entry_id: i64,
        /// What a person calls it, 1 to 255 characters, unique per tenant.
        name: Option<String>,
        /// What it does.
        sync_mode: SyncMode,
        /// Who wins when both sides changed.
        conflict_policy: ConflictPolicy,
        /// What becomes of names that one side cannot hold or tell apart.
        name_clash: NameClash,
        /// What is in scope, as JSON.
        filters: String,
        /// Of the filters that the ledger was last written under; none before the first run.
        filter_fingerprint: Option<Vec<u8>>,
        /// Items the ledger never knew are removed from the target.
        exact: bool,
        /// How a run looks at what it carried.
        verify: Verify,
        /// The guard on deletions: a count or `50%`.
        max_delete: String,
        /// Whether the schedule counts.
        enabled: bool,
        /// When it runs.
        schedule: Schedule,
        /// Whether the ignore rules of the index apply.
        use_index_rules: bool,
        /// How much is read to index; none for the default.
        index_mode_override: Option<IndexMode>,
        /// Transfers at once, at least 1.
        parallel_transfers: i64,
        /// Megabits per second; none for no limit.
        bandwidth_limit_mbps: Option<i64>,
        /// The limits by the time of the week, where they change with it; instead of the one above.
        bandwidth_timetable: Option<String>,
        /// The source's root as last seen.
        source_root_identity: Option<String>,
        /// The target's root as last seen.
        target_root_identity: Option<String>,
        /// The next pair number, at least 1.
        next_pair_id: i64,
        /// A run has begun and not ended.
        unclean: bool,
        /// Who runs it now.
        lease_owner: Option<String>,
        /// Until when that is believed.
        lease_expires_at: Option<Moment>,
        /// The end of the last run that completed.
        last_sync_completed_at: Option<Moment>,
        /// The number of the last run; 0 before the first.
        sync_generation: i64,
        /// Why the last run failed, if it did.
        last_sync_error: Option<String>,
        /// Runs that completed.
        total_syncs: i64,
        /// Files carried by all runs.
        files_synced: i64,
        /// Bytes carried by all runs.
        bytes_transferred: i64,
        /// When it was made.
        created_at: Moment,
        /// When it was last changed.
        updated_at: Moment,
    }
}

record! {
    /// A row of `sync_generation`: one run of a conduit.
    Generation = "sync_generation", numbered: true,
    {
        /// Its number in the book; 0 until it is inserted.
        id: i64,
        /// Whose it is.
        tenant_id: TenantId,
        /// The conduit.
        conduit_id: i64,
        /// The run's number within the conduit, from 1.
        generation: i64,
        /// Where it stands.
        status: GenerationStatus,
        /// The preview it applies.
        preview_id: Option<PreviewId>,
        /// When it began.
        started_at: Moment,
        /// When it ended.
        completed_at: Option<Moment>,
        /// Files carried, new and updated.
        files_copied: i64,
        /// Items that one side did not have.
        files_new: i64,
        /// Items carried over an older state.
        files_updated: i64,
        /// Items moved to the trash.
        files_deleted: i64,
        /// Items renamed or moved.
        files_moved: i64,
        /// Items equal on both sides.
        files_unchanged: i64,
        /// Items left alone.
        files_skipped: i64,
        /// Conflicts that the policy decided.
        conflicts_resolved: i64,
        /// Conflicts that wait for a person.
        conflicts_pending: i64,
        /// Bytes carried.
        bytes_transferred: i64,
        /// Items that failed.
        errors_encountered: i64,
        /// Why the run failed, if it did.
        error_message: Option<String>,
        /// When it was verified.
        verified_at: Option<Moment>,
        /// What the look after the run found.
        verification_status: VerificationStatus,
    }
}

record! {
    /// A row of `sync_conflict`: a conflict that waits, or waited, for a person. Its sides are those of the conduit's row.
    Conflict = "sync_conflict", numbered: true,
    {
        /// Its number; 0 until it is inserted.
        id: i64,
        /// Whose it is.
        tenant_id: TenantId,
        /// The conduit.
        conduit_id: i64,
        /// The pair of the directory that holds it.
        parent_id: i64,
        /// The pair of items.
        pair_id: i64,
        /// The run that met it last.
        generation: i64,
        /// The agreed path; at most one open conflict each.
        path: RelPath,
        /// Why it waits.
        reason: WaitReason,
        /// The side that the reason speaks of: 1 source, 2 target.
        reason_side: Option<i64>,
        /// What the source showed; none where it had nothing.
        left_state: Option<Vec<u8>>,
        /// What the target showed; none where it had nothing.
        right_state: Option<Vec<u8>>,
        /// When it was met.
        created_at: Moment,
        /// What was decided, until it is carried out.
        decision: Option<Resolution>,
        /// The name that a renamed item gets.
        new_name: Option<Vec<u8>>,
        /// When it was decided; set together with `decision`.
        decided_at: Option<Moment>,
        /// Who decided.
        decided_by: Option<UserId>,
        /// The run that is carrying the decision out.
        carried_in: Option<i64>,
        /// Why the last decision came to nothing.
        note: Option<String>,
        /// When it was closed.
        resolved_at: Option<Moment>,
        /// How it was closed; set together with `resolved_at`.
        resolution: Option<Resolution>,
    }
}

record! {
    /// A row of `sync_selection_rule`: selective mode, the first rule that matches decides.
    SelectionRule = "sync_selection_rule", numbered: true,
    {
        /// Its number; 0 until it is inserted.
        id: i64,
        /// Whose it is.
        tenant_id: TenantId,
        /// The conduit.
        conduit_id: i64,
        /// Its place in the order, unique per conduit.
        position: i64,
        /// A glob over agreed paths.
        pattern: String,
        /// Whether what matches is held at the target.
        is_included: bool,
        /// When it was made.
        created_at: Moment,
    }
}

record! {
    /// A row of `sync_pin`: selective mode, a choice for one path, which outranks the rules.
    Pin = "sync_pin", numbered: false,
    {
        /// Whose it is.
        tenant_id: TenantId,
        /// The conduit.
        conduit_id: i64,
        /// The agreed path; a directory's pin holds for what is beneath it.
        path: RelPath,
        /// Whether it is held at the target.
        is_held: bool,
        /// When it was made.
        created_at: Moment,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_reads_as_it_was_written() {
        for text in ["instant", "manual", "interval:5m", "interval:90s", "interval:2h", "interval:1d", "cron:0 3 * * *"]
        {
            assert_eq!(Schedule::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Schedule::parse("interval:60s").unwrap().to_string(), "interval:1m");
        for bad in ["", "interval:", "interval:0m", "interval:5", "interval:-5m", "interval:5µ", "cron: ", "daily"] {
            assert_eq!(Schedule::parse(bad).unwrap_err().code(), Code::Invalid, "{bad}");
        }
    }

    #[test]
    fn a_verification_status_reads_as_it_was_written() {
        for text in ["unverified", "waiting_watcher", "waiting_library_sync", "verified", "failed:2 files differ"] {
            assert_eq!(VerificationStatus::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(VerificationStatus::parse("failed:").unwrap_err().code(), Code::Invalid);
    }
}
