//! Types and values, as results and parameters carry them ([MS-TDS] 2.2.5.4 to 2.2.5.6).

use std::io::Result;

use super::wire::{Bytes, utf16, wide, wrong};

/// Latin1_General, which ignores case: as in the examples of the protocol's document.
const COLLATION: [u8; 5] = [0x09, 0x04, 0xd0, 0x00, 0x34];

/// A type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Fixed types, which are never null: `tinyint`, `bit`, `smallint`, `int`, `bigint`, `real`, `float`, `smalldatetime`,
    /// `datetime`, `smallmoney`, `money`. The number is the token.
    Fixed(u8),
    /// Their forms that may be null, of that many bytes.
    Int(u8),
    Bit,
    Float(u8),
    Money(u8),
    DateTime(u8),
    Guid,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Date,
    Time(u8),
    DateTime2(u8),
    DateTimeOffset(u8),
    /// Of that many bytes at most; 0xFFFF: `(max)`.
    NVarChar(u16),
    NChar(u16),
    VarChar(u16),
    Char(u16),
    VarBinary(u16),
    Binary(u16),
    Xml,
    NText,
    /// `sql_variant`, of an `int`.
    Variant,
    /// What a parameter is that is null and nothing else.
    Null,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Null,
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    /// In the order in which people write it.
    Guid([u8; 16]),
    Decimal(i128),
    /// Of 10⁻⁴.
    Money(i64),
    /// Days since the year 1.
    Date(u32),
    /// In steps of the type.
    Time(u64),
    DateTime2(u32, u64),
    /// In UTC, and the minutes that the clock shows more.
    DateTimeOffset(u32, u64, i16),
    /// Days since 1900 and steps of 1/300 second; days and minutes.
    DateTime(i32, u32),
}

pub const MAX: u16 = 0xffff;

impl Type {
    pub const TINYINT: Self = Self::Fixed(0x30);
    pub const BIT: Self = Self::Fixed(0x32);
    pub const SMALLINT: Self = Self::Fixed(0x34);
    pub const INT: Self = Self::Fixed(0x38);
    pub const SMALLDATETIME: Self = Self::Fixed(0x3a);
    pub const REAL: Self = Self::Fixed(0x3b);
    pub const MONEY: Self = Self::Fixed(0x3c);
    pub const DATETIME: Self = Self::Fixed(0x3d);
    pub const FLOAT: Self = Self::Fixed(0x3e);
    pub const SMALLMONEY: Self = Self::Fixed(0x7a);
    pub const BIGINT: Self = Self::Fixed(0x7f);

    /// What describes it: its token, and what it needs beside it.
    pub fn info(self) -> Vec<u8> {
        let sized = |token: u8, size: u16| [&[token], &size.to_le_bytes()[..]].concat();
        let collated = |token, size| [sized(token, size), COLLATION.to_vec()].concat();
        match self {
            Self::Fixed(token) => vec![token],
            Self::Null => vec![0x1f],
            Self::Int(size) => vec![0x26, size],
            Self::Bit => vec![0x68, 1],
            Self::Float(size) => vec![0x6d, size],
            Self::Money(size) => vec![0x6e, size],
            Self::DateTime(size) => vec![0x6f, size],
            Self::Guid => vec![0x24, 16],
            Self::Decimal { precision, scale } => vec![0x6a, 17, precision, scale],
            Self::Date => vec![0x28],
            Self::Time(scale) => vec![0x29, scale],
            Self::DateTime2(scale) => vec![0x2a, scale],
            Self::DateTimeOffset(scale) => vec![0x2b, scale],
            Self::NVarChar(size) => collated(0xe7, size),
            Self::NChar(size) => collated(0xef, size),
            Self::VarChar(size) => collated(0xa7, size),
            Self::Char(size) => collated(0xaf, size),
            Self::VarBinary(size) => sized(0xa5, size),
            Self::Binary(size) => sized(0xad, size),
            Self::Xml => vec![0xf1, 0],
            Self::NText => {
                // A name of its table stands behind it: one part, of no letters.
                [vec![0x63], 0x7fff_fffe_u32.to_le_bytes().to_vec(), COLLATION.to_vec(), vec![1, 1, 0, b't', 0]]
                    .concat()
            }
            Self::Variant => [vec![0x62], 8009_u32.to_le_bytes().to_vec()].concat(),
        }
    }

    fn steps(scale: u8, steps: u64) -> Vec<u8> {
        let size = match scale {
            0..=2 => 3,
            3 | 4 => 4,
            _ => 5,
        };
        steps.to_le_bytes()[..size].to_vec()
    }

