//! Packets ([MS-TDS] 2.2.3): a header of eight bytes, and what it carries.

use std::io::{Error, ErrorKind, Read, Result};

pub const HEADER: usize = 8;

/// The kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Batch = 0x01,
    Call = 0x03,
    Response = 0x04,
    Attention = 0x06,
    Transaction = 0x0e,
    Login = 0x10,
    Prelogin = 0x12,
}

impl Kind {
    pub fn of(byte: u8) -> Result<Self> {
        let all =
            [Self::Batch, Self::Call, Self::Response, Self::Attention, Self::Transaction, Self::Login, Self::Prelogin];
        all.into_iter().find(|kind| *kind as u8 == byte).ok_or_else(|| wrong(format!("a packet of kind {byte:#x}")))
    }
}

pub fn wrong(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidData, why.into())
}

/// A message in packets of 4,096 bytes.
pub fn packets(kind: Kind, message: &[u8]) -> Vec<u8> {
    let parts: Vec<&[u8]> = if message.is_empty() { vec![&[]] } else { message.chunks(4096 - HEADER).collect() };
    let last = parts.len() - 1;
    let mut bytes = Vec::new();
    for (number, part) in parts.into_iter().enumerate() {
        let length = u16::try_from(part.len() + HEADER).unwrap().to_be_bytes();
        let status = u8::from(number == last);
        bytes.extend([kind as u8, status, length[0], length[1], 0, 0, (number + 1) as u8, 0]);
        bytes.extend(part);
    }
    bytes
}

/// Reads one packet: its kind, whether it is the last of its message, what it carries.
pub fn packet(stream: &mut impl Read) -> Result<(Kind, bool, Vec<u8>)> {
    let mut head = [0; HEADER];
    stream.read_exact(&mut head)?;
    let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let mut body = vec![0; length.checked_sub(HEADER).ok_or_else(|| wrong("a packet without its header"))?];
    stream.read_exact(&mut body)?;
    Ok((Kind::of(head[0])?, head[1] & 1 == 1, body))
}

/// What is read from the front of bytes.
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(count).ok_or_else(|| wrong("a message that ends early"))?;
        self.0 = rest;
        Ok(front)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into().unwrap())
    }

    pub fn byte(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub fn short(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn long(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn long_long(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// That many units of UTF-16.
    pub fn text(&mut self, units: usize) -> Result<String> {
        utf16(self.take(units * 2)?)
    }
}

pub fn utf16(bytes: &[u8]) -> Result<String> {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    String::from_utf16(&units).map_err(|_| wrong("a text that is no UTF-16"))
}

/// A text in UTF-16.
pub fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A text behind its length in a byte.
pub fn short_text(text: &str) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(text.encode_utf16().count()).unwrap()];
    bytes.extend(wide(text));
    bytes
}

/// A text behind its length in two bytes.
pub fn long_text(text: &str) -> Vec<u8> {
    let mut bytes = u16::try_from(text.encode_utf16().count()).unwrap().to_le_bytes().to_vec();
    bytes.extend(wide(text));
    bytes
}
