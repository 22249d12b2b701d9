//! One connection: its prepared statements, its knowledge of column types, and batches in transactions.
//!
//! Every write leaves a mark in its own transaction: this connection's name and the number of the write. Whether a
//! write that was lost while it was being committed came through is then a question with an answer. Transaction ids
//! (`pg_xact_status`) cannot give it: after a crash the server may hand out again an id that it had not made durable.

use std::borrow::Cow;
use std::collections::HashMap;

use futures_util::future::join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::join;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, SimpleQueryMessage};
use uuid::Uuid;

use super::failure::{error_of, is_lost, is_taken};
use super::options::{Address, PostgresOptions};
use super::statements::Statements;
use super::value::{ColumnOf, push_row};
use crate::error::{Code, Error, Result};
use crate::model::TenantId;
use crate::store::sqlite::{on_conflict, unexpected};
use crate::store::{Insert, OnConflict, Rows, Statement, Value, Write, Written};

/// Statements sent ahead of their answers.
const PIPELINE: usize = 30;
/// Rows of one bulk insert.
const ROWS: usize = 4096;
/// An insert of so many rows is tried as one of new rows first.
const BULK: usize = 1000;

/// Advisory lock under which transactions that lost a race are repeated, one at a time.
const LOSERS: i64 = 0x5042_6f6c;

/// The setting under which upkeep sees the list of tenants, and nothing else.
const EVERY_TENANT: &str = "*";

/// What may be asked twice.
pub(super) enum Ask {
    /// Queries of a tenant, at one snapshot.
    Queries(TenantId, Vec<Statement>),
    /// The ids of all tenants.
    Tenants,
    /// One that changes how the book is kept, not what a tenant has in it.
    Upkeep(Statement),
}

/// When a write may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// At once, beside all others.
    AtOnce,
    /// After those that lost a race before it: losers that were repeated beside each other would lock each other out
    /// again, a second each time, until somebody's patience ends.
    AfterLosers,
}

/// The name of a write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    writer: Uuid,
    number: i64,
}

/// Why a write is not known to be committed.
pub(super) enum Failure {
    /// It is known not to be.
    Refused(Error),
    /// The connection was lost while it was being committed.
    Unknown { mark: Mark, written: Vec<Written>, error: Error },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

pub(super) struct Connection {
    pub(super) client: Client,
    /// A transaction was begun and is not known to have ended.
    pub(super) unfinished: bool,
    mark: Mark,
    statements: Statements,
    columns: HashMap<Cow<'static, str>, HashMap<String, String>>,
}

impl Connection {
    pub(super) async fn open(address: &Address, options: &PostgresOptions) -> Result<Self> {
        let connected = address.config.connect(address.tls.clone()).await;
        let (client, connection) = connected.map_err(|e| error_of("connect to", e))?;
        // What goes wrong on the connection is the answer to the statement under way.
        tokio::spawn(async move { connection.await.ok() });
        let mark = Mark { writer: Uuid::now_v7(), number: 0 };
        // Temporary tables come last: nobody's shadows a table of the book.
        let settings = format!(
            "SET search_path = {}, pg_temp; SET portbook.writer = '{}'; SET statement_timeout = {}; \
             SET idle_in_transaction_session_timeout = 60000; SET client_min_messages = warning",
            quoted(&options.schema),
            mark.writer,
            options.statement_timeout.as_millis().min(i32::MAX as u128)
        );
        client.batch_execute(&settings).await.map_err(|e| error_of("connect to", e))?;
        Ok(Self { client, unfinished: false, mark, statements: Statements::default(), columns: HashMap::new() })
    }

    /// Answers, and leaves nothing behind when it cannot.
    pub(super) async fn answer(&mut self, ask: &Ask) -> Result<Vec<Rows>> {
        match ask {
            Ask::Queries(tenant, statements) => self.read_as(&setting_of(*tenant), statements).await,
            Ask::Tenants => {
                let list = Statement::new("SELECT id FROM tenants ORDER BY id", Vec::new());
                self.read_as(EVERY_TENANT, &[list]).await
            }
            Ask::Upkeep(statement) => {
                let prepared = self.prepare(statement).await?;
                Ok(vec![rows_of(&self.client, &prepared, &statement.params).await?])
            }
        }
    }

