//! What a run of a definition writes into the book beside the ledger and what every run writes: `sync_runs`, `sync_events`, the
//! rows that failed.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::DefinitionInner;
use super::apply::Applied;
use super::change::RowChange;
use super::conflict;
use super::drift::{Drift, DriftEffect};
use super::instance::PassedOver;
use super::open::Opened;
use crate::error::Error;
use crate::identity::RowHash;
use crate::model::{EventSeverity, Id, RunStatus, RunType, Side, SyncDefinition, SyncRun};
use crate::operation::clock::micros;
use crate::operation::journal::{Ending, Log, execute, int32};
use crate::store::{Value, Write};

/// A run that failed, from its start to its end, before there was a plan to be carried out; nothing when it had begun to.
pub(crate) fn never_began(
    definition: &DefinitionInner,
    run: Id<SyncRun>,
    (start, end): (DateTime<Utc>, DateTime<Utc>),
    error: &Error,
) -> Write {
    execute(
        "INSERT INTO sync_runs (id, tenant_id, sync_def_id, run_type, status, start_time, end_time, error_message, created_at, \
         updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?7, ?7) ON CONFLICT (id) DO NOTHING",
        vec![
            Value::Uuid(run.0),
            Value::Uuid(definition.tenant.0),
            Value::Uuid(definition.id.0),
            Value::Text(RunType::Push.as_str().to_owned()),
            Value::Text(RunStatus::Failed.as_str().to_owned()),
            Value::Time(micros(start)),
            Value::Time(micros(end)),
            Value::Text(error.to_string()),
        ],
    )
}

/// Names the rows of one run.
#[derive(Clone, Debug)]
pub(crate) struct RowJournal {
    pub(crate) log: Log,
    pub(crate) definition: Id<SyncDefinition>,
    pub(crate) run: Id<SyncRun>,
    pub(crate) generation: i64,
    /// Rows failed before this run: those it carries are made good.
    pub(crate) had_failures: bool,
    /// Rows that waited for a person before this run.
    pub(crate) waiting: Arc<HashSet<RowHash>>,
}

impl RowJournal {
    fn tenant(&self) -> Value {
        Value::Uuid(self.log.tenant.0)
    }

    /// The run has begun.
    pub(crate) fn begin(&self, kind: RunType, now: DateTime<Utc>) -> Vec<Write> {
        vec![
            // Those before it that did not end were interrupted.
            execute(
                "UPDATE sync_runs SET status = 'FAILED', end_time = ?3, error_message = 'interrupted', updated_at = ?3 \
                 WHERE tenant_id = ?1 AND sync_def_id = ?2 AND status IN ('RUNNING', 'PAUSED')",
                vec![self.tenant(), Value::Uuid(self.definition.0), Value::Time(micros(now))],
            ),
            self.log.close_others(now),
            execute(
                "INSERT INTO sync_runs (id, tenant_id, sync_def_id, run_type, status, start_time, items_processed, items_failed, \
                 created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, ?6, ?6)",
                vec![
                    Value::Uuid(self.run.0),
                    self.tenant(),
                    Value::Uuid(self.definition.0),
                    Value::Text(kind.as_str().to_owned()),
                    Value::Text(RunStatus::Running.as_str().to_owned()),
                    Value::Time(micros(now)),
                ],
            ),
            execute(
                "UPDATE sync_definition_state SET generation = ?3 WHERE tenant_id = ?1 AND sync_def_id = ?2",
                vec![self.tenant(), Value::Uuid(self.definition.0), Value::Int(self.generation)],
            ),
        ]
    }

    /// Something happened that a person may want to know.
    pub(crate) fn event(
        &self,
        severity: EventSeverity,
        event: &'static str,
        message: String,
        payload: serde_json::Value,
        now: DateTime<Utc>,
    ) -> Write {
        execute(
            "INSERT INTO sync_events (id, tenant_id, sync_run_id, severity, event_type, message, payload, created_at, \
             updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
            vec![
                Value::Uuid(Uuid::now_v7()),
                self.tenant(),
                Value::Uuid(self.run.0),
                Value::Text(severity.as_str().to_owned()),
                Value::Text(event.to_owned()),
                Value::Text(message),
                Value::Text(payload.to_string()),
                Value::Time(micros(now)),
            ],
        )
    }

    /// Which instance serves the source, and which ones did not answer.
    pub(crate) fn served(&self, by: Option<&str>, opened: &Opened, now: DateTime<Utc>) -> Vec<Write> {
        let mut events = Vec::new();
        for PassedOver { side, label, error } in &opened.passed_over {
            let side = if *side == Side::Left { "source" } else { "target" };
            let payload = serde_json::json!({"side": side, "instance": label, "code": error.code().as_str()});
            let message = format!("the instance {label} of the {side} did not answer: {error}");
            events.push(self.event(EventSeverity::Warn, "instance_away", message, payload, now));
        }
        if let (Some(by), Some(id)) = (by, opened.instance) {
            let payload = serde_json::json!({"instance": by, "id": id.0.to_string()});
            events.push(self.event(EventSeverity::Info, "served_by", format!("{by} serves the source"), payload, now));
        }
        events
    }

