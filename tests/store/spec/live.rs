//! What the catalogue of an engine says, in the words of the lines.

use std::collections::BTreeMap;

use portbook::model::Rows;
use portbook::store::Statement;

use crate::fixture::Book;

#[derive(Default)]
pub(super) struct Live {
    pub(super) tables: BTreeMap<String, LiveTable>,
}

#[derive(Default)]
pub(super) struct LiveTable {
    pub(super) columns: BTreeMap<String, LiveColumn>,
    pub(super) references: Vec<Reference>,
    pub(super) indexes: Vec<Index>,
    /// Columns that a trigger empties when the row they name is deleted.
    emptied: Vec<String>,
}

pub(super) struct LiveColumn {
    /// The classes it may be: SQLite has fewer types than there are classes.
    pub(super) classes: Vec<&'static str>,
    pub(super) is_nullable: bool,
    pub(super) default: Option<String>,
    pub(super) is_of_key: bool,
}

pub(super) struct Reference {
    columns: Vec<String>,
    pub(super) parent: String,
    to: Vec<String>,
    rule: &'static str,
}

pub(super) struct Index {
    pub(super) name: String,
    pub(super) is_unique: bool,
    pub(super) columns: Vec<String>,
    pub(super) condition: String,
}

impl Reference {
    /// Whether the column is what it is about: the last one, after the tenant.
    pub(super) fn is_of(&self, column: &str) -> bool {
        self.columns.last().is_some_and(|last| last == column)
    }

    pub(super) fn names(&self, column: &str, to: &str) -> bool {
        self.columns.iter().zip(&self.to).any(|(from, parent)| from == column && parent == to)
    }
}

impl LiveTable {
    /// The columns of an index or key without the tenant in front, unless it is wanted there.
    pub(super) fn without_tenant<'a, S: AsRef<str>>(&self, columns: &'a [String], wanted: &[S]) -> &'a [String] {
        let is_tenant = |column: &String| {
            self.references.iter().any(|r| r.parent == "tenants" && r.is_of(column))
                || (column == "tenant_id" && self.columns.contains_key(column))
        };
        match columns.split_first() {
            Some((first, rest)) if !rest.is_empty() && is_tenant(first) => {
                if wanted.first().is_some_and(|w| w.as_ref() == first) { columns } else { rest }
            }
            _ => columns,
        }
    }

    /// What becomes of the column when the row it names is deleted.
    pub(super) fn rule_of(&self, reference: &Reference, column: &str) -> &'static str {
        if self.emptied.iter().any(|emptied| emptied == column) { "set_null" } else { reference.rule }
    }
}

impl Live {
    pub(super) async fn of(book: &Book) -> Self {
        if book.is_sqlite() { Self::of_sqlite(book).await } else { Self::of_postgres(book).await }
    }

    fn table(&mut self, name: &str) -> &mut LiveTable {
        self.tables.entry(name.to_owned()).or_default()
    }

