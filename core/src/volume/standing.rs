//! What a volume, a user and an app may hold, hold, and are to get.

use super::Inner;
use super::open::inactive;
use crate::error::{Code, Error, Result};
use crate::model::{Row, Rows, UserId, Value};
use crate::store::Statement;

/// Whose room it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Volume,
    User(UserId),
    App(String),
}

impl Holder {
    /// Whoever a file counts against.
    pub(super) fn of(user: Option<UserId>, app: Option<&String>) -> Vec<Self> {
        let (user, app) = (user.map(Self::User), app.cloned().map(Self::App));
        [Some(Self::Volume), user, app].into_iter().flatten().collect()
    }

    fn words(&self) -> &'static str {
        match self {
            Self::Volume => "the volume",
            Self::User(_) => "the user",
            Self::App(_) => "the app",
        }
    }
}

/// How it stands with the room of one.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) holder: Holder,
    /// None: as much as there is.
    pub(super) limit: Option<i64>,
    pub(super) used: i64,
    /// To others, and not expired.
    pub(super) promised: i64,
}

impl Standing {
    /// The refusal of a file with so many bytes, if they are too many.
    pub(super) fn refusal(&self, bytes: i64, volume: &str) -> Option<Error> {
        let (used, promised) = (self.used, self.promised);
        let limit = self.limit.filter(|limit| limit.saturating_sub(bytes) < used.saturating_add(promised))?;
        // Whoever wants no more than there is may have it, also above a limit that was lowered.
        (bytes > 0).then(|| {
            Error::new(Code::Quota, "store the file on", volume.escape_debug()).because(format_args!(
                "it has {bytes} bytes, and {} may hold {limit}, holds {used} and is to get {promised} more",
                self.holder.words()
            ))
        })
    }
}

impl Inner {
    /// The question how it stands with each of these, the volume among them.
    pub(super) fn ask_standings(&self, holders: &[Holder], now: i64) -> Vec<Statement> {
        let promised =
            "CAST((SELECT coalesce(sum(r.bytes), 0) FROM quota_reservation r WHERE r.tenant_id = q.tenant_id AND";
        let of = |table: &str, key: &str| {
            format!(
                "SELECT q.quota_limit, q.quota_used, {promised} r.volume_id = q.volume_id AND r.{key} = q.{key} AND \
                 r.expires_at > ?3) AS bigint), TRUE FROM {table} q WHERE q.tenant_id = ?1 AND q.volume_id = ?2 AND q.{key} = ?4"
            )
        };
        let ask = |holder: &Holder| match holder {
            Holder::Volume => {
                let sql = format!(
                    "SELECT q.quota_limit, q.quota_used, {promised} r.volume_id = q.id AND r.expires_at > ?3) AS bigint), \
                     q.is_active FROM storage_volumes q WHERE q.tenant_id = ?1 AND q.id = ?2"
                );
                self.scoped(sql, vec![Value::Time(now)])
            }
            Holder::User(user) => {
                self.scoped(of("user_quotas", "user_id"), vec![Value::Time(now), Value::Uuid(user.0)])
            }
            Holder::App(app) => {
                self.scoped(of("app_quotas", "app_id"), vec![Value::Time(now), Value::Text(app.clone())])
            }
        };
        holders.iter().map(ask).collect()
    }

    /// The answers; a user or an app without a quota may hold as much as there is.
    ///
    /// # Errors
    /// `not_found` when the volume is gone, `invalid` when it is not active.
    pub(super) fn standings(&self, holders: &[Holder], answers: &[Rows]) -> Result<Vec<Standing>> {
        let mut standings = Vec::with_capacity(holders.len());
        for (holder, rows) in holders.iter().zip(answers) {
            let (holder, row) = (holder.clone(), rows.first());
            if holder == Holder::Volume && row.is_none() {
                let name = self.row.row.name.escape_debug();
                return Err(Error::new(Code::NotFound, "use the volume", name).because("it is gone"));
            }
            standings.push(match row {
                None => Standing { holder, limit: None, used: 0, promised: 0 },
                Some(row) if row.int(3)? == 0 => return Err(inactive(&self.row.row)),
                Some(row) => standing(holder, row)?,
            });
        }
        Ok(standings)
    }
}

fn standing(holder: Holder, row: Row<'_>) -> Result<Standing> {
    let limit = if row.is_null(0) { None } else { Some(row.int(0)?) };
    Ok(Standing { holder, limit, used: row.int(1)?, promised: row.int(2)? })
}
