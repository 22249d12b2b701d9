//! Several lists as one table: a row lies in one of them, and the column [`LIST`] says in which.
//!
//! A row whose list changes is moved: made in the new one with all that both lists have in common, and only then taken out of
//! the old one. If that is cut short both have it, each with the same marker; the move is made good when it is asked for
//! again. Nothing is ever in neither.

mod moves;
mod read;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Allowance, Capabilities, ChangeScan, ChangeStream, ColumnShape, ConstraintShape, Endpoint, Expect, NewTable, Page,
    Probe, RowAction, RowOutcome, RowStream, Scan, TableEntry, TableName, TableShape, WriteBatch,
};
use crate::error::{Code, Error, Result};
use crate::identity::{RowBatch, RowRef, encode};
use crate::model::{ConstraintType, Datum, DatumKind};

/// The column that says in which list a row lies, by the list's id.
pub(crate) const LIST: &str = "@list";

/// One of the lists.
#[derive(Clone)]
pub(crate) struct Part {
    /// Its id at the service.
    pub(crate) list: String,
    pub(crate) endpoint: Arc<dyn Endpoint>,
    pub(crate) table: TableName,
    pub(crate) shape: TableShape,
}

/// Lists that hold the rows of one table between them.
pub(crate) struct Routed {
    /// At least one, all of them of one kind of store.
    parts: Vec<Part>,
    shape: TableShape,
}

impl Routed {
    /// # Errors
    /// `invalid` when there is no list, or one gives its items no key of one column.
    pub(crate) fn new(parts: Vec<Part>) -> Result<Self> {
        let shape = common(&parts)?;
        Ok(Self { parts, shape })
    }

    pub(crate) fn shape(&self) -> &TableShape {
        &self.shape
    }

    fn part(&self, list: &Datum) -> Result<&Part> {
        let found = match list {
            Datum::Text(list) => self.parts.iter().find(|part| part.list == *list),
            _ => None,
        };
        found.ok_or_else(|| {
            Error::new(Code::Invalid, "find the list of a row of", &self.shape.name)
                .because("it is none of those that rows of this definition go to")
        })
    }

    /// The column by which a list finds its items.
    fn key_of(part: &Part) -> Vec<String> {
        part.shape.primary_key().to_vec()
    }
}

/// What all of the lists have: the columns that are of one type in each, and the one that says in which list a row lies.
fn common(parts: &[Part]) -> Result<TableShape> {
    let refuse = |why| Err(Error::new(Code::Invalid, "route rows to lists", "").because(why));
    let Some((first, others)) = parts.split_first() else { return refuse("there is none") };
    let [id] = first.shape.primary_key() else { return refuse("the key of items is not one column") };
    if others.iter().any(|part| part.shape.primary_key() != first.shape.primary_key()) {
        return refuse("the keys of their items differ");
    }
    let is_alike = |one: &ColumnShape, other: &ColumnShape| {
        one.kind == other.kind && one.member == other.member && one.is_computed == other.is_computed
    };
    let is_common = |column: &&ColumnShape| {
        others.iter().all(|part| part.shape.column(&column.name).is_some_and(|other| is_alike(column, other)))
    };
    let list = ColumnShape {
        name: LIST.to_owned(),
        data_type: "list".to_owned(),
        kind: Some(DatumKind::Text),
        member: None,
        is_nullable: false,
        default_value: None,
        is_identity: false,
        is_computed: false,
        max_length: None,
        digits: None,
        second_places: None,
        collation: super::Collation::default(),
        traits: super::ColumnTraits::default(),
    };
    let names: Vec<&str> = parts.iter().map(|part| part.table.name.as_str()).collect();
    let key = ConstraintShape {
        name: String::new(),
        constraint_type: ConstraintType::PrimaryKey,
        columns: vec![LIST.to_owned(), id.clone()],
        referenced_table: None,
        definition: None,
    };
    Ok(TableShape {
        name: TableName::new("", names.join(", ")),
        table_type: first.shape.table_type,
        row_estimate: None,
        columns: std::iter::once(list).chain(first.shape.columns.iter().filter(is_common).cloned()).collect(),
        constraints: vec![key],
        indexes: Vec::new(),
        traits: super::TableTraits::default(),
    })
}