    async fn of_sqlite(book: &Book) -> Self {
        let mut live = Self::default();
        let columns = "SELECT m.name, x.name, x.type, x.\"notnull\", x.dflt_value, x.pk, m.sql \
            FROM sqlite_schema m, pragma_table_xinfo(m.name) x WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'";
        for row in rows(book, columns).await.iter() {
            let (name, sql) = (row.text(1).unwrap(), row.text(6).unwrap());
            let is_flag = sql.contains(&format!("({name} IN (0, 1))"));
            let classes = match row.text(2).unwrap() {
                "INTEGER" if is_flag => vec!["flag"],
                "INTEGER" => vec!["integer", "time"],
                "REAL" => vec!["number"],
                "TEXT" if sql.contains(&format!("json_valid({name})")) => vec!["json"],
                "TEXT" => vec!["text"],
                "BLOB" => vec!["id", "bytes"],
                other => panic!("{name}: a column of type {other:?}"),
            };
            let is_of_key = row.int(5).unwrap() > 0;
            let column = LiveColumn {
                classes,
                is_nullable: row.int(3).unwrap() == 0 && !is_of_key,
                default: (!row.is_null(4)).then(|| default(row.text(4).unwrap(), is_flag)),
                is_of_key,
            };
            live.table(row.text(0).unwrap()).columns.insert(name.to_owned(), column);
        }
        let references = "SELECT m.name, f.seq, f.\"from\", f.\"table\", f.\"to\", f.on_delete \
            FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' ORDER BY m.name, f.id, f.seq";
        for row in rows(book, references).await.iter() {
            let references = &mut live.table(row.text(0).unwrap()).references;
            if row.int(1).unwrap() == 0 {
                let rule = match row.text(5).unwrap() {
                    "CASCADE" => "cascade",
                    "SET NULL" => "set_null",
                    "NO ACTION" | "RESTRICT" => "restrict",
                    other => panic!("a rule {other}"),
                };
                let parent = row.text(3).unwrap().to_owned();
                references.push(Reference { columns: vec![], parent, to: vec![], rule });
            }
            let reference = references.last_mut().expect("pushed with its first column");
            reference.columns.push(row.text(2).unwrap().to_owned());
            reference.to.push(row.text(4).unwrap().to_owned());
        }
        let triggers = rows(book, "SELECT sql FROM sqlite_schema WHERE type = 'trigger'").await;
        let triggers: Vec<_> = triggers.iter().map(|row| spaced(row.text(0).unwrap())).collect();
        for (name, table) in &mut live.tables {
            let is_emptied = |column: &&String| {
                let update = format!("UPDATE {name} SET {column} = NULL ");
                triggers.iter().any(|sql| sql.contains(" BEFORE DELETE ON ") && sql.contains(&update))
            };
            table.emptied = table.columns.keys().filter(is_emptied).cloned().collect();
        }
        let indexes = "SELECT m.name, l.name, l.\"unique\", coalesce(s.sql, ''), \
                (SELECT group_concat(x.name || iif(x.desc, ' DESC', ''), ',') \
                    FROM (SELECT * FROM pragma_index_xinfo(l.name) WHERE key = 1 ORDER BY seqno) x) \
            FROM sqlite_schema m, pragma_index_list(m.name) l LEFT JOIN sqlite_schema s ON s.name = l.name \
            WHERE m.type = 'table'";
        for row in rows(book, indexes).await.iter() {
            let sql = spaced(row.text(3).unwrap());
            let (columns, rest) = match sql.split_once('(') {
                Some((_, behind)) => columns_of(behind),
                None => (row.text(4).unwrap().split(',').map(str::to_owned).collect(), ""),
            };
            let index = Index {
                name: row.text(1).unwrap().to_owned(),
                is_unique: row.int(2).unwrap() != 0,
                columns,
                condition: condition(rest.trim().strip_prefix("WHERE ").unwrap_or_default()),
            };
            live.table(row.text(0).unwrap()).indexes.push(index);
        }
        live
    }

    async fn of_postgres(book: &Book) -> Self {
        let mut live = Self::default();
        let columns = "SELECT c.relname, a.attname, format_type(a.atttypid, NULL), a.attnotnull, \
                pg_get_expr(d.adbin, d.adrelid), coalesce(a.attnum = ANY (k.conkey), false) \
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
                LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum AND a.attgenerated = '' \
                LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p' \
            WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')";
        for row in rows(book, columns).await.iter() {
            let class = match row.text(2).unwrap() {
                "boolean" => "flag",
                "smallint" | "integer" | "bigint" => "integer",
                "double precision" => "number",
                "text" => "text",
                "jsonb" => "json",
                "bytea" => "bytes",
                "uuid" => "id",
                "timestamp with time zone" => "time",
                other => panic!("a column of type {other:?}"),
            };
            let column = LiveColumn {
                classes: vec![class],
                is_nullable: row.int(3).unwrap() == 0,
                default: (!row.is_null(4)).then(|| default(row.text(4).unwrap(), class == "flag")),
                is_of_key: row.int(5).unwrap() != 0,
            };
            live.table(row.text(0).unwrap()).columns.insert(row.text(1).unwrap().to_owned(), column);
        }
        let references = "SELECT c.relname, p.relname, f.confdeltype::text, \
                (SELECT string_agg(a.attname::text, ' ' ORDER BY k.n) FROM unnest(f.conkey) WITH ORDINALITY k(num, n) \
                    JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.num), \
                (SELECT string_agg(a.attname::text, ' ' ORDER BY k.n) FROM unnest(f.confkey) WITH ORDINALITY k(num, n) \
                    JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.num) \
            FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class p ON p.oid = f.confrelid \
            WHERE f.contype = 'f' AND c.relnamespace = current_schema()::regnamespace";
        for row in rows(book, references).await.iter() {
            let words = |at| row.text(at).unwrap().split(' ').map(str::to_owned).collect();
            let rule = match row.text(2).unwrap() {
                "c" => "cascade",
                "n" => "set_null",
                "a" | "r" => "restrict",
                other => panic!("a rule {other}"),
            };
            let parent = row.text(1).unwrap().to_owned();
            let reference = Reference { columns: words(3), parent, to: words(4), rule };
            live.table(row.text(0).unwrap()).references.push(reference);
        }
        let indexes = "SELECT c.relname, i.relname, x.indisunique, coalesce(pg_get_expr(x.indpred, x.indrelid), ''), \
                (SELECT string_agg(pg_get_indexdef(x.indexrelid, k, true) \
                    || CASE WHEN (x.indoption[k - 1] & 1) = 1 THEN ' DESC' ELSE '' END, ', ' ORDER BY k) \
                    FROM generate_series(1, x.indnkeyatts::integer) k) \
            FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid \
            WHERE c.relnamespace = current_schema()::regnamespace";
        for row in rows(book, indexes).await.iter() {
            let index = Index {
                name: row.text(1).unwrap().to_owned(),
                is_unique: row.int(2).unwrap() != 0,
                columns: columns_of(&format!("{})", row.text(4).unwrap())).0,
                condition: condition(row.text(3).unwrap()),
            };
            live.table(row.text(0).unwrap()).indexes.push(index);
        }
        live
    }
}

