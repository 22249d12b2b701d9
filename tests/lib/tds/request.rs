//! What a client asks for.

use std::io::Result;

use super::types::{Cell, Type};
use super::wire::{Bytes, Kind, utf16, wrong};

/// How a transaction is isolated ([MS-TDS] 2.2.6.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    Current,
    ReadCommitted,
    Serializable,
    Snapshot,
    Other(u8),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// A batch, or a call of `sp_executesql` with its parameters; of another procedure, its name is the text.
    Sql {
        sql: String,
        types: String,
        values: Vec<Cell>,
    },
    Begin(Isolation),
    Commit,
    Rollback,
    Attention,
}

impl Request {
    pub fn sql(&self) -> Option<&str> {
        match self {
            Self::Sql { sql, .. } => Some(sql),
            _ => None,
        }
    }

    pub fn values(&self) -> &[Cell] {
        match self {
            Self::Sql { values, .. } => values,
            _ => &[],
        }
    }
}

/// Reads a message of that kind.
pub fn read_request(kind: Kind, message: &[u8]) -> Result<Request> {
    let mut bytes = Bytes(message);
    match kind {
        Kind::Batch => {
            headers(&mut bytes)?;
            Ok(Request::Sql { sql: utf16(bytes.0)?, types: String::new(), values: Vec::new() })
        }
        Kind::Call => {
            headers(&mut bytes)?;
            call(&mut bytes)
        }
        Kind::Transaction => {
            headers(&mut bytes)?;
            match bytes.short()? {
                5 => Ok(Request::Begin(match bytes.byte()? {
                    0 => Isolation::Current,
                    2 => Isolation::ReadCommitted,
                    4 => Isolation::Serializable,
                    5 => Isolation::Snapshot,
                    other => Isolation::Other(other),
                })),
                7 => Ok(Request::Commit),
                8 => Ok(Request::Rollback),
                other => Err(wrong(format!("request {other} about a transaction"))),
            }
        }
        Kind::Attention => Ok(Request::Attention),
        other => Err(wrong(format!("a message of kind {other:?}"))),
    }
}

/// ALL_HEADERS ([MS-TDS] 2.2.5.3), which say which transaction it is in.
fn headers(bytes: &mut Bytes<'_>) -> Result<()> {
    let length = bytes.long()? as usize;
    bytes.take(length.checked_sub(4).ok_or_else(|| wrong("headers without their length"))?).map(drop)
}

const EXECUTE_SQL: u16 = 10;

fn call(bytes: &mut Bytes<'_>) -> Result<Request> {
    let name = match bytes.short()? {
        0xffff => match bytes.short()? {
            EXECUTE_SQL => None,
            other => return Err(wrong(format!("a call of procedure {other}"))),
        },
        length => Some(bytes.text(length.into())?),
    };
    bytes.short()?;
    let mut values = Vec::new();
    while !bytes.0.is_empty() {
        let length = bytes.byte()?;
        bytes.text(length.into())?;
        bytes.byte()?;
        values.push(Type::read(bytes)?.read_value(bytes)?);
    }
    if let Some(sql) = name.filter(|name| name != "sp_executesql") {
        return Ok(Request::Sql { sql, types: String::new(), values });
    }
    let mut texts = values.drain(..values.len().min(2));
    let (sql, types) = (texts.next(), texts.next());
    drop(texts);
    match (sql, types) {
        (Some(Cell::Text(sql)), Some(Cell::Text(types))) => Ok(Request::Sql { sql, types, values }),
        (Some(Cell::Text(sql)), _) => Ok(Request::Sql { sql, types: String::new(), values }),
        _ => Err(wrong("a call of sp_executesql without a statement")),
    }
}
