//! What a server answers ([MS-TDS] 2.2.7): results, errors, what changed in the session.

use super::request::Request;
use super::types::{Cell, Type};
use super::wire::{long_text, short_text, wide};

const DONE: u8 = 0xfd;
const DONE_IN_PROC: u8 = 0xff;
const MORE: u16 = 0x01;
const ERROR: u16 = 0x02;
const COUNT: u16 = 0x10;
const INTERRUPTED: u16 = 0x20;
const SELECT: u16 = 0xc1;

/// The rows of one statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    pub columns: Vec<(String, Type)>,
    pub rows: Vec<Vec<Cell>>,
}

/// What goes wrong on the way.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// The line breaks before anything was said.
    Cut,
    /// It breaks after that many bytes of the answer.
    CutAfter(usize),
    /// These bytes are said instead.
    Raw(Vec<u8>),
}

/// Everything that is answered to a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub results: Vec<Results>,
    /// Number, class, sentence.
    pub error: Option<(u32, u8, String)>,
    /// The kind of a change of the session, its new and its old value.
    pub changes: Vec<(u8, Vec<u8>, Vec<u8>)>,
    /// That nothing of it comes any more, as was wished.
    pub is_interrupted: bool,
    pub trouble: Option<Trouble>,
}

impl Answer {
    /// That it is done.
    pub fn nothing() -> Self {
        Self::default()
    }

    pub fn of(results: Vec<Results>) -> Self {
        Self { results, ..Self::default() }
    }

    /// The rows of one statement.
    pub fn rows(columns: &[(&str, Type)], rows: Vec<Vec<Cell>>) -> Self {
        let columns = columns.iter().map(|(name, of)| ((*name).to_owned(), *of)).collect();
        Self::of(vec![Results { columns, rows }])
    }

    pub fn fails(number: u32, class: u8, sentence: &str) -> Self {
        Self { error: Some((number, class, sentence.to_owned())), ..Self::default() }
    }

    pub fn troubled(trouble: Trouble) -> Self {
        Self { trouble: Some(trouble), ..Self::default() }
    }

    /// That a transaction of that number has begun.
    pub fn begun(number: u64) -> Self {
        Self { changes: vec![(8, number.to_le_bytes().to_vec(), Vec::new())], ..Self::default() }
    }

    /// That it has ended.
    pub fn ended(how: &Request, number: u64) -> Self {
        let kind = if *how == Request::Commit { 9 } else { 10 };
        Self { changes: vec![(kind, Vec::new(), number.to_le_bytes().to_vec())], ..Self::default() }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, new, old) in &self.changes {
            let value = |bytes: &[u8]| [vec![u8::try_from(bytes.len()).unwrap()], bytes.to_vec()].concat();
            change(&mut bytes, *kind, &value(new), &value(old));
        }
        let last = self.results.len();
        for (at, results) in self.results.iter().enumerate() {
            let more = if at + 1 < last || self.error.is_some() { MORE } else { 0 };
            results.encode(&mut bytes);
            done(
                &mut bytes,
                if more == 0 { DONE } else { DONE_IN_PROC },
                COUNT | more,
                SELECT,
                results.rows.len() as u64,
            );
        }
        if let Some((number, class, sentence)) = &self.error {
            said(&mut bytes, 0xaa, *number, 1, *class, sentence);
            done(&mut bytes, DONE, ERROR, 0, 0);
        } else if self.results.is_empty() {
            done(&mut bytes, DONE, if self.is_interrupted { INTERRUPTED } else { 0 }, 0, 0);
        }
        bytes
    }
}

impl Results {
    /// COLMETADATA and rows: each second one in the form that leaves nulls out (NBCROW).
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(0x81);
        bytes.extend(u16::try_from(self.columns.len()).unwrap().to_le_bytes());
        for (at, (name, of)) in self.columns.iter().enumerate() {
            let may_be_null = self.rows.iter().any(|row| row[at] == Cell::Null);
            bytes.extend([0; 4]);
            // Computed, as the columns of a query are.
            bytes.extend([0x20 | u8::from(may_be_null), 0]);
            bytes.extend(of.info());
            bytes.extend(short_text(name));
        }
        for (at, row) in self.rows.iter().enumerate() {
            assert_eq!(row.len(), self.columns.len(), "a row has a value for each column");
            let cells = row.iter().zip(&self.columns);
            if at % 2 == 0 {
                bytes.push(0xd1);
                cells.for_each(|(cell, (_, of))| bytes.extend(of.value(cell)));
            } else {
                bytes.push(0xd2);
                let mut nulls = vec![0_u8; row.len().div_ceil(8)];
                row.iter()
                    .enumerate()
                    .for_each(|(at, cell)| nulls[at / 8] |= u8::from(*cell == Cell::Null) << (at % 8));
                bytes.extend(nulls);
                cells.filter(|(cell, _)| **cell != Cell::Null).for_each(|(cell, (_, of))| bytes.extend(of.value(cell)));
            }
        }
    }
}

fn done(bytes: &mut Vec<u8>, token: u8, status: u16, command: u16, rows: u64) {
    bytes.push(token);
    bytes.extend(status.to_le_bytes());
    bytes.extend(command.to_le_bytes());
    bytes.extend(rows.to_le_bytes());
}

/// An error (0xAA) or a note (0xAB).
fn said(bytes: &mut Vec<u8>, token: u8, number: u32, state: u8, class: u8, sentence: &str) {
    let mut body = number.to_le_bytes().to_vec();
    body.extend([state, class]);
    body.extend(long_text(sentence));
    // Of which server, in which procedure, in which line.
    body.extend(short_text(""));
    body.extend(short_text(""));
    body.extend([0; 4]);
    bytes.push(token);
    bytes.extend(u16::try_from(body.len()).unwrap().to_le_bytes());
    bytes.extend(body);
}

fn change(bytes: &mut Vec<u8>, kind: u8, new: &[u8], old: &[u8]) {
    bytes.push(0xe3);
    bytes.extend(u16::try_from(1 + new.len() + old.len()).unwrap().to_le_bytes());
    bytes.push(kind);
    bytes.extend(new);
    bytes.extend(old);
}

/// What is answered to whoever is let in: database, collation, language, size of packets, and that the login stands.
pub fn login_response(database: &str, version: u32, packet_size: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let size = packet_size.min(4096).to_string();
    change(&mut bytes, 1, &short_text(database), &short_text("master"));
    said(&mut bytes, 0xab, 5701, 2, 0, &format!("Changed database context to '{database}'."));
    change(&mut bytes, 7, &[&[5], &[0x09, 0x04, 0xd0, 0x00, 0x34][..]].concat(), &[0]);
    change(&mut bytes, 2, &short_text("us_english"), &short_text(""));
    change(&mut bytes, 4, &short_text(&size), &short_text("4096"));
    said(&mut bytes, 0xab, 5703, 1, 0, "Changed language setting to us_english.");
    let name = "Microsoft SQL Server\0\0";
    let mut body = vec![1];
    body.extend(version.to_be_bytes());
    body.push(u8::try_from(name.len()).unwrap());
    body.extend(wide(name));
    body.extend([0; 4]);
    bytes.push(0xad);
    bytes.extend(u16::try_from(body.len()).unwrap().to_le_bytes());
    bytes.extend(body);
    done(&mut bytes, DONE, 0, 0, 0);
    bytes
}