async fn rows(book: &Book, sql: &'static str) -> Rows {
    book.store.query(book.acting(), Statement::new(sql, vec![])).await.unwrap()
}

/// Every run of white space is one blank.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What stands before the parenthesis that closes the list, column by column, and what stands behind it. A column that
/// treats nothing as a value is the column.
fn columns_of(text: &str) -> (Vec<String>, &str) {
    let (mut columns, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ',' | ')' if depth == 0 => {
                columns.push(column_of(text[start..at].trim()));
                start = at + 1;
                if character == ')' {
                    return (columns, &text[start..]);
                }
            }
            ')' => depth -= 1,
            _ => {}
        }
    }
    panic!("{text} is no list of columns")
}

fn column_of(text: &str) -> String {
    let inner = ["coalesce(", "COALESCE(", "ifnull("].iter().find_map(|head| text.strip_prefix(head));
    match inner.and_then(|inner| inner.split_once(',')) {
        Some((column, _)) => column.to_owned(),
        None => text.to_owned(),
    }
}

/// A condition in one way of writing: no parentheses, casts or capitals, flags by themselves, parts in alphabetical order.
pub(super) fn condition(text: &str) -> String {
    let mut text = spaced(&without_casts(text).replace(['(', ')'], " ")).to_lowercase();
    for (from, to) in [("= any array[", "in "), ("]", ""), (" = true", ""), (" = 1", "")] {
        text = text.replace(from, to);
    }
    let part = |part: &str| {
        let negated = part.strip_suffix(" = false").or_else(|| part.strip_suffix(" = 0"));
        negated.map_or_else(|| part.to_owned(), |flag| format!("not {flag}"))
    };
    let mut parts: Vec<_> = text.split(" and ").map(part).collect();
    parts.sort_unstable();
    parts.join(" and ")
}

/// A default in one way of writing.
pub(super) fn default(text: &str, is_flag: bool) -> String {
    const NOW: &str = "CAST(unixepoch('subsec') * 1000000 AS INTEGER)";
    let text = without_casts(text);
    match text.as_str() {
        "now()" => return "now".into(),
        "(now() + '01:00:00')" => return "now+1h".into(),
        "0" if is_flag => return "false".into(),
        "1" if is_flag => return "true".into(),
        _ => {}
    }
    if let Some(rest) = text.strip_prefix(NOW) {
        return if rest == " + 3600000000" { "now+1h".into() } else { format!("now{rest}") };
    }
    let quoted = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\''));
    quoted.map_or(text.clone(), |inner| inner.replace("''", "'"))
}

/// Without `::type`, which PostgreSQL adds to literals.
fn without_casts(text: &str) -> String {
    let mut parts = text.split("::");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(part.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_'));
    }
    out
}
