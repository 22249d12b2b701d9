//! Room: promised before a byte moves, counted when a file is there, given back when it is gone.
//!
//! Every change of what a volume, its users and its apps hold, or are promised, begins by updating the row of the volume.
//! On PostgreSQL that row is thereby locked until the transaction ends, and each later statement of it sees whatever
//! another transaction did before it let go (READ COMMITTED takes a snapshot for each statement); on SQLite there is one
//! writer. So what is compared with a limit is all there is, and no two get the same room.

use std::time::Duration;

use super::path::Area;
use super::standing::Holder;
use super::{FileId, Inner, Usage};
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{UserId, Value};
use crate::store::{Statement, Write};
use crate::table::{Filter, Page};

/// How often a task asks for a path that another holds, and how long it waits between.
const ATTEMPTS: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

/// Digits of a path's digest in front of `owner`.
const KEY: usize = 64;

pub(super) const ANY_LOCK: &str = "UPDATE storage_volumes SET quota_used = quota_used WHERE tenant_id = ?1 AND id = ?2";

/// … of a volume that may be used.
const LOCK: &str =
    "UPDATE storage_volumes SET quota_used = quota_used WHERE tenant_id = ?1 AND id = ?2 AND is_active = TRUE";

/// Promises room, unless another task has the path.
const RESERVE: &str = "INSERT INTO quota_reservation \
     (id, tenant_id, volume_id, user_id, app_id, bytes, owner, expires_at, created_at, updated_at) \
     SELECT ?1, v.tenant_id, v.id, ?4, ?5, ?6, ?7, ?8, ?9, ?9 FROM storage_volumes v WHERE v.tenant_id = ?2 AND v.id = ?3 \
     AND NOT EXISTS (SELECT 1 FROM quota_reservation r WHERE r.tenant_id = v.tenant_id AND r.volume_id = v.id \
     AND r.owner >= ?10 AND r.owner < ?11)";

/// … and there is so much room: what is held and what is promised to others and has not expired leave it.
const WITHIN: &str = " AND (v.quota_limit IS NULL OR v.quota_limit - ?6 >= v.quota_used + (SELECT coalesce(sum(r.bytes), 0) \
     FROM quota_reservation r WHERE r.tenant_id = v.tenant_id AND r.volume_id = v.id AND r.expires_at > ?9)) \
     AND NOT EXISTS (SELECT 1 FROM user_quotas q WHERE q.tenant_id = v.tenant_id AND q.volume_id = v.id \
     AND q.user_id = ?4 AND q.quota_limit - ?6 < q.quota_used + (SELECT coalesce(sum(r.bytes), 0) FROM quota_reservation r \
     WHERE r.tenant_id = v.tenant_id AND r.volume_id = v.id AND r.user_id = q.user_id AND r.expires_at > ?9)) \
     AND NOT EXISTS (SELECT 1 FROM app_quotas q WHERE q.tenant_id = v.tenant_id AND q.volume_id = v.id \
     AND q.app_id = ?5 AND q.quota_limit - ?6 < q.quota_used + (SELECT coalesce(sum(r.bytes), 0) FROM quota_reservation r \
     WHERE r.tenant_id = v.tenant_id AND r.volume_id = v.id AND r.app_id = q.app_id AND r.expires_at > ?9))";

/// Rows that stand for files which are only meant: of the puts under way.
const MEANT: &str = "f.id IN (SELECT r.id FROM quota_reservation r WHERE r.tenant_id = ?1 AND r.volume_id = ?2 \
     AND substr(r.owner, 66, 4) = 'put ')";

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    Put,
    Delete,
    Restore,
    Purge,
    /// A batch of files that a conduit carries there: room alone, about no row.
    Carry,
}

impl Task {
    const ALL: [Self; 5] = [Self::Put, Self::Delete, Self::Restore, Self::Purge, Self::Carry];

    fn word(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Delete => "delete",
            Self::Restore => "restore",
            Self::Purge => "purge",
            Self::Carry => "carry",
        }
    }
}

/// A reservation that is wanted.
pub(super) struct Wanted<'a> {
    /// Of the row that the task is about, and of the reservation.
    pub(super) id: FileId,
    pub(super) task: Task,
    /// Where the content is, or will be.
    pub(super) address: &'a str,
    pub(super) bytes: i64,
    pub(super) user: Option<UserId>,
    pub(super) app: Option<String>,
    /// What is written with it.
    pub(super) with: Vec<Write>,
}

/// Room that is promised, and a path that nobody else works on.
#[derive(Debug)]
pub(super) struct Promised {
    pub(super) id: FileId,
    owner: String,
}

/// More or fewer bytes that somebody holds.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    pub(super) user: Option<UserId>,
    pub(super) app: Option<String>,
    pub(super) bytes: i64,
}