    /// A value without its length.
    fn bare(self, cell: &Cell) -> Vec<u8> {
        match (self, cell) {
            (Self::Fixed(0x30) | Self::Int(1), Cell::Int(number)) => vec![*number as u8],
            (Self::Fixed(0x32) | Self::Bit, Cell::Int(number)) => vec![u8::from(*number != 0)],
            (Self::Fixed(0x34) | Self::Int(2), Cell::Int(number)) => (*number as i16).to_le_bytes().to_vec(),
            (Self::Fixed(0x38) | Self::Int(4), Cell::Int(number)) => (*number as i32).to_le_bytes().to_vec(),
            (Self::Fixed(0x7f) | Self::Int(_), Cell::Int(number)) => number.to_le_bytes().to_vec(),
            (Self::Fixed(0x3b) | Self::Float(4), Cell::Float(number)) => (*number as f32).to_le_bytes().to_vec(),
            (Self::Fixed(0x3e) | Self::Float(_), Cell::Float(number)) => number.to_le_bytes().to_vec(),
            (Self::Fixed(0x7a) | Self::Money(4), Cell::Money(number)) => (*number as i32).to_le_bytes().to_vec(),
            // The upper half first.
            (Self::Fixed(0x3c) | Self::Money(_), Cell::Money(number)) => {
                [((*number >> 32) as i32).to_le_bytes(), (*number as u32).to_le_bytes()].concat()
            }
            (Self::Fixed(0x3a) | Self::DateTime(4), Cell::DateTime(days, minutes)) => {
                [(*days as u16).to_le_bytes(), (*minutes as u16).to_le_bytes()].concat()
            }
            (Self::Fixed(0x3d) | Self::DateTime(_), Cell::DateTime(days, steps)) => {
                [days.to_le_bytes(), steps.to_le_bytes()].concat()
            }
            (Self::Guid, Cell::Guid(id)) => mixed(*id).to_vec(),
            (Self::Decimal { .. }, Cell::Decimal(number)) => {
                [vec![u8::from(*number >= 0)], number.unsigned_abs().to_le_bytes().to_vec()].concat()
            }
            (Self::Date, Cell::Date(days)) => days.to_le_bytes()[..3].to_vec(),
            (Self::Time(scale), Cell::Time(steps)) => Self::steps(scale, *steps),
            (Self::DateTime2(scale), Cell::DateTime2(days, steps)) => {
                [Self::steps(scale, *steps), days.to_le_bytes()[..3].to_vec()].concat()
            }
            (Self::DateTimeOffset(scale), Cell::DateTimeOffset(days, steps, minutes)) => {
                [Self::steps(scale, *steps), days.to_le_bytes()[..3].to_vec(), minutes.to_le_bytes().to_vec()].concat()
            }
            (Self::NVarChar(_) | Self::NChar(_) | Self::Xml | Self::NText, Cell::Text(text)) => wide(text),
            (Self::VarChar(_) | Self::Char(_), Cell::Text(text)) => {
                text.chars().map(|letter| u8::try_from(letter).expect("Latin-1")).collect()
            }
            // Texts that are none.
            (Self::NVarChar(_) | Self::NChar(_), Cell::Bytes(bytes))
            | (Self::VarBinary(_) | Self::Binary(_), Cell::Bytes(bytes)) => bytes.clone(),
            (Self::Variant, Cell::Int(number)) => [vec![0x38, 0], (*number as i32).to_le_bytes().to_vec()].concat(),
            (of, cell) => panic!("{cell:?} is no value of {of:?}"),
        }
    }

    /// A value as a row has it.
    pub fn value(self, cell: &Cell) -> Vec<u8> {
        let is_null = *cell == Cell::Null;
        match self {
            Self::Fixed(_) => self.bare(cell),
            Self::Null => Vec::new(),
            Self::NVarChar(MAX) | Self::VarChar(MAX) | Self::VarBinary(MAX) | Self::Xml if is_null => vec![0xff; 8],
            Self::NVarChar(MAX) | Self::VarChar(MAX) | Self::VarBinary(MAX) | Self::Xml => in_chunks(&self.bare(cell)),
            Self::NVarChar(_)
            | Self::NChar(_)
            | Self::VarChar(_)
            | Self::Char(_)
            | Self::VarBinary(_)
            | Self::Binary(_) => {
                if is_null {
                    return vec![0xff, 0xff];
                }
                let bare = self.bare(cell);
                [u16::try_from(bare.len()).unwrap().to_le_bytes().to_vec(), bare].concat()
            }
            Self::NText if is_null => vec![0],
            Self::NText => {
                let bare = self.bare(cell);
                let length = u32::try_from(bare.len()).unwrap().to_le_bytes().to_vec();
                [vec![16], vec![0; 24], length, bare].concat()
            }
            Self::Variant if is_null => vec![0; 4],
            Self::Variant => {
                let bare = self.bare(cell);
                [u32::try_from(bare.len()).unwrap().to_le_bytes().to_vec(), bare].concat()
            }
            _ if is_null => vec![0],
            _ => {
                let bare = self.bare(cell);
                [vec![u8::try_from(bare.len()).unwrap()], bare].concat()
            }
        }
    }