    /// One of the tables is another one than before.
    pub(crate) fn drifted(&self, drift: &Drift, now: DateTime<Utc>) -> Write {
        let severity = match drift.effect {
            DriftEffect::Harmless => EventSeverity::Info,
            DriftEffect::NeedsMapping | DriftEffect::Blocks => EventSeverity::Warn,
        };
        let side = if drift.side == Side::Left { "source" } else { "target" };
        let payload = serde_json::json!({
            "side": side,
            "kind": drift.change.kind.as_str(),
            "name": drift.change.name,
            "effect": drift.effect.as_str(),
        });
        self.event(severity, "schema_drift", format!("{side}: {}: {}", drift.change, drift.reason), payload, now)
    }

    /// A row that could not be carried: an event of this run, and a row that is tried again by the next.
    pub(crate) fn failed(&self, change: &RowChange, error: &Error, now: DateTime<Utc>) -> Vec<Write> {
        let payload = serde_json::json!({"row": change.name, "code": error.code().as_str()});
        let event = self.event(EventSeverity::Error, "row_failed", error.to_string(), payload, now);
        // What is only not known by a key has nothing to be remembered by.
        if change.identity == RowHash::default() {
            return vec![event];
        }
        let key = if change.source_key.is_empty() { Value::Null } else { Value::Blob(change.source_key.clone()) };
        let kept = execute(
            "INSERT INTO sync_row_failure (sync_def_id, source_identity_hash, source_identity, source_key, error_code, \
             error_message, retry_count, first_failed_at, last_failed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?7) \
             ON CONFLICT (sync_def_id, source_identity_hash) DO UPDATE SET error_code = excluded.error_code, \
             error_message = excluded.error_message, retry_count = sync_row_failure.retry_count + 1, \
             source_key = coalesce(excluded.source_key, sync_row_failure.source_key), \
             last_failed_at = excluded.last_failed_at",
            vec![
                Value::Uuid(self.definition.0),
                Value::Blob(change.identity.to_vec()),
                Value::Text(change.name.clone()),
                key,
                Value::Text(error.code().as_str().to_owned()),
                Value::Text(error.to_string()),
                Value::Time(micros(now)),
            ],
        );
        vec![event, kept]
    }

    /// A row that failed before was carried.
    pub(crate) fn made_good(&self, identity: RowHash) -> Option<Write> {
        self.had_failures.then(|| {
            execute(
                "DELETE FROM sync_row_failure WHERE sync_def_id = ?1 AND source_identity_hash = ?2",
                vec![Value::Uuid(self.definition.0), Value::Blob(identity.to_vec())],
            )
        })
    }

    /// What became of a row, as far as it waited, waits now, or could not be told who changed it last.
    pub(crate) fn settled(&self, change: &RowChange, waits: bool, now: DateTime<Utc>) -> Vec<Write> {
        if waits {
            return vec![conflict::waits(self.log.tenant, self.definition.0, change, self.generation, now)];
        }
        let mut writes = Vec::new();
        if change.is_tie {
            let payload = serde_json::json!({"row": change.name});
            let message = format!("both sides changed {}, and which one did last cannot be told", change.name);
            writes.push(self.event(EventSeverity::Info, "conflict_tie", message, payload, now));
        }
        if self.waiting.contains(&change.identity) {
            writes.push(conflict::carried(self.definition.0, change.identity));
        }
        writes
    }

    /// The run has ended; the lease is given back.
    pub(crate) fn end(
        &self,
        ending: Ending,
        applied: &Applied,
        error: Option<&Error>,
        now: DateTime<Utc>,
    ) -> Vec<Write> {
        let counts = &applied.counts;
        let done = counts.new + counts.updated + counts.deleted + counts.failed;
        let status = match ending {
            Ending::Completed | Ending::CompletedWithErrors => RunStatus::Completed,
            Ending::Failed => RunStatus::Failed,
            Ending::Cancelled => RunStatus::Cancelled,
        };
        let mut end = vec![
            self.log.ended(ending, now),
            execute(
                "UPDATE sync_runs SET status = ?3, end_time = ?4, items_processed = ?5, items_failed = ?6, error_message = ?7, \
                 updated_at = ?4 WHERE tenant_id = ?1 AND id = ?2",
                vec![
                    self.tenant(),
                    Value::Uuid(self.run.0),
                    Value::Text(status.as_str().to_owned()),
                    Value::Time(micros(now)),
                    int32(done),
                    int32(counts.failed),
                    error.map_or(Value::Null, |error| Value::Text(error.to_string())),
                ],
            ),
            execute(
                "UPDATE sync_definition_state SET lease_owner = NULL, lease_expires_at = NULL \
                 WHERE tenant_id = ?1 AND sync_def_id = ?2",
                vec![self.tenant(), Value::Uuid(self.definition.0)],
            ),
        ];
        if ending == Ending::Completed {
            // Whatever failed before was carried, or is gone.
            end.push(execute(
                "DELETE FROM sync_row_failure WHERE sync_def_id = ?1",
                vec![Value::Uuid(self.definition.0)],
            ));
        }
        end
    }
}
