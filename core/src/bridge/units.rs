//! Resource units that processes share through the book.
//!
//! A process takes units ahead of use, some at a time: what it takes is a row of `unit_grant` before the first request is sent, and
//! counts for everybody until a minute after it may have been spent. So a process that dies has spent what it held, and no
//! minute has more than the budget. What was taken and not spent within half a second is given back with the next grant, or runs out with
//! the minute. Clocks of machines that share a book are taken to be right to half a second; one that is ahead holds units for
//! as much longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::book::BookInner;
use crate::endpoint::Allowance;
use crate::endpoint::sharepoint::window::{Now, Spent, WINDOW};
use crate::endpoint::sharepoint::{UnitAccount, UnitBudget, UnitShare};
use crate::error::{Code, Error, Result};
use crate::model::TenantId;
use crate::store::{Rows, Statement, Value, Write};

/// For how long a process may spend what it took. With the time that requests take to overtake each other it is less than
/// what [`WINDOW`] is longer than a minute.
const KEPT: Duration = Duration::from_millis(500);

/// What part of a minute's units is taken at once where less is needed.
const PART: u64 = 50;

/// The longest that is waited without looking again: somebody may have changed the budget.
const LOOK_AGAIN: Duration = Duration::from_secs(61);

/// The share of an application's units that this process has by the book.
pub(crate) struct BookShare {
    book: Arc<BookInner>,
    tenant: TenantId,
    account: UnitAccount,
    /// Whoever waits is in front of those who come later.
    turn: tokio::sync::Mutex<Held>,
    /// What the book had left when it was last looked at: when the service says so much or more, nobody else spends.
    left: AtomicU64,
}

/// What was taken and not spent.
#[derive(Default)]
struct Held {
    grant: Uuid,
    units: u64,
    counts_until: Duration,
    /// When it may no longer be spent.
    lapses: Duration,
}

/// A budget as the book has it.
struct State {
    id: Uuid,
    version: i64,
    budget: UnitBudget,
    spent: Spent,
}

/// The share of an application's units, by which all processes that use the book keep to one budget.
pub(crate) fn book_backed_share(book: &Arc<BookInner>, tenant: TenantId, account: UnitAccount) -> Arc<dyn UnitShare> {
    let (turn, left) = (tokio::sync::Mutex::default(), AtomicU64::new(u64::MAX));
    Arc::new(BookShare { book: book.clone(), tenant, account, turn, left })
}

/// What an application may spend, as the book has it.
pub(crate) async fn budget(book: &Arc<BookInner>, tenant: TenantId, account: &UnitAccount) -> Result<UnitBudget> {
    Ok(state(book, tenant, account).await?.budget)
}

/// Sets what an application may spend.
pub(crate) async fn set_budget(
    book: &Arc<BookInner>,
    tenant: TenantId,
    account: &UnitAccount,
    budget: UnitBudget,
) -> Result<()> {
    if budget.per_minute == 0 || budget.per_day == 0 {
        return Err(Error::new(Code::Invalid, "set the units of", account.parts()[2].escape_debug())
            .because("nothing could ever be sent"));
    }
    let state = state(book, tenant, account).await?;
    let set = Statement::new(
        "UPDATE unit_budget SET units_per_minute = ?3, units_per_day = ?4, version = version + 1 \
         WHERE tenant_id = ?1 AND id = ?2",
        vec![Value::Uuid(tenant.0), Value::Uuid(state.id), int(budget.per_minute), int(budget.per_day)],
    );
    book.store.write(tenant, vec![Write::Expect(set, 1)]).await.map(|_| ())
}

