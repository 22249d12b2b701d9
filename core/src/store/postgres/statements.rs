//! The prepared statements of a connection, by their text.

use std::borrow::Cow;
use std::collections::HashMap;

use tokio_postgres::Statement;

/// How many statements a connection keeps prepared: what the engine uses is less than that.
const KEPT: usize = 256;

/// Prepared statements; the one that was not used for the longest time makes room.
#[derive(Default)]
pub(super) struct Statements {
    by_text: HashMap<Cow<'static, str>, (Statement, u64)>,
    uses: u64,
}

impl Statements {
    pub(super) fn get(&mut self, sql: &str) -> Option<Statement> {
        self.uses += 1;
        let (statement, used) = self.by_text.get_mut(sql)?;
        *used = self.uses;
        Some(statement.clone())
    }

    pub(super) fn keep(&mut self, sql: Cow<'static, str>, statement: Statement) {
        if self.by_text.len() >= KEPT
            && let Some(oldest) = self.by_text.iter().min_by_key(|(_, (_, used))| *used).map(|(sql, _)| sql.clone())
        {
            // Dropping it closes it on the server.
            self.by_text.remove(&oldest);
        }
        self.uses += 1;
        self.by_text.insert(sql, (statement, self.uses));
    }
}
