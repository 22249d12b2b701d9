//! Who logs in (LOGIN7, [MS-TDS] 2.2.6.4).

use std::io::Result;

use super::wire::{Bytes, utf16, wrong};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The version of the protocol that the client speaks.
    pub version: u32,
    pub packet_size: u32,
    pub host: String,
    pub user: String,
    pub password: String,
    pub application: String,
    pub server: String,
    pub library: String,
    pub database: String,
}

impl Login {
    /// Reads what a LOGIN7 carries.
    pub fn read(message: &[u8]) -> Result<Self> {
        let mut front = Bytes(message);
        if front.long()? as usize != message.len() {
            return Err(wrong("a login of another length than it says"));
        }
        let (version, packet_size) = (front.long()?, front.long()?);
        // Where it is in the message, and how many units of UTF-16 it has: in pairs from here on.
        let field = |at: usize| -> Result<&[u8]> {
            let mut pair = Bytes(message.get(at..).unwrap_or_default());
            let (place, units) = (usize::from(pair.short()?), usize::from(pair.short()?));
            message.get(place..place + units * 2).ok_or_else(|| wrong("a login that points behind its end"))
        };
        let text = |at| field(at).and_then(utf16);
        // Each byte has its halves swapped and is turned over with 0xA5.
        let hidden: Vec<u8> = field(44)?.iter().map(|byte| (byte ^ 0xa5).rotate_left(4)).collect();
        Ok(Self {
            version,
            packet_size,
            host: text(36)?,
            user: text(40)?,
            password: utf16(&hidden)?,
            application: text(48)?,
            server: text(52)?,
            library: text(60)?,
            database: text(68)?,
        })
    }
}