    async fn read_as(&mut self, tenant: &str, statements: &[Statement]) -> Result<Vec<Rows>> {
        let mut prepared = Vec::with_capacity(statements.len());
        for statement in statements {
            prepared.push(self.prepare(statement).await?);
        }
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL portbook.tenant";
        let begin = format!("{begin} = '{tenant}'");
        self.unfinished = true;
        let (begun, pages, ended) = if statements.len() <= PIPELINE {
            // Sent together: one trip to the server instead of three. Were the transaction not begun, no tenant would be set,
            // and the policies would show nothing to what follows.
            join!(self.run(&begin), self.pages(statements, &prepared), self.run("COMMIT"))
        } else {
            (self.run(&begin).await, self.pages(statements, &prepared).await, self.run("COMMIT").await)
        };
        // What failed in it is rolled back by COMMIT, too.
        self.unfinished = ended.is_err();
        begun?;
        let pages = pages?;
        ended.map(|()| pages)
    }

    async fn pages(&self, statements: &[Statement], prepared: &[tokio_postgres::Statement]) -> Result<Vec<Rows>> {
        let mut pages = Vec::with_capacity(statements.len());
        for (statements, prepared) in statements.chunks(PIPELINE).zip(prepared.chunks(PIPELINE)) {
            let asked = statements.iter().zip(prepared).map(|(s, p)| rows_of(&self.client, p, &s.params));
            for answer in join_all(asked).await {
                pages.push(answer?);
            }
        }
        Ok(pages)
    }

    /// Commits the batch or nothing of it.
    pub(super) async fn write(
        &mut self,
        tenant: TenantId,
        batch: &[Write],
        turn: Turn,
    ) -> std::result::Result<Vec<Written>, Failure> {
        self.mark.number += 1;
        let mark = self.mark;
        let wait = match turn {
            Turn::AtOnce => String::new(),
            Turn::AfterLosers => format!("SELECT pg_advisory_xact_lock({LOSERS}); "),
        };
        let begun = self.begin(&format!("BEGIN; {wait}{}; {}", act_as(tenant), leave(mark))).await;
        if let Err(error) = begun {
            return Err(self.undo(error).await.into());
        }
        match self.run_batch(batch).await {
            Ok(written) => match self.end("COMMIT").await {
                Ok(()) => Ok(written),
                Err(error) if is_lost(&error) => Err(Failure::Unknown { mark, written, error }),
                Err(error) => Err(error.into()),
            },
            Err(error) => Err(self.undo(error).await.into()),
        }
    }

    /// Whether that write of another connection, now lost, was committed. Waits for its transaction to end: a row of
    /// the same key can be put only then.
    pub(super) async fn was_committed(&mut self, mark: Mark) -> Result<bool> {
        let Mark { writer, number } = mark;
        self.unfinished = true;
        let ask = format!(
            "BEGIN; SET LOCAL portbook.writer = '{writer}'; SET LOCAL statement_timeout = 5000; \
             INSERT INTO write_mark (writer, number) VALUES ('{writer}', 0) \
             ON CONFLICT (writer) DO UPDATE SET number = write_mark.number RETURNING number; COMMIT"
        );
        let answer = match self.client.simple_query(&ask).await {
            Ok(answer) => answer,
            Err(e) => return Err(self.undo(error_of("ask what became of a write to", e)).await),
        };
        self.unfinished = false;
        let found = answer.iter().find_map(|part| match part {
            SimpleQueryMessage::Row(row) => row.get(0).and_then(|n| n.parse::<i64>().ok()),
            _ => None,
        });
        Ok(found == Some(number))
    }

    async fn run_batch(&mut self, batch: &[Write]) -> Result<Vec<Written>> {
        let mut written = Vec::with_capacity(batch.len());
        let mut rest = batch;
        while let Some(first) = rest.first() {
            let run = rest.iter().take(PIPELINE).take_while(|w| matches!(w, Write::Execute(_) | Write::Expect(..)));
            let run = run.count();
            if run > 0 {
                self.execute(&rest[..run], &mut written).await?;
                rest = &rest[run..];
                continue;
            }
            match first {
                Write::Returning(statement) => {
                    let prepared = self.prepare(statement).await?;
                    written.push(Written::Rows(rows_of(&self.client, &prepared, &statement.params).await?));
                }
                Write::Insert(insert) => written.push(Written::Changed(self.insert(insert).await?)),
                Write::As(tenant) => {
                    self.run(&act_as(*tenant)).await?;
                    written.push(Written::Changed(0));
                }
                Write::Execute(_) | Write::Expect(..) => {}
            }
            rest = &rest[1..];
        }
        Ok(written)
    }

    /// Statements without rows, sent together, answered in order.
    async fn execute(&mut self, parts: &[Write], written: &mut Vec<Written>) -> Result<()> {
        let mut prepared = Vec::with_capacity(parts.len());
        for part in parts {
            if let Write::Execute(statement) | Write::Expect(statement, _) = part {
                prepared.push((self.prepare(statement).await?, statement, part));
            }
        }
        let sent = prepared.iter().map(|(p, s, _)| self.client.execute_raw(p, &s.params));
        for (answer, (_, _, part)) in join_all(sent).await.into_iter().zip(&prepared) {
            let changed = answer.map_err(|e| error_of("write to", e))?;
            match part {
                Write::Expect(_, expected) if changed != *expected => return Err(unexpected(changed, *expected)),
                _ => written.push(Written::Changed(changed)),
            }
        }
        Ok(())
    }

