//! Large transfers: one intent and one session each, so that a later run continues what was interrupted.
//!
//! The session is in the book before the first byte and leaves it in the transaction that records the item. Between runs
//! it owns the temporary file: recovery leaves that alone. A run that completes has dealt with every file that is to be
//! carried; what sessions it leaves belong to nothing any more.

use futures_util::future::{Either, select};
use std::pin::pin;
use tokio::sync::mpsc::Receiver;

use crate::delta::Expect;
use crate::error::{Code, Error, Result};
use crate::ledger::{Ledger, NewTransfer};
use crate::model::{Kind, Moment, Node, Side, TransferSession};
use crate::operation::clock::micros;
use crate::operation::plan::Planned;
use crate::provider::{Checkpoint, Report};
use crate::store::{Store, Write};

use super::apply::Apply;
use super::baseline::IntentItem;
use super::scene::Scene;

/// How long what was carried of a file waits for the run that continues it.
pub(super) const KEPT_DAYS: i64 = 30;

/// A session that a run has taken up or begun.
pub(super) struct Session {
    pub(super) id: i64,
    attempt: i64,
    /// The intent that came with it.
    pub(super) intent: i64,
    /// Tells the temporary name, in this run as in those before.
    pub(super) tag: String,
    /// What an earlier attempt left.
    pub(super) from: Option<Checkpoint>,
}

impl Apply {
    /// Whether the place keeps what arrived of this file.
    pub(super) fn is_resumable(&self, side: Side, planned: &Planned) -> bool {
        let capabilities = self.scene.sides[side].capabilities();
        let is_native = self.native_source(side).is_some();
        let least = if is_native { capabilities.resumable_native_bytes } else { capabilities.resumable_bytes };
        planned.change.item == Kind::File && least.is_some_and(|least| planned.change.bytes >= least)
    }

    /// Takes up the session of this file, or begins one where there is none for this very version. The intent is in the
    /// book with it.
    pub(super) async fn take_up(&self, side: Side, planned: &Planned) -> Result<Session> {
        let change = &planned.change;
        let (ledger, now) = (&self.scene.ledger, self.clock.now());
        let (moment, expires_at) = (Moment(micros(now)), Moment(micros(now + chrono::Duration::days(KEPT_DAYS))));
        let source = source_of(side, planned)?;
        let path = change.path_on(side).clone();
        let (known, number) = ledger.transfer(side, &path).await?;
        let intend = |tag: &str| {
            let item = IntentItem::Carried { side, target: path.clone(), tag: tag.to_owned() };
            ledger.intent_of_transfer(self.preview, item, now)
        };
        if let Some(row) = known {
            if row.source == source {
                let attempt = row.attempt + 1;
                let take_up = ledger.rows().take_up_transfer(&row, ledger.generation(), expires_at, moment);
                let written = self.store.write(self.tenant, vec![intend(&row.tag)?, take_up]).await?;
                let offset = u64::try_from(row.offset_bytes).unwrap_or_default();
                let from = row.session.map(|state| Checkpoint { offset, state });
                return Ok(Session { id: row.id, attempt, intent: first_number(&written)?, tag: row.tag, from });
            }
            // It was begun with another version.
            end(&self.scene, &*self.store, self.tenant, vec![row]).await?;
        }
        let tag = self.tag(planned);
        let new = NewTransfer {
            path: path.clone(),
            side: number,
            generation: ledger.generation(),
            tag: tag.clone(),
            source,
            expires_at,
            now: moment,
        };
        let written = self.store.write(self.tenant, vec![intend(&tag)?, ledger.rows().begin_transfer(&new)]).await?;
        let id = written.get(1).map_or_else(|| Err(no_number()), Ledger::transfer_id)?;
        Ok(Session { id, attempt: 1, intent: first_number(&written)?, tag, from: None })
    }

    /// Takes the checkpoints of a session into the book while the file is being carried.
    pub(super) async fn keeping<T>(
        &self,
        session: &Session,
        mut reports: Receiver<Report>,
        carrying: impl Future<Output = T>,
    ) -> T {
        let keeping = async {
            while let Some(Report { checkpoint, kept }) = reports.recv().await {
                let now = Moment(micros(self.clock.now()));
                let Checkpoint { offset, state } = checkpoint;
                let ledger = self.scene.ledger.rows();
                let write = ledger.checkpoint_transfer(session.id, session.attempt, state, offset, now);
                let result = self.store.write(self.tenant, vec![write]).await;
                // The place stops listening when its copy has failed.
                let _ = kept.send(result.map(|_| ()));
            }
        };
        match select(pin!(carrying), pin!(keeping)).await {
            Either::Left((carried, _)) => carried,
            Either::Right(((), carrying)) => carrying.await,
        }
    }
}

/// The version that is carried, as the book keeps it.
fn source_of(side: Side, planned: &Planned) -> Result<Vec<u8>> {
    let change = &planned.change;
    let Expect::Node(node) = &change.expect[side.other()] else {
        return Err(Error::new(Code::Internal, "carry", &change.path).because("the plan does not say what is carried"));
    };
    let encode = |e| Error::new(Code::Internal, "encode the version of", &change.path).caused_by(e);
    postcard::to_stdvec::<Node>(node).map_err(encode)
}

fn first_number(written: &[crate::store::Written]) -> Result<i64> {
    written.first().map_or_else(|| Err(no_number()), Ledger::intent_id)
}

fn no_number() -> Error {
    Error::new(Code::Internal, "begin a transfer", "").because("the book gave no number")
}

/// Removes sessions with their temporary files, the files first. Returns how many.
pub(super) async fn end(
    scene: &Scene,
    store: &dyn Store,
    tenant: crate::model::TenantId,
    sessions: Vec<TransferSession>,
) -> Result<u64> {
    let count = sessions.len() as u64;
    let mut writes: Vec<Write> = Vec::new();
    for row in sessions {
        if let Some(side) = scene.ledger.side_of(row.side) {
            scene.sides[side].discard_session(row.path, row.tag, &row.session.unwrap_or_default()).await?;
        }
        writes.push(scene.ledger.rows().end_transfer(row.id));
    }
    if !writes.is_empty() {
        store.write(tenant, writes).await?;
    }
    Ok(count)
}