    /// Reads the description of a parameter's type.
    pub fn read(bytes: &mut Bytes<'_>) -> Result<Self> {
        let token = bytes.byte()?;
        Ok(match token {
            0x1f => Self::Null,
            0x26 => Self::Int(bytes.byte()?),
            0x68 => (bytes.byte()?, Self::Bit).1,
            0x6d => Self::Float(bytes.byte()?),
            0x6f => Self::DateTime(bytes.byte()?),
            0x24 => (bytes.byte()?, Self::Guid).1,
            0x6a | 0x6c => {
                bytes.byte()?;
                Self::Decimal { precision: bytes.byte()?, scale: bytes.byte()? }
            }
            0x28 => Self::Date,
            0x29 => Self::Time(bytes.byte()?),
            0x2a => Self::DateTime2(bytes.byte()?),
            0x2b => Self::DateTimeOffset(bytes.byte()?),
            0xe7 => Self::NVarChar((bytes.short()?, bytes.array::<5>()?).0),
            0xa5 => Self::VarBinary(bytes.short()?),
            other => return Err(wrong(format!("a parameter of type {other:#x}"))),
        })
    }

    /// Reads a value of it.
    pub fn read_value(self, bytes: &mut Bytes<'_>) -> Result<Cell> {
        let bare = match self {
            Self::Null => return Ok(Cell::Null),
            Self::NVarChar(MAX) | Self::VarBinary(MAX) => match chunks(bytes)? {
                Some(bare) => bare,
                None => return Ok(Cell::Null),
            },
            Self::NVarChar(_) | Self::VarBinary(_) => match bytes.short()? {
                0xffff => return Ok(Cell::Null),
                length => bytes.take(length.into())?.to_vec(),
            },
            _ => match bytes.byte()? {
                0 => return Ok(Cell::Null),
                length => bytes.take(length.into())?.to_vec(),
            },
        };
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let days = |bytes: &[u8]| number(&bytes[bytes.len() - 3..]) as u32;
        Ok(match self {
            Self::NVarChar(_) => Cell::Text(utf16(&bare)?),
            Self::VarBinary(_) => Cell::Bytes(bare),
            Self::Int(size) => {
                let shift = 64 - 8 * u32::from(size);
                let signed = ((number(&bare) << shift) as i64) >> shift;
                Cell::Int(if size == 1 { number(&bare) as i64 } else { signed })
            }
            Self::Bit => Cell::Int(bare[0].into()),
            Self::Float(4) => Cell::Float(f32::from_le_bytes(bare.try_into().unwrap()).into()),
            Self::Float(_) => Cell::Float(f64::from_le_bytes(bare.try_into().unwrap())),
            Self::Guid => Cell::Guid(mixed(bare.try_into().unwrap())),
            Self::Decimal { .. } => {
                let size = bare[1..].iter().rev().fold(0_i128, |number, byte| number << 8 | i128::from(*byte));
                Cell::Decimal(if bare[0] == 1 { size } else { -size })
            }
            Self::Date => Cell::Date(number(&bare) as u32),
            Self::Time(_) => Cell::Time(number(&bare)),
            Self::DateTime2(_) => Cell::DateTime2(days(&bare), number(&bare[..bare.len() - 3])),
            Self::DateTimeOffset(_) => {
                let (at, minutes) = bare.split_at(bare.len() - 2);
                let minutes = i16::from_le_bytes([minutes[0], minutes[1]]);
                Cell::DateTimeOffset(days(at), number(&at[..at.len() - 3]), minutes)
            }
            other => return Err(wrong(format!("a parameter of {other:?}"))),
        })
    }
}

/// The first three groups of a UUID have their bytes turned round.
fn mixed(mut id: [u8; 16]) -> [u8; 16] {
    id[..4].reverse();
    id[4..6].reverse();
    id[6..8].reverse();
    id
}

/// A value that comes in chunks ([MS-TDS] 2.2.5.2.3): here of 7 bytes, so that there are several.
fn in_chunks(bare: &[u8]) -> Vec<u8> {
    let mut bytes = (bare.len() as u64).to_le_bytes().to_vec();
    for chunk in bare.chunks(7) {
        bytes.extend(u32::try_from(chunk.len()).unwrap().to_le_bytes());
        bytes.extend(chunk);
    }
    bytes.extend([0; 4]);
    bytes
}

fn chunks(bytes: &mut Bytes<'_>) -> Result<Option<Vec<u8>>> {
    if bytes.long_long()? == u64::MAX {
        return Ok(None);
    }
    let mut bare = Vec::new();
    loop {
        match bytes.long()? {
            0 => return Ok(Some(bare)),
            length => bare.extend(bytes.take(length as usize)?),
        }
    }
}
