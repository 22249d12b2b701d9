//! Rows of a host's own tables, between the JSON objects that the host knows and the values that the engine does. This is the one
//! place that converts them.

use portbook::bridge::{read_value, show_value};
use portbook::endpoint::{
    Collation, ColumnShape, ColumnTraits, ConstraintShape, Page, Refused, TableName, TableShape, TableTraits,
};
use portbook::identity::{RowBatch, RowRef};
use portbook::model::{ConstraintType, Datum, DatumKind, TableType};
use portbook::{Code, Error};
use serde_json::{Map, Value};

use crate::caught::fault;
use crate::records::{HostColumn, HostTable, is};

/// The field of a row that holds its version.
pub(crate) const VERSION: &str = "@version";

/// A table as it was described.
pub(crate) struct Table {
    pub(crate) shape: TableShape,
}

/// What a host's answer is wrong by.
pub(crate) type Wrong = String;

impl Table {
    /// The table that a host describes.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(name: &TableName, table: HostTable, has_versions: bool) -> Result<Self, Wrong> {
        let key = table.key.unwrap_or_default();
        if table.columns.is_empty() {
            return Err("a table without columns".into());
        }
        let mut columns = Vec::with_capacity(table.columns.len() + 1);
        for column in table.columns {
            fault(&column.name);
            let column = shape(column, &key)?;
            if columns.iter().any(|known: &ColumnShape| known.name == column.name) {
                return Err(format!("two columns {:?}", column.name));
            }
            columns.push(column);
        }
        for (at, part) in key.iter().enumerate() {
            if !columns.iter().any(|column| column.name == *part) || key[..at].contains(part) {
                return Err(format!("a key that is not made of its columns: {part:?}"));
            }
        }
        if has_versions {
            columns.push(ColumnShape { is_computed: true, ..blank(VERSION.to_owned(), DatumKind::Text) });
        }
        let constraint = |columns| ConstraintShape {
            name: "key".to_owned(),
            constraint_type: ConstraintType::PrimaryKey,
            columns,
            referenced_table: None,
            definition: None,
        };
        Ok(Self {
            shape: TableShape {
                name: name.clone(),
                table_type: TableType::Base,
                row_estimate: table.row_estimate.and_then(|rows| u64::try_from(rows).ok()),
                columns,
                constraints: if key.is_empty() { Vec::new() } else { vec![constraint(key)] },
                indexes: Vec::new(),
                traits: TableTraits::default(),
            },
        })
    }

    /// What the values of these columns are.
    ///
    /// # Errors
    /// `invalid` for a column that is not there.
    pub(crate) fn columns(&self, names: &[String]) -> portbook::Result<Columns> {
        let one = |name: &String| {
            let found = self.shape.column(name).and_then(|column| Some((column.kind?, column.member)));
            let (kind, member) = found.ok_or_else(|| {
                Error::new(Code::Invalid, "read the table", &self.shape.name)
                    .because(format_args!("it has no column {}", name.escape_debug()))
            })?;
            Ok(Column { name: name.clone(), kind, member })
        };
        Ok(Columns(names.iter().map(one).collect::<portbook::Result<_>>()?))
    }
}

fn shape(column: HostColumn, key: &[String]) -> Result<ColumnShape, Wrong> {
    let HostColumn { name, kind, member, is_nullable, is_computed, max_length, digits, decimal_places } = column;
    let wrong = |why: &str| Err(format!("a column {name:?} {why}"));
    let is_many = |kind| matches!(kind, DatumKind::List | DatumKind::Set);
    let (kind, member): (DatumKind, Option<DatumKind>) = (kind.into(), member.map(Into::into));
    if name.is_empty() || name.starts_with('@') || name.contains('\0') {
        return wrong("whose name cannot be used");
    }
    if kind == DatumKind::Interval || member == Some(DatumKind::Interval) {
        return wrong("of spans of time, which no row of a host can hold");
    }
    if is_many(kind) != member.is_some() || member.is_some_and(is_many) {
        return wrong("that does not say what the members of its lists are, or has members where there are no lists");
    }
    let length = max_length.map(u32::try_from).transpose();
    let digits = digits.map(|digits| Ok((u16::try_from(digits)?, u16::try_from(decimal_places.unwrap_or(0))?)));
    let digits: Option<Result<_, std::num::TryFromIntError>> = digits;
    let (Ok(max_length), Ok(digits)) = (length, digits.transpose()) else {
        return wrong("whose length or digits are out of range");
    };
    Ok(ColumnShape {
        is_nullable: is_nullable.unwrap_or_else(|| !key.contains(&name)),
        is_computed: is(is_computed),
        max_length,
        digits,
        member,
        ..blank(name, kind)
    })
}