#[async_trait]
impl Endpoint for Routed {
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.parts[0].endpoint.capabilities();
        // Each list has a feed of its own: they are read as a whole.
        capabilities.cursors = Vec::new();
        capabilities.creates_tables = false;
        capabilities
    }

    async fn probe(&self) -> Result<Probe> {
        let mut first = None;
        for part in &self.parts {
            let probe = part.endpoint.probe().await?;
            first.get_or_insert(probe);
        }
        first.ok_or_else(|| Error::new(Code::Internal, "look at lists", "").because("there is none"))
    }

    async fn tables(&self) -> Result<Vec<TableEntry>> {
        let Self { shape, .. } = self;
        Ok(vec![TableEntry { name: shape.name.clone(), table_type: shape.table_type, row_estimate: None }])
    }

    async fn describe(&self, _table: &TableName) -> Result<TableShape> {
        Ok(self.shape.clone())
    }

    async fn prepare(&self, _table: &TableName) -> Result<TableShape> {
        let mut parts = self.parts.clone();
        for part in &mut parts {
            part.shape = part.endpoint.prepare(&part.table).await?;
        }
        common(&parts)
    }

    async fn count(&self, _table: &TableName) -> Result<u64> {
        let mut rows = 0;
        for part in &self.parts {
            rows += part.endpoint.count(&part.table).await?;
        }
        Ok(rows)
    }

    async fn scan(&self, scan: Scan) -> Result<Box<dyn RowStream>> {
        Ok(Box::new(read::Chained::new(self.parts.clone(), scan)))
    }

    async fn fetch(&self, _table: &TableName, columns: &[String], key: &[String], keys: &RowBatch) -> Result<Page> {
        let mut found = Page { rows: RowBatch::new(columns.len()), refused: Vec::new() };
        if key.iter().any(|column| column == LIST) {
            for (list, rows) in self.by_list(keys, 0, |_| false)? {
                let part = self.part(&Datum::Text(list))?;
                read::fetch(part, columns, &Self::key_of(part), &rows.batch, &mut found).await?;
            }
        } else {
            for part in &self.parts {
                read::fetch(part, columns, key, keys, &mut found).await?;
            }
        }
        Ok(found)
    }

    async fn changes(&self, scan: ChangeScan) -> Result<Box<dyn ChangeStream>> {
        Err(Error::new(Code::Unsupported, "read the changes of", &scan.table).because("it is several lists"))
    }

    async fn write(&self, batch: WriteBatch) -> Result<Vec<RowOutcome>> {
        match batch.action {
            RowAction::Insert { columns, rows } => self.insert(&columns, &rows).await,
            RowAction::Update { keys, columns, rows, expect } => self.update(&keys, &columns, &rows, &expect).await,
            RowAction::Delete { keys, expect } => self.delete(&keys, &expect).await,
        }
    }

    async fn create(&self, table: NewTable) -> Result<TableShape> {
        Err(Error::new(Code::Unsupported, "make", &table.name).because("it would be several lists"))
    }

    async fn allowance(&self) -> Option<Allowance> {
        // All lists of one application share one budget; of several the first is told.
        self.parts[0].endpoint.allowance().await
    }

    async fn shutdown(&self) {
        for part in &self.parts {
            part.endpoint.shutdown().await;
        }
    }
}

/// Rows of one list, and where they stood.
struct OfList {
    /// Without the column that says which list.
    batch: RowBatch,
    places: Vec<usize>,
}

impl Routed {
    /// Rows by the list that the column at `at` names, but for those of places that are left out.
    fn by_list(
        &self,
        rows: &RowBatch,
        at: usize,
        is_left_out: impl Fn(usize) -> bool,
    ) -> Result<BTreeMap<String, OfList>> {
        let mut lists: BTreeMap<String, OfList> = BTreeMap::new();
        for (place, row) in rows.iter().enumerate().filter(|(place, _)| !is_left_out(*place)) {
            let list = self.part(&row.datum(at)?)?.list.clone();
            let new = || OfList { batch: RowBatch::new(rows.columns() - 1), places: Vec::new() };
            let of_list = lists.entry(list).or_insert_with(new);
            of_list.batch.push_encoded(&without(row, at))?;
            of_list.places.push(place);
        }
        Ok(lists)
    }

    async fn insert(&self, columns: &[String], rows: &RowBatch) -> Result<Vec<RowOutcome>> {
        let (at, others) = self.split(columns)?;
        let mut outcomes = Answers::new(rows.len());
        for (list, rows) in self.by_list(rows, at, |_| false)? {
            let part = self.part(&Datum::Text(list))?;
            let action = RowAction::Insert { columns: others.clone(), rows: rows.batch };
            outcomes.take(rows.places, send(part, action).await, |outcome| placed(part, outcome));
        }
        outcomes.all()
    }

    async fn update(
        &self,
        keys: &RowBatch,
        columns: &[String],
        rows: &RowBatch,
        expect: &Expect,
    ) -> Result<Vec<RowOutcome>> {
        let at = columns.iter().position(|column| column == LIST);
        let moves = |place: usize| at.is_some_and(|at| keys.row(place).value(0) != rows.row(place).value(at));
        let mut outcomes = Answers::new(keys.len());
        for (list, of_list) in self.by_list(keys, 0, moves)? {
            let part = self.part(&Datum::Text(list))?;
            let mut values = RowBatch::new(columns.len() - usize::from(at.is_some()));
            for place in &of_list.places {
                let row = rows.row(*place);
                values
                    .push_encoded(&at.map_or_else(|| row.values(0..row.columns()).to_vec(), |at| without(row, at)))?;
            }
            let columns = columns.iter().filter(|column| *column != LIST).cloned().collect();
            let expect = of_places(expect, &of_list.places)?;
            let action = RowAction::Update { keys: of_list.batch, columns, rows: values, expect };
            outcomes.take(of_list.places, send(part, action).await, |outcome| placed(part, outcome));
        }
        for place in (0..keys.len()).filter(|place| moves(*place)) {
            let version = version_of(expect, place)?;
            let moved = self.move_row(keys.row(place), columns, rows.row(place), version).await;
            outcomes.take(vec![place], moved.map(|outcome| vec![outcome]), |outcome| outcome);
        }
        outcomes.all()
    }

