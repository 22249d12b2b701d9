//! What a run or a preview has before it: the conduit's row, both ends, the ledger, and what the reconciler is told of them.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::delta::{Settings, SideRules};
use crate::error::{Code, Error, Result};
use crate::model::{PairId, Side, Sides, SyncMode};
use crate::operation::clock::from_micros;
use crate::provider::vacant::Vacant;
use crate::provider::{Capabilities, Provider, RootIdentity, RootLock};
use crate::store::{Statement, Value};

use super::baseline::Baseline;
use super::conflict::Pending;
use super::{ConduitInner, place, selection};

/// Vanished or appeared items a side keeps in memory for pairing moves: about 10 MB.
const MOVE_LIMIT: usize = 50_000;

/// Both ends and the ledger.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) sides: Sides<Arc<dyn Provider>>,
    pub(crate) ledger: Arc<Baseline>,
}

/// The conduit's row as a run finds it.
pub(super) struct Row {
    pub(super) generation: i64,
    pub(super) next_pair: PairId,
    pub(super) unclean: bool,
    /// The last run was stopped, maybe between the removal of a directory and of what had vanished in it.
    pub(super) was_cancelled: bool,
    /// When the last run ended, by the clock of then.
    pub(super) ended_at: Option<DateTime<Utc>>,
    pub(super) identities: Sides<Option<String>>,
    /// Something waits for a person, or for its decision to be carried out.
    pub(super) has_conflicts: bool,
}

impl ConduitInner {
    pub(super) async fn row(&self) -> Result<Row> {
        let statement = Statement::new(
            "SELECT sync_generation, next_pair_id, unclean, source_root_identity, \
             target_root_identity, (SELECT count(*) FROM sync_conflict WHERE conduit_id = ?2 AND resolved_at IS NULL), \
             last_sync_completed_at, (SELECT count(*) FROM sync_generation g WHERE g.tenant_id = ?1 AND g.conduit_id = ?2 \
             AND g.generation = sync_conduit.sync_generation AND g.status = 'cancelled') FROM sync_conduit WHERE tenant_id = ?1 AND id = ?2",
            vec![Value::Uuid(self.tenant.0), Value::Int(self.id)],
        );
        let rows = self.book.store.query(self.tenant, statement).await?;
        let row = rows.first().ok_or_else(|| Error::new(Code::NotFound, "find the conduit", self.uuid))?;
        let text = |column| if row.is_null(column) { Ok(None) } else { row.text(column).map(|t| Some(t.to_owned())) };
        let (source, target) = (text(3)?, text(4)?);
        let identities = if self.swapped { Sides::new(target, source) } else { Sides::new(source, target) };
        let ended_at = if row.is_null(6) { None } else { Some(from_micros(row.int(6)?)) };
        Ok(Row {
            generation: row.int(0)?,
            next_pair: PairId(row.int(1)?),
            unclean: row.int(2)? != 0,
            was_cancelled: row.int(7)? != 0,
            ended_at,
            identities,
            has_conflicts: row.int(5)? != 0,
        })
    }

    /// The ledger as the run of that generation sees it.
    pub(super) fn ledger(&self, generation: i64) -> Arc<Baseline> {
        let store = self.book.store.clone();
        Arc::new(Baseline::new(store, self.tenant, self.id, generation, self.swapped))
    }

    /// Opens both ends. `create` makes a target that does not exist.
    pub(super) async fn scene(
        &self,
        generation: i64,
        create: bool,
        threads: u32,
    ) -> Result<(Scene, Sides<Option<RootIdentity>>)> {
        let places = &self.places;
        let missing = |side: Side| {
            Error::new(Code::NotFound, "open the directory", places[side].display()).because("it does not exist")
        };
        let source = place::open(&places.left, false, threads).await?.ok_or_else(|| missing(Side::Left))?;
        let source_root = source.root().await?;
        let (target, target_root): (Arc<dyn Provider>, _) = match place::open(&places.right, create, threads).await? {
            Some(target) => {
                let root = target.root().await?;
                (target, Some(root))
            }
            None => {
                let capabilities: Capabilities = source.capabilities().clone();
                (Arc::new(Vacant { display: places.right.display(), capabilities }), None)
            }
        };
        let ledger = self.ledger(generation);
        Ok((Scene { sides: Sides::new(source, target), ledger }, Sides::new(Some(source_root), target_root)))
    }

    pub(super) async fn settings(
        &self,
        scene: &Scene,
        row: &Row,
        checksum: bool,
        pending: &Pending,
    ) -> Result<Settings> {
        let rules = |side: Side| rules(scene.sides[side].capabilities());
        let selection = match self.options.mode {
            SyncMode::Selective => Some(selection::load(self).await?),
            SyncMode::Mirror | SyncMode::Bidirectional => None,
        };
        Ok(Settings {
            mode: self.options.mode,
            policy: self.options.policy(),
            name_clash: self.options.name_clash,
            exact: self.options.exact,
            checksum,
            rules: Sides::new(rules(Side::Left), rules(Side::Right)),
            scope: Arc::new(self.options.filters.compile(selection.as_ref())?),
            stamp: self.book.clock.now().format("%Y-%m-%d %H%M%S").to_string(),
            tolerance_ns: 2_000_000_000,
            unclean_stop: row.unclean,
            first_new_pair: row.next_pair,
            move_limit: MOVE_LIMIT,
            decisions: pending.decisions.clone(),
        })
    }
}

fn rules(c: &Capabilities) -> SideRules {
    SideRules {
        case_insensitive: c.case_insensitive,
        unicode_insensitive: c.unicode_insensitive,
        windows_names: c.windows_names,
        unicode_names: c.unicode_names,
        max_name_bytes: c.max_name_bytes,
        mode: c.mode,
        set_mtime: c.set_mtime,
        symlinks: c.symlinks,
        time_precision_ns: c.time_precision_ns,
    }
}

/// The locks on both roots: what is only read is shared, what is written is held alone.
pub(super) async fn lock(scene: &Scene, writes_source: bool) -> Result<[Option<RootLock>; 2]> {
    Ok([scene.sides.left.lock(writes_source).await?, scene.sides.right.lock(true).await?])
}