/// What stands in the way of a task.
enum Obstacle {
    /// It will not go away by itself.
    Refusal(Error),
    /// Another task, and its owner where that is dead.
    Task(Option<(FileId, String)>),
}

/// What an `owner` says: the path's digest, the task, and whose it is.
pub(super) fn task_of(owner: &str) -> Option<(&str, Task)> {
    let mut words = owner.splitn(3, ' ');
    let (key, task) = (words.next()?, words.next()?);
    let task = Task::ALL.into_iter().find(|t| t.word() == task)?;
    words.next().filter(|_| key.len() == KEY).map(|_| (key, task))
}

impl Inner {
    pub(super) fn scoped(&self, sql: impl Into<std::borrow::Cow<'static, str>>, more: Vec<Value>) -> Statement {
        let scope = [Value::Uuid(self.tenant.0), Value::Uuid(self.row.id.0)];
        Statement::new(sql, scope.into_iter().chain(more).collect())
    }

    fn expiry(&self, now: i64) -> i64 {
        now.saturating_add(i64::try_from(self.promise.as_micros()).unwrap_or(i64::MAX / 2))
    }

    /// Has the room promised and the path to itself.
    pub(super) async fn reserve(&self, wanted: &Wanted<'_>) -> Result<Promised> {
        for _ in 0..ATTEMPTS {
            match self.try_reserve(wanted).await {
                Err(e) if e.code() == Code::Conflict => {}
                other => return other,
            }
            match self.obstacle(wanted).await? {
                Obstacle::Refusal(error) => return Err(error),
                Obstacle::Task(Some((id, owner))) => self.recover(id, &owner).await?,
                Obstacle::Task(None) => tokio::time::sleep(PAUSE).await,
            }
        }
        Err(Error::new(Code::Busy, "use the path on", self.row.row.name.escape_debug())
            .because("another task is under way there"))
    }

    /// Whether there is room now; nothing is promised.
    pub(super) async fn check_room(&self, bytes: i64, user: Option<UserId>, app: Option<String>) -> Result<()> {
        let (id, task, address) = (super::new_id(), Task::Put, "");
        match self.obstacle(&Wanted { id, task, address, bytes, user, app, with: Vec::new() }).await? {
            Obstacle::Refusal(error) => Err(error),
            Obstacle::Task(_) => Ok(()),
        }
    }

    async fn try_reserve(&self, wanted: &Wanted<'_>) -> Result<Promised> {
        let (reserve, held) = self.reserving(wanted);
        let lock = Write::Expect(self.scoped(LOCK, Vec::new()), 1);
        let mut batch = vec![lock, reserve];
        batch.extend(wanted.with.iter().cloned());
        self.book.store.write(self.tenant, batch).await?;
        Ok(held)
    }