    async fn delete(&self, keys: &RowBatch, expect: &Expect) -> Result<Vec<RowOutcome>> {
        let mut outcomes = Answers::new(keys.len());
        for (list, of_list) in self.by_list(keys, 0, |_| false)? {
            let part = self.part(&Datum::Text(list))?;
            let expect = of_places(expect, &of_list.places)?;
            let action = RowAction::Delete { keys: of_list.batch, expect };
            outcomes.take(of_list.places, send(part, action).await, |outcome| outcome);
        }
        outcomes.all()
    }

    /// Where the column of the list stands among these, and the others.
    fn split(&self, columns: &[String]) -> Result<(usize, Vec<String>)> {
        let at = columns.iter().position(|column| column == LIST).ok_or_else(|| {
            Error::new(Code::Internal, "make rows of", &self.shape.name).because("nobody says in which list")
        })?;
        Ok((at, columns.iter().filter(|column| *column != LIST).cloned().collect()))
    }
}

async fn send(part: &Part, action: RowAction) -> Result<Vec<RowOutcome>> {
    part.endpoint.write(WriteBatch { table: part.table.clone(), key: Routed::key_of(part), action }).await
}

/// The answer with the list before the key that it gave.
fn placed(part: &Part, outcome: RowOutcome) -> RowOutcome {
    match outcome {
        RowOutcome::Written { key: Some(key), version } => {
            RowOutcome::Written { key: Some([encode(&Datum::Text(part.list.clone())), key].concat()), version }
        }
        other => other,
    }
}

/// The values of a row but for one, encoded.
fn without(row: RowRef<'_>, at: usize) -> Vec<u8> {
    [row.values(0..at), row.values(at + 1..row.columns())].concat()
}

/// What has to hold for the rows of these places.
fn of_places(expect: &Expect, places: &[usize]) -> Result<Expect> {
    match expect {
        Expect::Any => Ok(Expect::Any),
        Expect::Versions(versions) => {
            Ok(Expect::Versions(places.iter().map(|place| versions.get(*place).cloned().flatten()).collect()))
        }
        Expect::Content(_) => Err(by_content()),
    }
}

fn version_of(expect: &Expect, place: usize) -> Result<Option<&str>> {
    match expect {
        Expect::Any => Ok(None),
        Expect::Versions(versions) => Ok(versions.get(place).and_then(Option::as_deref)),
        Expect::Content(_) => Err(by_content()),
    }
}

fn by_content() -> Error {
    Error::new(Code::Unsupported, "write rows of several lists", "").because("items are told by their versions")
}

/// The answers of several lists in the order of what was asked. What becomes of a row that no list answers for is not known.
struct Answers {
    rows: Vec<RowOutcome>,
    failed: Option<Error>,
    has_written: bool,
}

impl Answers {
    fn new(rows: usize) -> Self {
        let silence =
            Error::new(Code::Internal, "write rows of several lists", "").because("a list did not answer for it");
        Self { rows: vec![RowOutcome::Unknown(silence); rows], failed: None, has_written: false }
    }

    fn take(&mut self, places: Vec<usize>, answer: Result<Vec<RowOutcome>>, made: impl Fn(RowOutcome) -> RowOutcome) {
        match answer {
            Ok(outcomes) => {
                self.has_written = true;
                for (place, outcome) in places.into_iter().zip(outcomes) {
                    self.rows[place] = made(outcome);
                }
            }
            // Nothing was written of these, which is what the endpoint says by an error.
            Err(error) => {
                for place in places {
                    self.rows[place] = RowOutcome::Refused(error.clone());
                }
                self.failed = Some(error);
            }
        }
    }

    fn all(self) -> Result<Vec<RowOutcome>> {
        match self.failed {
            Some(error) if !self.has_written => Err(error),
            _ => Ok(self.rows),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_without_an_answer_keeps_its_place() {
        let written = |key| RowOutcome::Written { key: Some(vec![key]), version: None };
        let mut answers = Answers::new(3);
        answers.take(vec![0, 1], Ok(vec![written(7)]), |outcome| outcome);
        answers.take(vec![2], Ok(vec![written(9)]), |outcome| outcome);
        let rows = answers.all().unwrap();
        assert!(matches!(&rows[0], RowOutcome::Written { key: Some(key), .. } if key == &[7]));
        assert!(matches!(rows[1], RowOutcome::Unknown(_)));
        assert!(matches!(&rows[2], RowOutcome::Written { key: Some(key), .. } if key == &[9]));
    }
}