    async fn insert(&mut self, insert: &Insert) -> Result<u64> {
        let width = insert.columns.len();
        if width == 0 || !insert.values.len().is_multiple_of(width) {
            let wrong = Error::new(Code::Internal, "write to", &insert.table);
            return Err(wrong.because("the values do not fill the columns"));
        }
        if insert.values.len() / width >= BULK && insert.on_conflict != OnConflict::Fail {
            // Many rows are nearly always all new. Looking for each row before it goes in, and marking its key, which is what
            // ON CONFLICT takes, is a third of such an insert.
            let plain = self.prepare_insert(insert, "").await?;
            self.run("SAVEPOINT plain").await?;
            match self.insert_rows(&plain, insert).await {
                Ok(changed) => return self.run("RELEASE plain").await.map(|()| changed),
                Err(error) if is_taken(&error) => self.run("ROLLBACK TO plain; RELEASE plain").await?,
                Err(error) => return Err(error),
            }
        }
        let statement = self.prepare_insert(insert, &on_conflict(insert)).await?;
        self.insert_rows(&statement, insert).await
    }

    async fn insert_rows(&self, statement: &tokio_postgres::Statement, insert: &Insert) -> Result<u64> {
        let (client, width) = (&self.client, insert.columns.len());
        let sent = insert.values.chunks(width * ROWS).map(|values| async move {
            let columns: Vec<_> = (0..width).map(|column| ColumnOf { values, column, width }).collect();
            let params: Vec<_> = columns.iter().map(|c| c as &(dyn ToSql + Sync)).collect();
            client.execute(statement, &params).await.map_err(|e| error_of("write to", e))
        });
        // The next is put into its form while the server has the one before.
        let sent: Vec<_> = sent.collect();
        stream::iter(sent).buffered(2).try_fold(0, |changed, more| async move { Ok(changed + more) }).await
    }

    async fn prepare_insert(&mut self, insert: &Insert, on_conflict: &str) -> Result<tokio_postgres::Statement> {
        if !self.columns.contains_key(&insert.table) {
            let types = self.column_types(&insert.table).await?;
            self.columns.insert(insert.table.clone(), types);
        }
        let types = &self.columns[&insert.table];
        let mut arrays = Vec::with_capacity(insert.columns.len());
        for (i, column) in insert.columns.iter().enumerate() {
            let missing =
                || Error::new(Code::Internal, "write to", &insert.table).because(format!("no column {column}"));
            arrays.push(format!("unnest(${}::{}[])", i + 1, types.get(column.as_ref()).ok_or_else(missing)?));
        }
        // In the list of what is selected: in FROM each array would be laid out as rows first, a seventh of a bulk load.
        let (table, columns) = (&insert.table, insert.columns.join(", "));
        let sql = format!("INSERT INTO {table} ({columns}) SELECT {}{on_conflict}", arrays.join(", "));
        if let Some(statement) = self.statements.get(&sql) {
            return Ok(statement);
        }
        let statement = self.client.prepare(&sql).await.map_err(|e| error_of("prepare a statement of", e))?;
        self.statements.keep(sql.into(), statement.clone());
        Ok(statement)
    }

