//! What a list is asked for, and where its next page begins.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::error::{Code, Error, Result};
use crate::model::{Column, Stored, Value};

/// Which rows a list holds, and in which order.
///
/// Lists are served by the indexes of the specification: a filter that none serves is refused rather than answered by
/// reading the whole table.
///
/// ```
/// use portbook::model::Driver;
/// use portbook::table::Filter;
/// let s3 = Filter::all().equal("driver", &Driver::S3).latest_first();
/// # drop(s3);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    pub(super) comparisons: Vec<Comparison>,
    pub(super) with_deleted: bool,
    pub(super) latest_first: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Comparison {
    pub(super) column: String,
    /// None: the column holds nothing.
    pub(super) value: Option<Value>,
}

impl Filter {
    /// Every row that is not deleted, in the order of creation.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Only rows whose column holds this; nothing for an empty option.
    #[must_use]
    pub fn equal<C: Column>(self, column: &str, value: &C) -> Self {
        self.equal_value(column, value.value())
    }

    pub(crate) fn equal_value(mut self, column: &str, value: Value) -> Self {
        let value = Some(value).filter(|v| *v != Value::Null);
        self.comparisons.push(Comparison { column: column.to_owned(), value });
        self
    }

    /// Deleted rows, too.
    #[must_use]
    pub fn with_deleted(mut self) -> Self {
        self.with_deleted = true;
        self
    }

    /// The last made first, where the list has no order of its own.
    #[must_use]
    pub fn latest_first(mut self) -> Self {
        self.latest_first = true;
        self
    }
}

/// Rows of a list, and where to go on.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The rows in order.
    pub rows: Vec<Stored<T>>,
    /// What to give for the next page; none at the end.
    pub next: Option<PageKey>,
}

/// Where the next page of a list begins. Its text is for hosts to carry, not to read.
#[derive(Clone, Debug, PartialEq)]
pub struct PageKey {
    pub(crate) latest: Option<Value>,
    pub(crate) order: Value,
}

impl fmt::Display for PageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Value::Time(time)) = &self.latest {
            write!(f, "{time}.")?;
        }
        match &self.order {
            Value::Int(number) => write!(f, "{number}"),
            Value::Uuid(id) => id.fmt(f),
            other => write!(f, "{other:?}"),
        }
    }
}

impl FromStr for PageKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::new(Code::Invalid, "go on with a list", "").because("this is not where a page ended");
        let (latest, order) = match text.split_once('.') {
            Some((time, order)) => (Some(Value::Time(time.parse().map_err(|_| wrong())?)), order),
            None => (None, text),
        };
        let order = match order.parse() {
            Ok(number) => Value::Int(number),
            Err(_) => Value::Uuid(Uuid::parse_str(order).map_err(|_| wrong())?),
        };
        Ok(Self { latest, order })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_key_survives_as_text() {
        for order in [Value::Int(7), Value::Uuid(Uuid::from_u128(9))] {
            for latest in [None, Some(Value::Time(-5))] {
                let key = PageKey { latest, order: order.clone() };
                assert_eq!(key.to_string().parse::<PageKey>().unwrap(), key);
            }
        }
        assert_eq!("x".parse::<PageKey>().unwrap_err().code(), Code::Invalid);
    }
}