/// The budget of an application with all that counts of it; its row is made when it is absent.
async fn state(book: &Arc<BookInner>, tenant: TenantId, account: &UnitAccount) -> Result<State> {
    let [authority, entra, client] = account.parts();
    let of = || vec![Value::Uuid(tenant.0), text(authority), text(entra), text(client)];
    let ask = || {
        let is_it = "tenant_id = ?1 AND authority = ?2 AND entra_tenant = ?3 AND client_id = ?4";
        let row = Statement::new(
            format!(
                "SELECT id, version, units_per_minute, units_per_day, day, day_units, paused_until FROM unit_budget WHERE {is_it}"
            ),
            of(),
        );
        let grants = Statement::new(
            format!(
                "SELECT units, counts_until FROM unit_grant WHERE budget_id = (SELECT id FROM unit_budget WHERE {is_it})"
            ),
            of(),
        );
        vec![row, grants]
    };
    let latest = at(book) + WINDOW;
    if let Some(state) = read(&book.store.query_many(tenant, ask()).await?, latest)? {
        return Ok(state);
    }
    let usual = UnitBudget::default();
    let mut values = vec![Value::Uuid(Uuid::now_v7())];
    values.extend(of());
    values.extend([int(usual.per_minute), int(usual.per_day)]);
    let make = Statement::new(
        "INSERT INTO unit_budget (id, tenant_id, authority, entra_tenant, client_id, units_per_minute, units_per_day) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (tenant_id, authority, entra_tenant, client_id) DO NOTHING",
        values,
    );
    book.store.write(tenant, vec![Write::Execute(make)]).await?;
    read(&book.store.query_many(tenant, ask()).await?, latest)?.ok_or_else(|| {
        Error::new(Code::Internal, "count the units of", client.escape_debug()).because("their row cannot be made")
    })
}

/// Reads a budget and its grants. None counts longer than one that is taken now: whose clock is ahead is no matter.
fn read(answers: &[Rows], latest: Duration) -> Result<Option<State>> {
    let [rows, grants] = answers else { return Ok(None) };
    let Some(row) = rows.first() else { return Ok(None) };
    let mut spent = Spent::default();
    (spent.day, spent.day_units) = (nat(row.int(4)?), nat(row.int(5)?));
    if !row.is_null(6) {
        spent.paused_until = time(row.int(6)?);
    }
    for grant in grants.iter() {
        spent.add(nat(grant.int(0)?), time(grant.int(1)?).min(latest));
    }
    let budget = UnitBudget { per_minute: nat(row.int(2)?), per_day: nat(row.int(3)?) };
    Ok(Some(State { id: row.uuid(0)?, version: row.int(1)?, budget, spent }))
}

impl BookShare {
    fn now(&self) -> Now {
        Now { at: at(&self.book), day: self.book.clock.now() }
    }

    /// The budget as it is now, on the book's own threads: whoever asks may be on others.
    async fn state(&self) -> Result<State> {
        let (book, tenant, account) = (self.book.clone(), self.tenant, self.account.clone());
        self.book.run(async move { state(&book, tenant, &account).await }).await
    }

