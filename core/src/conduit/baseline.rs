//! The ledger as one run sees it.
//!
//! A conduit is one pair of roots whichever of them is named first: `sync B A` finds what `sync A B` agreed on. The
//! ledger keeps the sides as they were when the conduit was made; here they are turned to the direction of the run.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Code, Error, Result};
use crate::ledger::{IntentKind, Ledger, NewIntent, PairKey};
use crate::model::{Ident, Pair, PairId, PreviewId, RelPath, Side, Sides, TenantId, TransferSession};
use crate::operation::clock::micros;
use crate::operation::plan::side_number;
use crate::store::{Store, Write};

use super::outcome::Entry;

/// The ledger of a conduit, turned to the direction of the run.
pub(crate) struct Baseline {
    store: Arc<dyn Store>,
    tenant: TenantId,
    generation: i64,
    ledger: Ledger,
    swapped: bool,
}

/// What is about to happen to one item, so that the next run can tidy up after a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum IntentItem {
    /// A file may wait under a temporary name.
    Staged {
        /// The side of the *conduit* (not of the run).
        side: Side,
        /// Beside what.
        target: RelPath,
        /// The tag of the temporary name.
        tag: String,
    },
    /// A large file is being carried; its session owns the temporary file.
    Carried {
        /// The side of the *conduit*.
        side: Side,
        /// Beside what.
        target: RelPath,
        /// The tag of the temporary name.
        tag: String,
    },
    /// An item may stand under a temporary name in the middle of a swap.
    Swap {
        /// The side of the *conduit*.
        side: Side,
        /// The temporary name.
        temporary: RelPath,
        /// Where it was.
        from: RelPath,
        /// Where it is to be.
        to: RelPath,
        /// What it is.
        ident: Ident,
        /// The directory that the temporary name is in, where that was there already.
        holder: Option<Ident>,
    },
    /// A version of a conflict may have gone aside, and nothing have come to its place yet.
    Aside {
        /// The side of the *conduit*.
        side: Side,
        /// The name of the conflict copy.
        aside: RelPath,
        /// Where it was.
        from: RelPath,
    },
    /// What is overwritten may be on its way to what a volume keeps.
    Kept {
        /// The side of the *conduit*.
        side: Side,
        /// What is overwritten.
        target: RelPath,
        /// The version that it becomes.
        version: Uuid,
        /// Where it is in the trash of the place until then.
        label: String,
    },
}

/// Intents of a run that did not end.
pub(crate) struct OpenIntent {
    pub(crate) id: i64,
    pub(crate) items: Vec<IntentItem>,
}

impl Baseline {
    pub(crate) fn new(store: Arc<dyn Store>, tenant: TenantId, conduit: i64, generation: i64, swapped: bool) -> Self {
        let ledger = Ledger::new(store.clone(), tenant, conduit);
        Self { store, tenant, generation, ledger, swapped }
    }

    /// The rows beneath each of these directories, ordered by name.
    pub(crate) async fn children(&self, parents: &[PairId]) -> Result<Vec<Vec<Pair>>> {
        if parents.is_empty() {
            return Ok(Vec::new());
        }
        let mut children = self.ledger.children(parents).await?;
        if self.swapped {
            children.iter_mut().flatten().for_each(turn);
        }
        Ok(children)
    }

    /// The row of this key, if there is one.
    pub(crate) async fn pair(&self, key: PairKey) -> Result<Option<Pair>> {
        let mut found = self.ledger.pair_by_key(&[key]).await?.pop().flatten();
        if self.swapped {
            found.iter_mut().for_each(turn);
        }
        Ok(found)
    }

