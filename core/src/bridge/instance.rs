//! Which instance of a database serves a side of a definition.
//!
//! The best one that may be used now is asked first, by role and priority, and where it does not answer the next one is. A side that is
//! written has one instance alone, the best primary: two that were both written would never agree again.

use super::open::Opened;
use crate::error::{Code, Error};
use crate::model::{
    DatabaseInstance, Id, InstanceRole, Moment, RecordMode, Side, Stored, SyncDefinition, SyncSource, UseStatus,
};
use crate::table::{Filter, Tables};

/// What an instance has to be for.
pub(crate) struct Asked {
    pub(crate) side: Side,
    /// Rows are written there.
    pub(crate) is_written: bool,
    /// The instances that the definition is bound to, where it is bound to any.
    pub(crate) sources: Vec<SyncSource>,
}

impl Asked {
    /// What the instances of a side are to be for.
    pub(crate) async fn of(
        tables: &Tables,
        id: Id<SyncDefinition>,
        definition: &SyncDefinition,
        side: Side,
    ) -> crate::error::Result<Self> {
        let is_written = side == Side::Right || definition.sync_mode == RecordMode::TwoWay;
        let bound = Filter::all().equal("sync_def_id", &id);
        let sources = match side {
            Side::Left => tables.every::<SyncSource>(bound).await?.into_iter().map(|source| source.row).collect(),
            Side::Right => Vec::new(),
        };
        Ok(Self { side, is_written, sources })
    }

    /// Those of a database's instances that may be asked, the first to be asked first.
    pub(crate) fn choose(
        &self,
        mut instances: Vec<Stored<DatabaseInstance>>,
        now: Moment,
    ) -> Vec<Stored<DatabaseInstance>> {
        let bound = |instance: &Stored<DatabaseInstance>| {
            self.sources.iter().find(|source| source.database_instance_id == instance.id)
        };
        let is_secondary = |instance: &Stored<DatabaseInstance>| {
            instance.row.role == InstanceRole::Secondary
                || bound(instance).is_some_and(|source| source.role == InstanceRole::Secondary)
        };
        instances.retain(|instance| {
            let DatabaseInstance { status, valid_from, valid_to, .. } = &instance.row;
            *status == UseStatus::Active
                && valid_from.is_none_or(|from| from <= now)
                && valid_to.is_none_or(|to| now < to)
                && (self.sources.is_empty() || bound(instance).is_some_and(|source| source.is_enabled))
                && !(self.is_written && is_secondary(instance))
        });
        instances.sort_by_key(|instance| {
            let priority = bound(instance).map_or(0, |source| source.priority);
            (is_secondary(instance), priority, instance.row.priority, instance.id)
        });
        if self.is_written {
            instances.truncate(1);
        }
        instances
    }

    /// That none may be asked.
    pub(crate) fn none(&self, database: &str) -> Error {
        let why = match (self.is_written, self.sources.is_empty()) {
            (true, _) => "it is written, and has no primary instance that may be used now",
            (false, true) => "no instance of it may be used now",
            (false, false) => "no instance of it that the definition is bound to may be used now",
        };
        Error::new(Code::NotFound, "open the database", database)
            .because(why)
            .advise("add a row to database_instances or sync_sources, or bring an endpoint")
    }
}

/// Whether another instance may answer: this one is away, or is not what its row says. A password that is wrong is told, and
/// not tried elsewhere.
pub(crate) fn is_away(error: &Error) -> bool {
    error.is_retryable() || error.code() == Code::NotFound
}

/// An instance that did not answer.
#[derive(Clone, Debug)]
pub(crate) struct PassedOver {
    pub(crate) side: Side,
    pub(crate) label: String,
    pub(crate) error: Error,
}

/// Which instance serves the source, for the history of a run.
pub(crate) async fn served(opened: &Opened) -> crate::error::Result<Option<String>> {
    let Some(instance) = opened.instance else { return Ok(None) };
    Ok(Some(opened.book.tables(opened.tenant).read(instance).await?.row.instance_label))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::model::Json;

    fn instance(number: u128, role: InstanceRole, priority: i64) -> Stored<DatabaseInstance> {
        let row = DatabaseInstance {
            database_id: Id::new(Uuid::nil()),
            instance_label: format!("i{number}"),
            host: None,
            port: None,
            db_name: None,
            db_user: None,
            db_password: None,
            config: Json(json!({})),
            role,
            priority,
            status: UseStatus::Active,
            valid_from: None,
            valid_to: None,
            last_verified_at: None,
        };
        let at = Moment(0);
        let id = Id::new(Uuid::from_u128(number));
        Stored { id, index_id: None, created_at: at, updated_at: at, is_deleted: false, row }
    }

    fn source(number: u128, role: InstanceRole, priority: i64, is_enabled: bool) -> SyncSource {
        let database_instance_id = Id::new(Uuid::from_u128(number));
        SyncSource { sync_def_id: Id::new(Uuid::nil()), database_instance_id, role, priority, is_enabled }
    }

    fn asked(is_written: bool, sources: Vec<SyncSource>) -> Asked {
        Asked { side: Side::Left, is_written, sources }
    }

    fn chosen(asked: &Asked, instances: Vec<Stored<DatabaseInstance>>) -> Vec<String> {
        asked.choose(instances, Moment(100)).into_iter().map(|one| one.row.instance_label).collect()
    }

    use InstanceRole::{Primary, Secondary};

    #[test]
    fn the_best_is_asked_first_and_one_primary_is_written() {
        let all = || vec![instance(1, Secondary, 0), instance(2, Primary, 5), instance(3, Primary, 1)];
        let read = asked(false, Vec::new());
        let written = asked(true, Vec::new());
        assert_eq!(chosen(&read, all()), ["i3", "i2", "i1"]);
        assert_eq!(chosen(&written, all()), ["i3"]);
        assert_eq!(chosen(&written, vec![instance(1, Secondary, 0)]), [""; 0]);
    }

    #[test]
    fn what_is_disabled_or_out_of_its_time_is_not_asked() {
        let read = asked(false, Vec::new());
        let mut off = instance(1, Primary, 0);
        off.row.status = UseStatus::Disabled;
        let mut over = instance(2, Primary, 0);
        over.row.valid_to = Some(Moment(100));
        let mut to_come = instance(3, Primary, 0);
        to_come.row.valid_from = Some(Moment(101));
        let mut now = instance(4, Primary, 9);
        (now.row.valid_from, now.row.valid_to) = (Some(Moment(100)), Some(Moment(101)));
        assert_eq!(chosen(&read, vec![off, over, to_come, now]), ["i4"]);
    }

    #[test]
    fn a_definition_that_is_bound_goes_by_what_it_is_bound_to() {
        let all =
            || vec![instance(1, Primary, 0), instance(2, Primary, 1), instance(3, Primary, 2), instance(4, Primary, 3)];
        let sources = vec![
            source(1, Secondary, 0, true),
            source(2, Primary, 7, true),
            source(3, Primary, 3, true),
            source(4, Primary, 0, false),
        ];
        assert_eq!(chosen(&asked(false, sources.clone()), all()), ["i3", "i2", "i1"]);
        assert_eq!(chosen(&asked(true, sources), all()), ["i3"]);
    }
}
