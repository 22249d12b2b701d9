//! Opening a book and keeping it in order, as the core has it.

use std::fmt;

use portbook::conduit::Upkeep as CoreUpkeep;
use portbook::model::{self, SecretBytes};
use portbook::store::{self, ActivityRetention};
use portbook::upkeep;
use portbook::vault::{self, KeySource};

use super::book::{
    Argon2Cost, BookOptions, CopyProgress, CopyReport, ExpiredActivity, Finding, KeyOptions, NewUser, PostgresOptions,
    Tenant, TlsMode, Trouble, Upkeep, User,
};
use super::{bytes_of, count, invalid, is, milliseconds, read, same_words, size, small, time};
use crate::error::Result;

same_words!(TlsMode = store::TlsMode { Disable, Prefer, Require, VerifyCa, VerifyFull });
same_words!(Trouble = upkeep::Trouble { Damage, LostDirectory, OpenIntent, OpenRun });
same_words!(ExpiredActivity = store::Expired { Deleted, Detached });

impl BookOptions {
    /// What the core is asked. `host` is the key that the host keeps elsewhere.
    pub(crate) fn read(self, host: Option<KeySource>) -> Result<portbook::BookOptions> {
        let Self { path, url, postgres, key, machine, bandwidth, memory_bytes, activity_days, activity_expired } = self;
        let mut options = match (path, url) {
            (Some(path), None) if postgres.is_none() => portbook::BookOptions::sqlite(path),
            (None, Some(url)) => portbook::BookOptions::postgres_with(url, postgres.unwrap_or_default().read()?),
            (Some(_), None) => return Err(invalid("open the book", "", "a file takes no options of a server").into()),
            _ => return Err(invalid("open the book", "", "either path or url is needed").into()),
        };
        options = match (key, host) {
            (Some(key), None) => options.key(key.read()?),
            (None, Some(host)) => options.key(host),
            (None, None) => options,
            (Some(_), Some(_)) => return Err(invalid("open the book", "", "a book has one key").into()),
        };
        if let Some(machine) = machine {
            options = options.machine(machine);
        }
        if let Some(bandwidth) = read(bandwidth)? {
            options = options.bandwidth(bandwidth);
        }
        if let Some(bytes) = memory_bytes {
            options = options.memory_bytes(size("memory_bytes", bytes)?);
        }
        let mut activity = ActivityRetention::default();
        if let Some(days) = activity_days {
            activity.days = small("activity_days", days)?;
        }
        if let Some(expired) = activity_expired {
            activity.expired = expired.into();
        }
        Ok(options.activity(activity))
    }
}

/// A URL may hold a password.
impl fmt::Debug for BookOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BookOptions").field("path", &self.path).finish_non_exhaustive()
    }
}

impl PostgresOptions {
    fn read(self) -> Result<store::PostgresOptions> {
        let mut options = store::PostgresOptions::default();
        if let Some(schema) = self.schema {
            options.schema = schema;
        }
        if let Some(connections) = self.connections {
            options.connections = small("connections", connections)?.max(1) as usize;
        }
        options.tls = self.tls.map(Into::into);
        options.ca_file = self.ca_file.map(Into::into);
        options.application_role = self.application_role;
        options.allow_bypass = is(self.allow_bypass);
        for (field, given, into) in [
            ("acquire_timeout_ms", self.acquire_timeout_ms, &mut options.acquire_timeout),
            ("connect_timeout_ms", self.connect_timeout_ms, &mut options.connect_timeout),
            ("statement_timeout_ms", self.statement_timeout_ms, &mut options.statement_timeout),
            ("retry_for_ms", self.retry_for_ms, &mut options.retry_for),
        ] {
            if let Some(given) = given {
                *into = milliseconds(field, given)?;
            }
        }
        Ok(options)
    }
}

impl KeyOptions {
    /// The key that the core is given.
    pub(crate) fn read(self) -> Result<KeySource> {
        match (self.raw_hex, self.passphrase) {
            (Some(digits), None) => {
                let digits = SecretBytes::from(digits);
                Ok(KeySource::raw(bytes_of("raw_hex", digits.expose_text()?)?.into())?)
            }
            (None, Some(text)) => match self.cost {
                None => Ok(KeySource::passphrase(text.into())?),
                Some(cost) => Ok(KeySource::costly_passphrase(text.into(), cost.read()?)?),
            },
            _ => Err(invalid("use the key of the book's secrets", "", "either raw_hex or passphrase is needed").into()),
        }
    }
}

impl fmt::Debug for KeyOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyOptions").finish_non_exhaustive()
    }
}

impl Argon2Cost {
    fn read(self) -> Result<vault::Argon2Cost> {
        let mut cost = vault::Argon2Cost::default();
        for (field, given, into) in [
            ("memory_kib", self.memory_kib, &mut cost.memory_kib),
            ("passes", self.passes, &mut cost.passes),
            ("lanes", self.lanes, &mut cost.lanes),
        ] {
            if let Some(given) = given {
                *into = small(field, given)?;
            }
        }
        Ok(cost)
    }
}

impl From<model::Tenant> for Tenant {
    fn from(tenant: model::Tenant) -> Self {
        let model::Tenant { id, name, created_at, updated_at } = tenant;
        Self { id: id.to_string(), name, created_at: time(created_at), updated_at: time(updated_at) }
    }
}

impl From<NewUser> for model::User {
    fn from(user: NewUser) -> Self {
        Self { email: user.email, display_name: user.display_name.unwrap_or_default() }
    }
}

impl From<model::Stored<model::User>> for User {
    fn from(user: model::Stored<model::User>) -> Self {
        let model::User { email, display_name } = user.row;
        let (created_at, updated_at) = (time(user.created_at), time(user.updated_at));
        Self { id: user.id.to_string(), email, display_name, created_at, updated_at }
    }
}

impl From<CoreUpkeep> for Upkeep {
    fn from(upkeep: CoreUpkeep) -> Self {
        let CoreUpkeep { previews, trashed, activity, transfers, reservations } = upkeep;
        Self {
            previews: count(previews),
            trashed: count(trashed),
            activity: count(activity),
            transfers: count(transfers),
            reservations: count(reservations),
        }
    }
}

impl From<upkeep::Finding> for Finding {
    fn from(finding: upkeep::Finding) -> Self {
        let upkeep::Finding { trouble, tenant, words } = finding;
        Self { trouble: trouble.into(), tenant: tenant.map(|id| id.to_string()), words }
    }
}

impl From<upkeep::CopyProgress> for CopyProgress {
    fn from(progress: upkeep::CopyProgress) -> Self {
        Self { total: count(progress.total), done: count(progress.done) }
    }
}

impl From<upkeep::CopyReport> for CopyReport {
    fn from(report: upkeep::CopyReport) -> Self {
        Self { tenants: count(report.tenants), tables: count(report.tables), rows: count(report.rows) }
    }
}