    /// Several promises, or none of them: `conflict` when there is not room for all. Nobody else has these paths.
    pub(super) async fn reserve_all(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Promised>> {
        let (reserve, held): (Vec<_>, Vec<_>) = wanted.iter().map(|wanted| self.reserving(wanted)).unzip();
        let lock = Write::Expect(self.scoped(LOCK, Vec::new()), 1);
        self.book.store.write(self.tenant, [lock].into_iter().chain(reserve).collect()).await?;
        Ok(held)
    }

    fn reserving(&self, wanted: &Wanted<'_>) -> (Write, Promised) {
        let key = key_of(wanted.address);
        let owner = format!("{key} {} {}", wanted.task.word(), self.process);
        let now = self.now();
        // Whoever wants no more than there is may have it, also above a limit that was lowered.
        let sql = if wanted.bytes > 0 { format!("{RESERVE}{WITHIN}") } else { RESERVE.to_owned() };
        let params = vec![
            Value::Uuid(wanted.id.0),
            Value::Uuid(self.tenant.0),
            Value::Uuid(self.row.id.0),
            wanted.user.map_or(Value::Null, |user| Value::Uuid(user.0)),
            wanted.app.clone().map_or(Value::Null, Value::Text),
            Value::Int(wanted.bytes),
            Value::Text(owner.clone()),
            Value::Time(self.expiry(now)),
            Value::Time(now),
            Value::Text(format!("{key} ")),
            Value::Text(format!("{key}!")),
        ];
        (Write::Expect(Statement::new(sql, params), 1), Promised { id: wanted.id, owner })
    }

    /// Renews a promise, unless it has expired: then the room may be another's.
    pub(super) async fn renew(&self, held: &Promised, with: Vec<Write>) -> Result<()> {
        let now = self.now();
        let renew = "UPDATE quota_reservation SET expires_at = ?5, updated_at = ?6 WHERE tenant_id = ?1 AND volume_id = ?2 \
             AND id = ?3 AND owner = ?4 AND expires_at > ?6";
        let params = vec![
            Value::Uuid(held.id.0),
            Value::Text(held.owner.clone()),
            Value::Time(self.expiry(now)),
            Value::Time(now),
        ];
        // Also of a volume that was closed meanwhile: what is under way may end.
        let lock = Write::Execute(self.scoped(ANY_LOCK, Vec::new()));
        let mut batch = vec![lock, Write::Expect(self.scoped(renew, params), 1)];
        batch.extend(with);
        self.book.store.write(self.tenant, batch).await.map(drop)
    }

    /// The end of a task: its reservation goes, while it still counts, in one transaction with what it did.
    pub(super) async fn settle(&self, held: &Promised, counted: &[Counted], with: Vec<Write>) -> Result<()> {
        let now = self.now();
        let gone = "DELETE FROM quota_reservation WHERE tenant_id = ?1 AND volume_id = ?2 AND id = ?3 AND owner = ?4 \
             AND expires_at > ?5";
        let params = vec![Value::Uuid(held.id.0), Value::Text(held.owner.clone()), Value::Time(now)];
        let mut batch = self.count(counted, now);
        batch.push(Write::Expect(self.scoped(gone, params), 1));
        batch.extend(with);
        self.book.store.write(self.tenant, batch).await.map(drop)
    }

    /// A part of a task's end: its reservation stays.
    pub(super) async fn count_off(&self, held: &Promised, counted: &[Counted], with: Vec<Write>) -> Result<()> {
        let mut batch = self.count(counted, self.now());
        batch.extend(with);
        self.renew(held, batch).await
    }

    /// The end of a promise, also of one that has expired.
    pub(super) fn ending(&self, held: &Promised) -> Statement {
        let gone = "DELETE FROM quota_reservation WHERE tenant_id = ?1 AND volume_id = ?2 AND id = ?3 AND owner = ?4";
        self.scoped(gone, vec![Value::Uuid(held.id.0), Value::Text(held.owner.clone())])
    }

    /// Gives a promise back, whatever became of the task, with what else is to be forgotten.
    pub(super) async fn release(&self, held: &Promised, with: Vec<Write>) -> Result<()> {
        let mut batch = vec![Write::Expect(self.ending(held), 1)];
        batch.extend(with);
        self.book.store.write(self.tenant, batch).await.map(drop)
    }

    /// Counts bytes, beginning with the row of the volume, which also locks it. That row moves on, so that a host which
    /// read it before does not write an old count back.
    pub(super) fn count(&self, counted: &[Counted], now: i64) -> Vec<Write> {
        let moved_on = "updated_at = CASE WHEN updated_at < ?4 THEN ?4 ELSE updated_at END";
        // Never below nothing, also where a host has set the count to less than there is.
        let used = "quota_used = CASE WHEN quota_used + ?3 < 0 THEN 0 ELSE quota_used + ?3 END";
        let add = |table: &str, key: &str, bytes: i64, more: Vec<Value>| {
            let sql = format!("UPDATE {table} SET {used}, {moved_on} WHERE tenant_id = ?1 AND {key}");
            let params = [Value::Int(bytes), Value::Time(now)].into_iter().chain(more).collect();
            self.scoped(sql, params)
        };
        let sum = counted.iter().map(|c| c.bytes).sum();
        let mut batch = vec![Write::Expect(add("storage_volumes", "id = ?2", sum, Vec::new()), 1)];
        for Counted { user, app, bytes } in counted.iter().filter(|c| c.bytes != 0) {
            if let Some(user) = user {
                let who = vec![Value::Uuid(user.0)];
                batch.push(Write::Execute(add("user_quotas", "volume_id = ?2 AND user_id = ?5", *bytes, who)));
            }
            if let Some(app) = app {
                let who = vec![Value::Text(app.clone())];
                batch.push(Write::Execute(add("app_quotas", "volume_id = ?2 AND app_id = ?5", *bytes, who)));
            }
        }
        batch
    }

    /// Takes over what a process that died was about. Others who try at the same time find nothing.
    pub(super) async fn take_over(&self, id: FileId, owner: &str) -> Result<Option<Promised>> {
        let Some((key, task)) = task_of(owner) else { return Ok(None) };
        let now = self.now();
        let new = format!("{key} {} {}", task.word(), self.process);
        let take = "UPDATE quota_reservation SET owner = ?5, bytes = 0, expires_at = ?6, updated_at = ?7 \
             WHERE tenant_id = ?1 AND volume_id = ?2 AND id = ?3 AND owner = ?4 AND expires_at <= ?7";
        let params = vec![
            Value::Uuid(id.0),
            Value::Text(owner.to_owned()),
            Value::Text(new.clone()),
            Value::Time(self.expiry(now)),
            Value::Time(now),
        ];
        match self.book.store.write(self.tenant, vec![Write::Expect(self.scoped(take, params), 1)]).await {
            Ok(_) => Ok(Some(Promised { id, owner: new })),
            Err(e) if e.code() == Code::Conflict => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Reservations of this volume that have expired.
    pub(super) async fn expired(&self) -> Result<Vec<(FileId, String)>> {
        let ask = "SELECT id, owner FROM quota_reservation WHERE tenant_id = ?1 AND volume_id = ?2 AND expires_at <= ?3 ORDER BY id";
        let ask = self.scoped(ask, vec![Value::Time(self.now())]);
        let rows = self.book.store.query(self.tenant, ask).await?;
        rows.iter().map(|row| Ok((FileId::new(row.uuid(0)?), row.text(1)?.to_owned()))).collect()
    }

    async fn obstacle(&self, wanted: &Wanted<'_>) -> Result<Obstacle> {
        let (key, now) = (key_of(wanted.address), self.now());
        let ends = [Value::Text(format!("{key} ")), Value::Text(format!("{key}!"))];
        let others = [Value::Time(now)].into_iter().chain(ends).chain([Value::Uuid(wanted.id.0)]).collect();
        let others = self.scoped(
            "SELECT id, owner, expires_at <= ?3 FROM quota_reservation WHERE tenant_id = ?1 AND volume_id = ?2 \
             AND ((owner >= ?4 AND owner < ?5) OR id = ?6)",
            others,
        );
        let holders = Holder::of(wanted.user, wanted.app.as_ref());
        let mut asked = vec![others];
        asked.extend(self.ask_standings(&holders, now));
        let answers = self.book.store.query_many(self.tenant, asked).await?;
        let (others, answers) =
            answers.split_first().ok_or_else(|| Error::new(Code::Internal, "read the quotas", ""))?;
        let standings = self.standings(&holders, answers)?;
        if let Some(other) = others.first() {
            let dead = other.int(2)? != 0;
            return Ok(Obstacle::Task(if dead {
                Some((FileId::new(other.uuid(0)?), other.text(1)?.to_owned()))
            } else {
                None
            }));
        }
        let refusal = standings.iter().find_map(|standing| standing.refusal(wanted.bytes, &self.row.row.name));
        // Without one, what stood in the way is gone by now.
        Ok(refusal.map_or(Obstacle::Task(None), Obstacle::Refusal))
    }

    pub(super) async fn recompute_quotas(&self) -> Result<Usage> {
        let moved_on = "updated_at = CASE WHEN updated_at < ?3 THEN ?3 ELSE updated_at END";
        let sum = |of: &str| {
            format!(
                "(SELECT coalesce(sum(f.size), 0) FROM files f WHERE f.tenant_id = ?1 AND f.volume_id = ?2 {of} AND NOT ({MEANT}))"
            )
        };
        let now = || vec![Value::Time(self.now())];
        let volume =
            format!("UPDATE storage_volumes SET quota_used = {}, {moved_on} WHERE tenant_id = ?1 AND id = ?2", sum(""));
        let each = |table: &str, key: &str| {
            let sum = sum(&format!("AND f.{key} = {table}.{key}"));
            let sql =
                format!("UPDATE {table} SET quota_used = {sum}, {moved_on} WHERE tenant_id = ?1 AND volume_id = ?2");
            Write::Execute(self.scoped(sql, now()))
        };
        // Locked first, so that what the sums see is what everyone who changed it has committed.
        let batch = vec![
            Write::Execute(self.scoped(ANY_LOCK, Vec::new())),
            Write::Expect(self.scoped(volume, now()), 1),
            each("user_quotas", "user_id"),
            each("app_quotas", "app_id"),
        ];
        self.book.store.write(self.tenant, batch).await.map_err(|e| match e.code() {
            Code::Conflict => {
                Error::new(Code::NotFound, "use the volume", self.row.row.name.escape_debug()).because("it is gone")
            }
            _ => e,
        })?;
        let session = crate::session::Session::new(self.book.clone(), self.tenant, self.user);
        let volume = session.rows::<crate::model::StorageVolume>().get(self.row.id).await?.row.quota_used;
        Ok(Usage { volume, users: all(&session, self).await?, apps: all(&session, self).await? })
    }
}

/// Every row of a table of quotas that is of the volume.
async fn all<T: crate::model::Table>(
    session: &crate::session::Session,
    of: &Inner,
) -> Result<Vec<crate::model::Stored<T>>> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let filter = Filter::all().equal("volume_id", &of.row.id);
        let Page { rows, next } = session.rows::<T>().list(filter, after, super::rows::PAGE).await?;
        found.extend(rows);
        after = next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

/// A path's digest: `owner` is too short for a path.
fn key_of(address: &str) -> String {
    ContentHash::of(address.as_bytes()).to_string()
}

/// Whose quotas a file of an area counts against.
pub(super) fn holders(area: &Area, app: Option<&String>) -> (Option<UserId>, Option<String>) {
    (area.user(), app.cloned())
}