    async fn column_types(&self, table: &str) -> Result<HashMap<String, String>> {
        let sql = "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute \
             WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped";
        let rows = self.client.query(sql, &[&table]).await.map_err(|e| error_of("look at a table of", e))?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    async fn prepare(&mut self, statement: &Statement) -> Result<tokio_postgres::Statement> {
        let prepared = match self.statements.get(&statement.sql) {
            Some(prepared) => prepared,
            None => {
                let sql = with_dollars(&statement.sql);
                let prepared = self.client.prepare(&sql).await.map_err(|e| error_of("prepare a statement of", e))?;
                self.statements.keep(statement.sql.clone(), prepared.clone());
                prepared
            }
        };
        if prepared.params().len() != statement.params.len() {
            let (given, wanted) = (statement.params.len(), prepared.params().len());
            let wrong = Error::new(Code::Storage, "use", "the book");
            return Err(wrong.because(format!("{given} values were given where {wanted} are wanted")));
        }
        Ok(prepared)
    }

    /// Constraints and indexes of the book that are not in force.
    pub(super) async fn unvalidated(&self) -> Result<Vec<String>> {
        let fail = |e| error_of("check", e);
        let sql = "SELECT conrelid::regclass::text || ': ' || conname || ' is not validated' FROM pg_constraint \
             WHERE NOT convalidated AND connamespace = current_schema()::regnamespace \
             UNION ALL SELECT indexrelid::regclass::text || ' is not valid' FROM pg_index i JOIN pg_class c \
             ON c.oid = i.indexrelid WHERE NOT i.indisvalid AND c.relnamespace = current_schema()::regnamespace";
        let rows = self.client.query(sql, &[]).await.map_err(fail)?;
        rows.iter().map(|row| row.try_get(0).map_err(fail)).collect()
    }

    /// Vacuums and analyses every table of the book.
    pub(super) async fn vacuum(&mut self) -> Result<()> {
        // It takes what time it needs. The connection is not used again with that setting.
        self.unfinished = true;
        self.run("SET statement_timeout = 0").await?;
        let fail = |e| error_of("vacuum", e);
        let sql = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n \
             ON n.oid = c.relnamespace WHERE n.oid = current_schema()::regnamespace AND c.relkind = 'r' \
             AND pg_has_role(c.relowner, 'USAGE') ORDER BY 1";
        let tables = self.client.query(sql, &[]).await.map_err(fail)?;
        // A table takes as long as it takes.
        let limit: String = self.client.query_one("SHOW statement_timeout", &[]).await.map_err(fail)?.get(0);
        self.run("SET statement_timeout = 0").await?;
        let mut outcome = Ok(());
        for row in tables {
            let table: String = row.try_get(0).map_err(fail)?;
            // Not in a transaction, which VACUUM refuses; the name is quoted by the server.
            outcome = outcome.and(self.client.batch_execute(&format!("VACUUM (ANALYZE) {table}")).await);
        }
        self.run(&format!("SET statement_timeout = '{limit}'")).await?;
        outcome.map_err(fail)
    }

    /// Begins a transaction; row-level security reads the setting made with it.
    async fn begin(&mut self, sql: &str) -> Result<()> {
        self.unfinished = true;
        self.run(sql).await
    }

    async fn run(&self, sql: &str) -> Result<()> {
        self.client.batch_execute(sql).await.map_err(|e| error_of("use", e))
    }

    async fn end(&mut self, how: &str) -> Result<()> {
        self.run(how).await?;
        self.unfinished = false;
        Ok(())
    }

    /// Rolls back and gives the error that made it necessary; a connection whose rollback fails stays unfinished.
    async fn undo(&mut self, error: Error) -> Error {
        let _ = self.end("ROLLBACK").await;
        error
    }
}

/// Leaves the mark of a write. The first of a connection also clears away what connections left that are long gone.
fn leave(Mark { writer, number }: Mark) -> String {
    let clear = match number {
        1 => "DELETE FROM write_mark WHERE written_at < now() - INTERVAL '1 day'; ",
        _ => "",
    };
    format!(
        "{clear}INSERT INTO write_mark (writer, number) VALUES ('{writer}', {number}) \
         ON CONFLICT (writer) DO UPDATE SET number = excluded.number, written_at = excluded.written_at"
    )
}

/// An identifier as SQL takes it literally.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What the policies of row-level security ask for.
fn act_as(tenant: TenantId) -> String {
    format!("SET LOCAL portbook.tenant = '{}'", setting_of(tenant))
}

fn setting_of(tenant: TenantId) -> String {
    match tenant {
        TenantId::BOOK => EVERY_TENANT.to_owned(),
        tenant => tenant.to_string(),
    }
}

async fn rows_of(client: &Client, prepared: &tokio_postgres::Statement, params: &[Value]) -> Result<Rows> {
    let params: Vec<_> = params.iter().map(|p| p as &(dyn ToSql + Sync)).collect();
    let found = client.query(prepared, &params).await.map_err(|e| error_of("read", e))?;
    let mut rows = Rows::new(prepared.columns().len());
    for row in &found {
        push_row(&mut rows, row).map_err(|e| Error::new(Code::Corrupt, "read", "the book").because(e))?;
    }
    Ok(rows)
}

/// `?1` becomes `$1`; what stands in quotes stays.
fn with_dollars(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut quoted = false;
    for (i, c) in sql.char_indices() {
        quoted ^= c == '\'';
        let is_place = c == '?' && !quoted && sql[i + 1..].starts_with(|d: char| d.is_ascii_digit());
        out.push(if is_place { '$' } else { c });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_outside_of_quotes_get_dollars() {
        assert_eq!(with_dollars("a = ?1 AND b <> '?2' AND c ? 'x' OR ?12"), "a = $1 AND b <> '?2' AND c ? 'x' OR $12");
    }
}
