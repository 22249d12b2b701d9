//! One connection: its prepared statements, its knowledge of column types, and batches in transactions.

use std::borrow::Cow;
use std::collections::HashMap;

use futures_util::future::join_all;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls};

use super::value::{ColumnOf, push_row};
use crate::error::{Code, Error, Result};
use crate::model::{TenantId, Unsealed};
use crate::store::sqlite::{on_conflict, unexpected};
use crate::store::{Insert, Rows, Statement, Value, Write, Written};

/// Statements sent ahead of their answers.
const PIPELINE: usize = 30;
/// Rows of one bulk insert.
const ROWS: usize = 4096;

pub(super) struct Connection {
    pub(super) client: Client,
    /// A transaction was begun and is not known to have ended.
    pub(super) unfinished: bool,
    statements: HashMap<Cow<'static, str>, tokio_postgres::Statement>,
    inserts: HashMap<String, tokio_postgres::Statement>,
    columns: HashMap<Cow<'static, str>, HashMap<String, String>>,
}

impl Connection {
    pub(super) async fn open(config: &Config) -> Result<Self> {
        let (client, connection) = config.connect(NoTls).await.map_err(|e| error_of("connect to", e))?;
        // What goes wrong on the connection is the answer to the statement under way.
        tokio::spawn(async move { connection.await.ok() });
        Ok(Self {
            client,
            unfinished: false,
            statements: HashMap::new(),
            inserts: HashMap::new(),
            columns: HashMap::new(),
        })
    }

    /// Runs the queries at one snapshot.
    pub(super) async fn read(&mut self, tenant: TenantId, statements: &[Statement]) -> Result<Vec<Rows>> {
        let mut prepared = Vec::with_capacity(statements.len());
        for statement in statements {
            prepared.push(self.prepare(statement).await?);
        }
        self.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", tenant).await?;
        let mut pages = Vec::with_capacity(statements.len());
        for (statements, prepared) in statements.chunks(PIPELINE).zip(prepared.chunks(PIPELINE)) {
            let asked = statements.iter().zip(prepared).map(|(s, p)| rows_of(&self.client, p, &s.params));
            for answer in join_all(asked).await {
                match answer {
                    Ok(rows) => pages.push(rows),
                    Err(error) => return Err(self.undo(error).await),
                }
            }
        }
        self.end("COMMIT").await?;
        Ok(pages)
    }

    /// Commits the batch or nothing of it.
    pub(super) async fn write(&mut self, tenant: TenantId, batch: &[Write]) -> Result<Vec<Written>> {
        self.begin("BEGIN", tenant).await?;
        match self.run_batch(batch).await {
            Ok(written) => self.end("COMMIT").await.map(|()| written),
            Err(error) => Err(self.undo(error).await),
        }
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
        let statement = self.prepare_insert(insert).await?;
        let mut changed = 0;
        for values in insert.values.chunks(width * ROWS) {
            let columns: Vec<_> = (0..width).map(|column| ColumnOf { values, column, width }).collect();
            let params: Vec<_> = columns.iter().map(|c| c as &(dyn ToSql + Sync)).collect();
            changed += self.client.execute(&statement, &params).await.map_err(|e| error_of("write to", e))?;
        }
        Ok(changed)
    }

    async fn prepare_insert(&mut self, insert: &Insert) -> Result<tokio_postgres::Statement> {
        if !self.columns.contains_key(&insert.table) {
            let types = self.column_types(&insert.table).await?;
            self.columns.insert(insert.table.clone(), types);
        }
        let types = &self.columns[&insert.table];
        let mut arrays = Vec::with_capacity(insert.columns.len());
        for (i, column) in insert.columns.iter().enumerate() {
            let missing =
                || Error::new(Code::Internal, "write to", &insert.table).because(format!("no column {column}"));
            arrays.push(format!("${}::{}[]", i + 1, types.get(column.as_ref()).ok_or_else(missing)?));
        }
        let sql = format!(
            "INSERT INTO {} ({}) SELECT * FROM unnest({}){}",
            insert.table,
            insert.columns.join(", "),
            arrays.join(", "),
            on_conflict(insert)
        );
        if let Some(statement) = self.inserts.get(&sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(&sql).await.map_err(|e| error_of("prepare a statement of", e))?;
        self.inserts.insert(sql, statement.clone());
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
            Some(prepared) => prepared.clone(),
            None => {
                let sql = with_dollars(&statement.sql);
                let prepared = self.client.prepare(&sql).await.map_err(|e| error_of("prepare a statement of", e))?;
                self.statements.insert(statement.sql.clone(), prepared.clone());
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
    pub(super) async fn vacuum(&self) -> Result<()> {
        let fail = |e| error_of("vacuum", e);
        let sql = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n \
             ON n.oid = c.relnamespace WHERE n.oid = current_schema()::regnamespace AND c.relkind = 'r' \
             AND pg_has_role(c.relowner, 'USAGE') ORDER BY 1";
        for row in self.client.query(sql, &[]).await.map_err(fail)? {
            let table: String = row.try_get(0).map_err(fail)?;
            // Not in a transaction, which VACUUM refuses; the name is quoted by the server.
            self.client.batch_execute(&format!("VACUUM (ANALYZE) {table}")).await.map_err(fail)?;
        }
        Ok(())
    }

    /// Begins a transaction as that tenant; row-level security reads the setting.
    async fn begin(&mut self, begin: &str, tenant: TenantId) -> Result<()> {
        self.unfinished = true;
        self.run(&format!("{begin}; {}", act_as(tenant))).await
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

/// What the policies of row-level security ask for.
fn act_as(tenant: TenantId) -> String {
    match tenant {
        TenantId::BOOK => "SET LOCAL portbook.tenant = '*'".to_owned(),
        tenant => format!("SET LOCAL portbook.tenant = '{tenant}'"),
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

/// Our code for what the server says.
pub(super) fn error_of(action: &'static str, source: tokio_postgres::Error) -> Error {
    let cause = std::error::Error::source(&source);
    if cause.is_some_and(|why| why.is::<Unsealed>()) {
        return Error::new(Code::Internal, action, "the book").because(Unsealed);
    }
    let code = match source.code() {
        None if source.is_closed() => Code::Offline,
        None => match cause {
            Some(cause) if cause.is::<std::io::Error>() => Code::Offline,
            _ => Code::Storage,
        },
        Some(state) => code_of(state),
    };
    // The server's own sentence; the driver's text only says that there is one.
    let reason = source.as_db_error().map(|e| e.message().to_owned()).unwrap_or_default();
    Error::new(code, action, "the book").because(reason).caused_by(source)
}

fn code_of(state: &SqlState) -> Code {
    let text = state.code();
    match text {
        "23505" => Code::Conflict,
        "40001" | "40P01" | "55P03" => Code::Busy,
        "42501" | "25006" => Code::Permission,
        "57014" => Code::Timeout,
        "53100" | "53200" => Code::Quota,
        _ => match text.get(..2) {
            Some("22" | "23" | "21") => Code::Invalid,
            Some("28") => Code::Auth,
            Some("08" | "57") => Code::Offline,
            Some("53") => Code::Busy,
            Some("XX") => Code::Corrupt,
            _ => Code::Storage,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_outside_of_quotes_get_dollars() {
        assert_eq!(with_dollars("a = ?1 AND b <> '?2' AND c ? 'x' OR ?12"), "a = $1 AND b <> '?2' AND c ? 'x' OR $12");
    }
}