    /// Writes these if nobody has changed the budget since it was read; says whether.
    async fn change(&self, state: &State, mut writes: Vec<Write>) -> Result<bool> {
        let next = Statement::new(
            "UPDATE unit_budget SET version = version + 1, day = ?4, day_units = ?5 \
             WHERE tenant_id = ?1 AND id = ?2 AND version = ?3",
            vec![
                Value::Uuid(self.tenant.0),
                Value::Uuid(state.id),
                Value::Int(state.version),
                int(state.spent.day),
                int(state.spent.day_units),
            ],
        );
        writes.insert(0, Write::Expect(next, 1));
        let (store, tenant) = (self.book.store.clone(), self.tenant);
        match self.book.run(async move { store.write(tenant, writes).await }).await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Code::Conflict => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes a grant of at least so many units, or says how long to wait.
    async fn grant(&self, units: u64, held: &mut Held) -> Result<std::result::Result<(), Duration>> {
        loop {
            let mut state = self.state().await?;
            let now = self.now();
            let mut writes = give_back(&mut state, held);
            let taken = state.spent.take(units, part(state.budget), state.budget, now);
            let grant = Uuid::now_v7();
            if let Ok(taken) = taken {
                writes.push(Write::Execute(Statement::new(
                    "DELETE FROM unit_grant WHERE budget_id = ?1 AND counts_until <= ?2",
                    vec![Value::Uuid(state.id), stamp(now.at)],
                )));
                writes.push(insert(&state, grant, taken, now.at + WINDOW));
            }
            // Nothing was taken and nothing is to be given back.
            if !writes.is_empty() && !self.change(&state, writes).await? {
                continue;
            }
            self.left.store(state.spent.left(state.budget), Ordering::Relaxed);
            *held = Held::default();
            return Ok(taken.map(|units| {
                let lapses = self.book.clock.elapsed() + KEPT;
                *held = Held { grant, units, counts_until: now.at + WINDOW, lapses };
            }));
        }
    }

    async fn heed(&self, remaining: u64, reset: Duration) -> Result<()> {
        loop {
            let mut state = self.state().await?;
            let now = self.now();
            let others = state.spent.told(remaining, reset, state.budget, now);
            self.left.store(state.spent.left(state.budget), Ordering::Relaxed);
            let Some((units, end)) = others else { return Ok(()) };
            let insert = insert(&state, Uuid::now_v7(), units, end);
            if self.change(&state, vec![insert]).await? {
                return Ok(());
            }
        }
    }
}

/// What is taken at once where less is needed: little of the minute, and hardly any of the day.
fn part(budget: UnitBudget) -> u64 {
    (budget.per_minute / PART).min(budget.per_day / 1_000)
}

/// What is held and was not spent is the budget's again.
fn give_back(state: &mut State, held: &Held) -> Vec<Write> {
    if held.units == 0 {
        return Vec::new();
    }
    state.spent.give_back(held.units, held.counts_until);
    vec![Write::Execute(Statement::new(
        "UPDATE unit_grant SET units = units - ?3 WHERE budget_id = ?1 AND id = ?2",
        vec![Value::Uuid(state.id), Value::Uuid(held.grant), int(held.units)],
    ))]
}

fn insert(state: &State, grant: Uuid, units: u64, until: Duration) -> Write {
    Write::Execute(Statement::new(
        "INSERT INTO unit_grant (budget_id, id, units, counts_until) VALUES (?1, ?2, ?3, ?4)",
        vec![Value::Uuid(state.id), Value::Uuid(grant), int(units), stamp(until)],
    ))
}

#[async_trait]
impl UnitShare for BookShare {
    async fn take(&self, units: u32) -> Result<()> {
        let units = u64::from(units);
        let mut held = self.turn.lock().await;
        while held.units < units || self.book.clock.elapsed() >= held.lapses {
            if let Err(wait) = self.grant(units, &mut held).await? {
                self.book.clock.sleep(wait.min(LOOK_AGAIN)).await;
            }
        }
        held.units -= units;
        Ok(())
    }

    async fn pause(&self, wait: Duration) {
        let until = stamp(at(&self.book) + wait);
        let (book, tenant, account) = (self.book.clone(), self.tenant, self.account.clone());
        let pause = async move {
            let id = state(&book, tenant, &account).await?.id;
            let set = Statement::new(
                "UPDATE unit_budget SET paused_until = ?3, version = version + 1 \
                 WHERE tenant_id = ?1 AND id = ?2 AND (paused_until IS NULL OR paused_until < ?3)",
                vec![Value::Uuid(tenant.0), Value::Uuid(id), until],
            );
            book.store.write(tenant, vec![Write::Execute(set)]).await
        };
        // Who cannot be told is told by the service.
        let _ = self.book.run(pause).await;
    }

    async fn told(&self, remaining: u64, reset: Duration) {
        if remaining < self.left.load(Ordering::Relaxed) {
            // What is not written down now is told again with the next answer.
            let _ = self.heed(remaining, reset).await;
        }
    }

    async fn allowance(&self) -> Option<Allowance> {
        let mut state = self.state().await.ok()?;
        Some(state.spent.allowance(state.budget, self.now()))
    }
}

/// The time of day, as units age by it: all processes have it.
fn at(book: &BookInner) -> Duration {
    Duration::from_micros(nat(crate::operation::clock::micros(book.clock.now())))
}

fn time(micros: i64) -> Duration {
    Duration::from_micros(nat(micros))
}

fn stamp(at: Duration) -> Value {
    Value::Time(i64::try_from(at.as_micros()).unwrap_or(i64::MAX))
}

fn nat(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn int(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}