fn blank(name: String, kind: DatumKind) -> ColumnShape {
    ColumnShape {
        name,
        data_type: kind.as_str().to_owned(),
        kind: Some(kind),
        member: None,
        is_nullable: true,
        default_value: None,
        is_identity: false,
        is_computed: false,
        max_length: None,
        digits: None,
        second_places: None,
        collation: Collation::default(),
        traits: ColumnTraits { json_doubles: kind == DatumKind::Json, ..ColumnTraits::default() },
    }
}

/// Columns in an order, and what their values are.
#[derive(Clone)]
pub(crate) struct Columns(Vec<Column>);

#[derive(Clone)]
struct Column {
    name: String,
    kind: DatumKind,
    member: Option<DatumKind>,
}

impl Columns {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The rows that a host gave. One with a value that is none of its column is refused alone; a column that a row does not name
    /// is another thing than one that holds nothing.
    ///
    /// # Errors
    /// What is wrong when something else than an object was given.
    pub(crate) fn page(&self, rows: &[String]) -> Result<Page, Wrong> {
        let mut page = Page { rows: RowBatch::new(self.len()), refused: Vec::new() };
        for text in rows {
            let row = object(text)?;
            let mut known = Vec::with_capacity(self.len());
            let mut failure = None;
            for column in &self.0 {
                match column.read(&row) {
                    Ok(value) => known.push((column.name.clone(), value)),
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
            match failure {
                Some(error) => page.refused.push(Refused { known, error }),
                None => {
                    let values: Vec<Datum> = known.into_iter().map(|(_, value)| value).collect();
                    page.rows.push(&values).map_err(|error| error.to_string())?;
                }
            }
        }
        Ok(page)
    }

    /// Rows none of which may be left out.
    ///
    /// # Errors
    /// What is wrong with one.
    pub(crate) fn all(&self, rows: &[String]) -> Result<RowBatch, Wrong> {
        let page = self.page(rows)?;
        match page.refused.first() {
            None => Ok(page.rows),
            Some(refused) => Err(format!("a key that is none: {}", refused.error)),
        }
    }

    /// The row as an object, from the values of `row` that begin at `from`.
    ///
    /// # Errors
    /// `unsupported` for a value that has no form in JSON.
    pub(crate) fn write(&self, row: RowRef<'_>, from: usize, into: &mut Map<String, Value>) -> portbook::Result<()> {
        for (at, column) in self.0.iter().enumerate() {
            let value = show_value(&row.datum(from + at)?).map_err(|error| column.failed(error))?;
            into.insert(column.name.clone(), value);
        }
        Ok(())
    }
}

impl Column {
    fn read(&self, row: &Map<String, Value>) -> portbook::Result<Datum> {
        let missing = || Error::new(Code::Host, "read the column", self.name.escape_debug());
        let value = row.get(&self.name).ok_or_else(|| {
            missing().because("the host's row does not have it").advise("give null where a row holds nothing")
        })?;
        read_value(value, self.kind, self.member).map_err(|error| missing().because(error))
    }

    fn failed(&self, error: Error) -> Error {
        Error::new(error.code(), "write the column", self.name.escape_debug()).because(error)
    }
}

fn object(text: &str) -> Result<Map<String, Value>, Wrong> {
    match serde_json::from_str(text) {
        Ok(Value::Object(row)) => Ok(row),
        Ok(_) | Err(_) => Err("a row that is no JSON object".into()),
    }
}
