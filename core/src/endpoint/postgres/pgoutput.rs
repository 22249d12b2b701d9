//! Messages of the output plugin `pgoutput`, as far as the keys of changed rows need them.
//!
//! The format is that of the manual's page "Logical Replication Message Formats", protocol version 1: a byte for the kind,
//! integers in network order, texts that end with a zero byte. Values come in binary form where the plugin is asked to
//! (`binary`, since version 14).

use crate::error::{Code, Error, Result};

/// A message that says something of rows.
#[derive(Debug, PartialEq)]
pub(super) enum Message<'a> {
    /// What a table looks like, before its first change: its number, schema and name, and its columns in their order.
    Relation { number: u32, schema: &'a str, name: &'a str, columns: Vec<&'a str> },
    /// A row of the table changed: what it was by (its old key, or all of it), and what it is now.
    Row { number: u32, old: Option<Vec<Cell<'a>>>, new: Option<Vec<Cell<'a>>> },
    /// All rows of these tables are gone.
    Truncate { numbers: Vec<u32> },
    /// The beginning or the end of a transaction, a type, an origin.
    Other,
}

/// A value of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    Null,
    /// It lies beside the table, did not change, and is left out.
    Unchanged,
    /// As text, where the type has no binary form.
    Text(&'a [u8]),
    Binary(&'a [u8]),
}

fn malformed() -> Error {
    Error::new(Code::Storage, "read the log of", "the database").because("a message is in a form that is not known")
}

/// Reads one message.
///
/// # Errors
/// `storage` when it is none.
pub(super) fn read(bytes: &[u8]) -> Result<Message<'_>> {
    let mut rest = Rest(bytes);
    Ok(match rest.byte()? {
        b'R' => {
            let (number, schema, name) = (rest.number()?, rest.text()?, rest.text()?);
            rest.byte()?;
            let count = rest.short()?;
            let mut columns = Vec::with_capacity(count.into());
            for _ in 0..count {
                rest.byte()?;
                columns.push(rest.text()?);
                rest.number()?;
                rest.number()?;
            }
            Message::Relation { number, schema, name, columns }
        }
        b'I' => {
            let number = rest.number()?;
            rest.expect(b'N')?;
            Message::Row { number, old: None, new: Some(rest.tuple()?) }
        }
        b'U' => {
            let number = rest.number()?;
            let mut kind = rest.byte()?;
            let mut old = None;
            if kind == b'K' || kind == b'O' {
                old = Some(rest.tuple()?);
                kind = rest.byte()?;
            }
            if kind != b'N' {
                return Err(malformed());
            }
            Message::Row { number, old, new: Some(rest.tuple()?) }
        }
        b'D' => {
            let number = rest.number()?;
            match rest.byte()? {
                b'K' | b'O' => Message::Row { number, old: Some(rest.tuple()?), new: None },
                _ => return Err(malformed()),
            }
        }
        b'T' => {
            let count = rest.number()?;
            rest.byte()?;
            Message::Truncate { numbers: (0..count).map(|_| rest.number()).collect::<Result<_>>()? }
        }
        b'B' | b'C' | b'O' | b'Y' | b'M' => Message::Other,
        _ => return Err(malformed()),
    })
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or_else(malformed)?;
        self.0 = tail;
        Ok(*head)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take::<1>()?[0])
    }

    fn short(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(self.take()?))
    }

    fn number(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.take()?))
    }

    fn expect(&mut self, kind: u8) -> Result<()> {
        if self.byte()? == kind { Ok(()) } else { Err(malformed()) }
    }

    fn text(&mut self) -> Result<&'a str> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or_else(malformed)?;
        let (text, tail) = self.0.split_at(end);
        self.0 = tail.get(1..).ok_or_else(malformed)?;
        std::str::from_utf8(text).map_err(|_| malformed())
    }

    fn tuple(&mut self) -> Result<Vec<Cell<'a>>> {
        let count = self.short()?;
        (0..count).map(|_| self.cell()).collect()
    }

    fn cell(&mut self) -> Result<Cell<'a>> {
        let kind = self.byte()?;
        if matches!(kind, b'n' | b'u') {
            return Ok(if kind == b'n' { Cell::Null } else { Cell::Unchanged });
        }
        let length = usize::try_from(self.number()?).map_err(|_| malformed())?;
        let (bytes, tail) = self.0.split_at_checked(length).ok_or_else(malformed)?;
        self.0 = tail;
        match kind {
            b't' => Ok(Cell::Text(bytes)),
            b'b' => Ok(Cell::Binary(bytes)),
            _ => Err(malformed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_update_of_a_key_has_both() {
        let mut bytes = vec![b'U', 0, 0, 0, 9, b'K', 0, 2, b'b', 0, 0, 0, 2, 0, 1, b'n'];
        bytes.extend([b'N', 0, 2, b'b', 0, 0, 0, 2, 0, 2, b'u']);
        let old = Some(vec![Cell::Binary(&[0, 1]), Cell::Null]);
        let new = Some(vec![Cell::Binary(&[0, 2]), Cell::Unchanged]);
        assert_eq!(read(&bytes).unwrap(), Message::Row { number: 9, old, new });
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn a_table_names_its_columns() {
        let mut bytes = vec![b'R', 0, 0, 0, 9];
        bytes.extend(b"public\0t\0d");
        bytes.extend([0, 1, 1]);
        bytes.extend(b"id\0");
        bytes.extend([0, 0, 0, 23, 255, 255, 255, 255]);
        let relation = Message::Relation { number: 9, schema: "public", name: "t", columns: vec!["id"] };
        assert_eq!(read(&bytes).unwrap(), relation);
    }

    proptest! {
        #[test]
        fn bytes_from_outside_are_refused_or_a_message(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            drop(read(&bytes));
        }
    }
}
