//! What a table looks like, whichever store has it.

use serde::{Deserialize, Serialize};

use crate::model::{ConstraintType, DatumKind, TableType, Tick, Unreal};

/// The name of a table, list or model.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TableName {
    /// Its schema; empty where there are none.
    pub schema: String,
    /// Its name, as the store has it.
    pub name: String,
}

impl TableName {
    /// A table of a schema.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: schema.into(), name: name.into() }
    }
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.schema.is_empty() { f.write_str(&self.name) } else { write!(f, "{}.{}", self.schema, self.name) }
    }
}

/// A table as a list of tables shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableEntry {
    /// Its name.
    pub name: TableName,
    /// What it is.
    pub table_type: TableType,
    /// How many rows it has, about; nothing where the store does not estimate.
    pub row_estimate: Option<u64>,
}

/// What is known of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableShape {
    /// Its name.
    pub name: TableName,
    /// What it is.
    pub table_type: TableType,
    /// How many rows it has, about.
    pub row_estimate: Option<u64>,
    /// Its columns, in their order.
    pub columns: Vec<ColumnShape>,
    /// Its constraints.
    pub constraints: Vec<ConstraintShape>,
    /// Its indexes.
    pub indexes: Vec<IndexShape>,
    /// What its store says about it besides.
    pub traits: TableTraits,
}

/// What a store says about a table besides what it is made of. The default is one that says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableTraits {
    /// What people are told about it.
    pub description: Option<String>,
    /// What it was made as (a template of SharePoint's).
    pub template: Option<String>,
    /// When anything in it was last changed.
    pub modified_at: Option<Tick>,
}

impl TableShape {
    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ColumnShape> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The names of the columns of the primary key; empty when there is none.
    #[must_use]
    pub fn primary_key(&self) -> &[String] {
        let of_key = |constraint: &&ConstraintShape| constraint.constraint_type == ConstraintType::PrimaryKey;
        self.constraints.iter().find(of_key).map_or(&[], |constraint| &constraint.columns)
    }
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnShape {
    /// Its name.
    pub name: String,
    /// Its type, in the words of its store.
    pub data_type: String,
    /// What its values are; nothing when the type is one that is not carried (it is refused, never made text of).
    pub kind: Option<DatumKind>,
    /// What the members are, where its values are lists or sets.
    pub member: Option<DatumKind>,
    /// Whether it may hold nothing.
    pub is_nullable: bool,
    /// Its default, in the words of its store.
    pub default_value: Option<String>,
    /// Whether the store numbers it.
    pub is_identity: bool,
    /// Whether the store computes it (generated columns, row versions, system fields): it is read, never written.
    pub is_computed: bool,
    /// The most characters that a text may have, or bytes that bytes may have.
    pub max_length: Option<u32>,
    /// The digits of a decimal, and how many of them are after the point.
    pub digits: Option<(u16, u16)>,
    /// How many decimal places of a second its times have.
    pub second_places: Option<u8>,
    /// What its texts are equal by.
    pub collation: Collation,
    /// What else it does with values.
    pub traits: ColumnTraits,
}

/// What a column does with values beyond its kind and its size. The default is a column that keeps what it is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnTraits {
    /// The smallest and the largest whole number that it holds; nothing: any.
    pub range: Option<(i128, i128)>,
    /// The first and the last day that it holds, in days since 1970-01-01; nothing: any.
    pub days: Option<(i32, i32)>,
    /// Its floats have single precision.
    pub is_single: bool,
    /// Whether it holds NaN and the infinities; nothing: floats do, decimals do not.
    pub holds_non_finite: Option<bool>,
    /// The dates and times that are none and that it holds nevertheless.
    pub unreal: Vec<Unreal>,
    /// What [`max_length`](ColumnShape::max_length) counts in texts.
    pub length_unit: LengthUnit,
    /// The texts that it takes (choices, enumerations); empty: any.
    pub choices: Vec<String>,
    /// Its texts are filled up with spaces (`CHAR(n)`): spaces at the end are not part of them.
    pub pads: bool,
    /// It writes line ends its own way, so that only LF can be compared (SharePoint's texts of several lines).
    pub rewrites_line_ends: bool,
    /// It cannot tell an empty text, list or set from nothing.
    pub empty_is_null: bool,
    /// It holds days as the point in time at which they begin in this zone (SharePoint's `dateOnly` by the zone of its
    /// site).
    pub day_zone: Option<chrono_tz::Tz>,
    /// What people see as its name, where programs have another one for it (SharePoint).
    pub shown_as: Option<String>,
    /// People have to fill it in, programs may leave it out (SharePoint).
    pub is_required: bool,
    /// The steps in which its times go.
    pub time_steps: TimeSteps,
    /// Numbers in its JSON that are not whole, or have more than 64 bits, are doubles (MySQL).
    pub json_doubles: bool,
}

/// The steps in which the times of a column go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeSteps {
    /// As [`second_places`](ColumnShape::second_places) says.
    #[default]
    Decimal,
    /// 300 a second, shown in thousandths: 0, 3, 7, 10 … (SQL Server's `datetime`).
    ThreeHundredths,
    /// Whole minutes (`smalldatetime`).
    Minutes,
}

/// What the length of a text counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LengthUnit {
    /// Unicode scalar values (PostgreSQL, MySQL, SQLite).
    #[default]
    Characters,
    /// Units of UTF-16 (SQL Server's `nvarchar`, SharePoint).
    Utf16,
    /// Bytes of UTF-8 (SQL Server's `varchar` with a UTF-8 collation).
    Bytes,
}

/// What texts of a column are equal by, as its unique indexes have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collation {
    /// Its name in the store; empty: the usual one.
    pub name: String,
    /// Upper and lower case are the same.
    pub ignores_case: bool,
    /// Letters with and without accents are the same.
    pub ignores_accents: bool,
    /// Spaces at the end are no matter (`PAD SPACE`).
    pub ignores_trailing_spaces: bool,
}

impl Collation {
    /// Whether texts of different bytes may be equal.
    #[must_use]
    pub fn folds(&self) -> bool {
        self.ignores_case || self.ignores_accents || self.ignores_trailing_spaces
    }
}

/// A constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConstraintShape {
    /// Its name.
    pub name: String,
    /// What it says.
    pub constraint_type: ConstraintType,
    /// Its columns, in its order.
    pub columns: Vec<String>,
    /// The table that it refers to.
    pub referenced_table: Option<TableName>,
    /// It in the words of its store.
    pub definition: Option<String>,
}

/// An index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexShape {
    /// Its name.
    pub name: String,
    /// Whether no two rows have the same.
    pub is_unique: bool,
    /// Whether it covers all rows, and columns only (no expression, no condition).
    pub is_plain: bool,
    /// How it is built.
    pub method: Option<String>,
    /// Its columns; expressions are left out.
    pub columns: Vec<String>,
    /// It in the words of its store.
    pub definition: Option<String>,
}