    /// Where each side has the items of these rows, as the ledger says; none where it has no such row (any more).
    pub(crate) async fn paths(&self, keys: &[PairKey]) -> Result<Vec<Option<Sides<RelPath>>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let pairs = self.ledger.pair_by_key(keys).await?;
        let mut dirs: Vec<PairId> = pairs.iter().flatten().map(|pair| pair.parent).collect();
        dirs.sort_unstable();
        dirs.dedup();
        let above = self.ledger.paths_of(&dirs).await?;
        let path = |pair: Pair| {
            let above = above.get(dirs.binary_search(&pair.parent).ok()?)?.as_ref()?;
            let on = |side: Side| above[side].join(pair.name_on(side));
            Some(Sides::new(on(self.side(Side::Left)), on(self.side(Side::Right))))
        };
        Ok(pairs.into_iter().map(|pair| pair.and_then(path)).collect())
    }

    fn side(&self, side: Side) -> Side {
        if self.swapped { side.other() } else { side }
    }

    /// What the ledger is to do, as parts of one batch. Removals come before what takes their place.
    pub(crate) async fn writes(&self, entries: Vec<Entry>) -> Result<Vec<Write>> {
        let mut removed = Vec::new();
        let mut put = Vec::new();
        let mut replaced = Vec::new();
        for entry in entries {
            match entry {
                Entry::Put(mut pair, was) => {
                    removed.extend(was.map(|(parent, name)| (parent, name, pair.id)));
                    if self.swapped {
                        turn(&mut pair);
                    }
                    put.push(pair);
                }
                Entry::Replace { old, id, parent, name, alias, fresh } => {
                    replaced.push((old, id, parent, name, alias, fresh));
                }
                Entry::Remove { parent, name, id } => removed.push((parent, name, id)),
                Entry::Nothing => {}
            }
        }
        if !replaced.is_empty() {
            let keys: Vec<PairKey> = replaced.iter().map(|(old, id, ..)| (old.0, old.1.clone(), *id)).collect();
            let rows = self.ledger.pair_by_key(&keys).await?;
            for ((old, id, parent, name, alias, fresh), row) in replaced.into_iter().zip(rows) {
                // A row that is not there any more was recorded at its new place before a crash.
                let Some(mut pair) = row else { continue };
                removed.push((old.0, old.1, id));
                if self.swapped {
                    turn(&mut pair);
                }
                (pair.parent, pair.name) = (parent, name);
                (pair.held.left.alias, pair.held.right.alias) = (alias.left, alias.right);
                let Sides { left, right } = fresh;
                pair.held.left = left.unwrap_or(pair.held.left);
                pair.held.right = right.unwrap_or(pair.held.right);
                if self.swapped {
                    turn(&mut pair);
                }
                put.push(pair);
            }
        }
        let mut writes = self.ledger.remove(&removed);
        if !put.is_empty() {
            writes.push(self.ledger.put(&put));
        }
        Ok(writes)
    }

    /// The rows of the book, with the sides of the *conduit*.
    pub(crate) fn rows(&self) -> &Ledger {
        &self.ledger
    }

    /// The run's generation.
    pub(crate) fn generation(&self) -> i64 {
        self.generation
    }

    /// The session of a large file that is carried to this path of this side, and the number of the side in the book.
    pub(crate) async fn transfer(&self, side: Side, path: &RelPath) -> Result<(Option<TransferSession>, i64)> {
        let number = side_number(self.side(side));
        Ok((self.ledger.transfer(number, path).await?, number))
    }

    /// The side of the run that the book has this number for.
    pub(crate) fn side_of(&self, number: i64) -> Option<Side> {
        Side::BOTH.into_iter().find(|side| side_number(self.side(*side)) == number)
    }

    fn intent(
        &self,
        kind: IntentKind,
        preview: PreviewId,
        items: Vec<IntentItem>,
        now: DateTime<Utc>,
    ) -> Result<NewIntent> {
        let items: Vec<IntentItem> = items.into_iter().map(|item| self.turned(item)).collect();
        let encode = |e| Error::new(Code::Internal, "encode an intent", "").caused_by(e);
        let detail = postcard::to_stdvec(&items).map_err(encode)?;
        let (generation, preview_id) = (self.generation, Some(preview));
        Ok(NewIntent { generation, preview_id, kind, range: None, detail, created_at: micros(now) })
    }

    /// The part of a batch that puts the intent of one large transfer into the book.
    pub(crate) fn intent_of_transfer(&self, preview: PreviewId, item: IntentItem, now: DateTime<Utc>) -> Result<Write> {
        Ok(self.ledger.put_intent(&self.intent(IntentKind::Transfer, preview, vec![item], now)?))
    }

    /// Puts an intent into the book, durably, before its effects.
    pub(crate) async fn intend(&self, preview: PreviewId, items: Vec<IntentItem>, now: DateTime<Utc>) -> Result<i64> {
        let intent = self.intent(IntentKind::Batch, preview, items, now)?;
        let written = self.store.write(self.tenant, vec![self.ledger.put_intent(&intent)]).await?;
        written.first().map_or_else(
            || Err(Error::new(Code::Internal, "write an intent", "").because("the book gave no number")),
            Ledger::intent_id,
        )
    }

    /// The part of a batch that removes an intent.
    pub(crate) fn remove_intent(&self, id: i64) -> Write {
        self.ledger.remove_intent(id)
    }

    /// Removes the rows that hang nowhere.
    pub(crate) async fn remove_orphans(&self) -> Result<()> {
        self.ledger.remove_orphans().await
    }

    /// What runs that did not end have left.
    pub(crate) async fn open_intents(&self) -> Result<Vec<OpenIntent>> {
        let open = self.ledger.open_intents().await?;
        open.into_iter()
            .map(|intent| {
                let decode = |e| Error::new(Code::Corrupt, "read an intent", "").caused_by(e);
                let items: Vec<IntentItem> = postcard::from_bytes(&intent.what.detail).map_err(decode)?;
                Ok(OpenIntent { id: intent.id, items: items.into_iter().map(|item| self.turned(item)).collect() })
            })
            .collect()
    }

    fn turned(&self, item: IntentItem) -> IntentItem {
        match item {
            IntentItem::Staged { side, target, tag } => IntentItem::Staged { side: self.side(side), target, tag },
            IntentItem::Carried { side, target, tag } => IntentItem::Carried { side: self.side(side), target, tag },
            IntentItem::Swap { side, temporary, from, to, ident, holder } => {
                IntentItem::Swap { side: self.side(side), temporary, from, to, ident, holder }
            }
            IntentItem::Aside { side, aside, from } => IntentItem::Aside { side: self.side(side), aside, from },
            IntentItem::Kept { side, target, version, label } => {
                IntentItem::Kept { side: self.side(side), target, version, label }
            }
        }
    }
}

fn turn(pair: &mut Pair) {
    std::mem::swap(&mut pair.held.left, &mut pair.held.right);
}
