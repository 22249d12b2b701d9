//! Packets of SFTP version 3 (draft-ietf-secsh-filexfer-02).
//!
//! Names and handles are bytes here, as they are in the protocol. The clients of the crates read them as text: names that
//! are not UTF-8 would become other names, and handles of some servers other handles.

use bytes::{Buf as _, Bytes};

/// The version that every server speaks.
pub(super) const VERSION: u32 = 3;

/// Types of packets (section 3).
pub(super) mod kind {
    pub(crate) const INIT: u8 = 1;
    pub(crate) const VERSION: u8 = 2;
    pub(crate) const OPEN: u8 = 3;
    pub(crate) const CLOSE: u8 = 4;
    pub(crate) const READ: u8 = 5;
    pub(crate) const WRITE: u8 = 6;
    pub(crate) const LSTAT: u8 = 7;
    pub(crate) const FSTAT: u8 = 8;
    pub(crate) const SETSTAT: u8 = 9;
    pub(crate) const FSETSTAT: u8 = 10;
    pub(crate) const OPENDIR: u8 = 11;
    pub(crate) const READDIR: u8 = 12;
    pub(crate) const REMOVE: u8 = 13;
    pub(crate) const MKDIR: u8 = 14;
    pub(crate) const RMDIR: u8 = 15;
    pub(crate) const REALPATH: u8 = 16;
    pub(crate) const RENAME: u8 = 18;
    pub(crate) const READLINK: u8 = 19;
    pub(crate) const SYMLINK: u8 = 20;
    pub(crate) const STATUS: u8 = 101;
    pub(crate) const HANDLE: u8 = 102;
    pub(crate) const DATA: u8 = 103;
    pub(crate) const NAME: u8 = 104;
    pub(crate) const ATTRS: u8 = 105;
    pub(crate) const EXTENDED: u8 = 200;
    pub(crate) const EXTENDED_REPLY: u8 = 201;
}

/// How a file is opened (section 6.3).
pub(super) mod open {
    pub(crate) const READ: u32 = 1;
    pub(crate) const WRITE: u32 = 2;
    pub(crate) const CREATE: u32 = 8;
    pub(crate) const EXCLUSIVE: u32 = 0x20;
}

/// Which attributes are there (section 5).
mod flag {
    pub(crate) const SIZE: u32 = 1;
    pub(crate) const OWNER: u32 = 2;
    pub(crate) const PERMISSIONS: u32 = 4;
    pub(crate) const TIMES: u32 = 8;
    pub(crate) const EXTENDED: u32 = 0x8000_0000;
}

/// Attributes of an item (section 5). What is not there is not known, or stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) size: Option<u64>,
    /// The mode with the bits of the type.
    pub(super) permissions: Option<u32>,
    /// When it was modified, in seconds since 1970. The protocol sends the time of access beside it.
    pub(super) mtime: Option<u32>,
}

/// A request that is put together.
pub(super) struct Request(Vec<u8>);

impl Request {
    /// Length and identifier are filled in when it is sent.
    pub(super) fn new(kind: u8) -> Self {
        Self(vec![0, 0, 0, 0, kind, 0, 0, 0, 0])
    }

    pub(super) fn extended(name: &str) -> Self {
        Self::new(kind::EXTENDED).string(name.as_bytes())
    }

    pub(super) fn u32(mut self, number: u32) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub(super) fn u64(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub(super) fn string(mut self, bytes: &[u8]) -> Self {
        self.0.reserve(4 + bytes.len());
        self.0.extend_from_slice(&length(bytes.len()).to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn attributes(self, attributes: &Attributes) -> Self {
        let flags = attributes.size.map_or(0, |_| flag::SIZE)
            | attributes.permissions.map_or(0, |_| flag::PERMISSIONS)
            | attributes.mtime.map_or(0, |_| flag::TIMES);
        let mut request = self.u32(flags);
        if let Some(size) = attributes.size {
            request = request.u64(size);
        }
        if let Some(permissions) = attributes.permissions {
            request = request.u32(permissions);
        }
        if let Some(mtime) = attributes.mtime {
            request = request.u32(mtime).u32(mtime);
        }
        request
    }

    pub(super) fn seal(mut self, id: u32) -> Bytes {
        let size = length(self.0.len() - 4);
        self.0[..4].copy_from_slice(&size.to_be_bytes());
        self.0[5..9].copy_from_slice(&id.to_be_bytes());
        self.0.into()
    }
}

/// A request to write (section 6.4) that is put together in the place from which it is sent.
pub(super) struct Write {
    request: Request,
    /// Where its bytes begin.
    start: usize,
    /// How many they will be.
    size: usize,
}

impl Write {
    pub(super) fn new(handle: &[u8], offset: u64, size: usize) -> Self {
        let mut bytes = Vec::with_capacity(25 + handle.len() + size);
        bytes.extend_from_slice(&[0, 0, 0, 0, kind::WRITE, 0, 0, 0, 0]);
        let request = Request(bytes).string(handle).u64(offset).u32(length(size));
        Self { start: request.0.len(), size, request }
    }

    /// Takes what has room; gives back the rest.
    pub(super) fn fill<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let (taken, rest) = bytes.split_at(bytes.len().min(self.size - self.bytes().len()));
        self.request.0.extend_from_slice(taken);
        rest
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes().len() == self.size
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.request.0[self.start..]
    }

    /// It must be full.
    pub(super) fn into_request(self) -> Request {
        self.request
    }
}

/// Nothing that is sent comes near 4 GiB: paths, and parts of files.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// The first packet of a session, which has no identifier.
pub(super) fn init() -> Bytes {
    let mut packet = vec![0, 0, 0, 5, kind::INIT];
    packet.extend_from_slice(&VERSION.to_be_bytes());
    packet.into()
}

/// An item of a directory as the server lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) name: Bytes,
    /// As `ls -l` shows it.
    pub(super) long: Bytes,
    pub(super) attributes: Attributes,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Status { code: u32, words: String },
    Handle(Bytes),
    Data(Bytes),
    Names(Vec<Listed>),
    Attributes(Attributes),
    Extended(Bytes),
}

/// The version and the extensions by name, in the order of the server.
pub(super) fn version(packet: Bytes) -> Option<(u32, Vec<(Bytes, Bytes)>)> {
    let mut rest = packet;
    if rest.try_get_u8().ok()? != kind::VERSION {
        return None;
    }
    let version = rest.try_get_u32().ok()?;
    let mut extensions = Vec::new();
    while !rest.is_empty() {
        extensions.push((string(&mut rest)?, string(&mut rest)?));
    }
    Some((version, extensions))
}

/// The identifier of the request and the answer to it; `None`: it is no such packet.
pub(super) fn reply(packet: Bytes) -> Option<(u32, Reply)> {
    let mut rest = packet;
    let kind = rest.try_get_u8().ok()?;
    let id = rest.try_get_u32().ok()?;
    let reply = match kind {
        kind::STATUS => {
            let code = rest.try_get_u32().ok()?;
            // Servers of older drafts send no text.
            let words = string(&mut rest).unwrap_or_default();
            Reply::Status { code, words: String::from_utf8_lossy(&words).into_owned() }
        }
        kind::HANDLE => Reply::Handle(string(&mut rest)?),
        kind::DATA => Reply::Data(string(&mut rest)?),
        kind::NAME => {
            let count = rest.try_get_u32().ok()?;
            let mut names = Vec::new();
            for _ in 0..count {
                let (name, long) = (string(&mut rest)?, string(&mut rest)?);
                names.push(Listed { name, long, attributes: attributes(&mut rest)? });
            }
            Reply::Names(names)
        }
        kind::ATTRS => Reply::Attributes(attributes(&mut rest)?),
        kind::EXTENDED_REPLY => Reply::Extended(rest),
        _ => return None,
    };
    Some((id, reply))
}

/// The algorithm and the hash in the answer to `check-file-name`: some servers repeat the name of the answer first.
pub(super) fn checked(mut rest: Bytes) -> Option<(Bytes, Bytes)> {
    let mut algorithm = string(&mut rest)?;
    if algorithm.as_ref() == b"check-file" {
        algorithm = string(&mut rest)?;
    }
    Some((algorithm, rest))
}

fn string(rest: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(rest.try_get_u32().ok()?).ok()?;
    (length <= rest.len()).then(|| rest.split_to(length))
}

fn attributes(rest: &mut Bytes) -> Option<Attributes> {
    let flags = rest.try_get_u32().ok()?;
    let mut attributes = Attributes::default();
    if flags & flag::SIZE != 0 {
        attributes.size = Some(rest.try_get_u64().ok()?);
    }
    if flags & flag::OWNER != 0 {
        rest.try_get_u64().ok()?;
    }
    if flags & flag::PERMISSIONS != 0 {
        attributes.permissions = Some(rest.try_get_u32().ok()?);
    }
    if flags & flag::TIMES != 0 {
        rest.try_get_u32().ok()?;
        attributes.mtime = Some(rest.try_get_u32().ok()?);
    }
    if flags & flag::EXTENDED != 0 {
        for _ in 0..rest.try_get_u32().ok()? {
            string(rest)?;
            string(rest)?;
        }
    }
    Some(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bytes_and_attributes_are_what_the_flags_say() {
        let mut packet = vec![kind::NAME, 0, 0, 0, 7, 0, 0, 0, 1];
        packet.extend_from_slice(&[0, 0, 0, 2, 0xff, b'x', 0, 0, 0, 1, b'-']);
        packet.extend_from_slice(&[0, 0, 0, 0x0f]);
        packet.extend_from_slice(&5_u64.to_be_bytes());
        for number in [1000_u32, 1000, 0o100_644, 1, 2] {
            packet.extend_from_slice(&number.to_be_bytes());
        }
        let (id, Reply::Names(names)) = reply(packet.into()).unwrap() else { panic!() };
        assert_eq!((id, &names[0].name[..]), (7, &b"\xffx"[..]));
        assert_eq!(names[0].attributes, Attributes { size: Some(5), permissions: Some(0o100_644), mtime: Some(2) });
    }

    #[test]
    fn what_is_cut_off_or_lies_about_its_length_is_no_packet() {
        let whole = [kind::HANDLE, 0, 0, 0, 1, 0, 0, 0, 4, 1, 2, 3, 4];
        for length in 0..whole.len() {
            assert_eq!(reply(Bytes::copy_from_slice(&whole[..length])), None, "{length}");
        }
        let many = [kind::NAME, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(reply(Bytes::copy_from_slice(&many)), None);
        let long = [kind::DATA, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0];
        assert_eq!(reply(Bytes::copy_from_slice(&long)), None);
    }

    #[test]
    fn a_write_is_the_request_that_the_draft_has() {
        let mut write = Write::new(b"h", 7, 4);
        assert_eq!(write.fill(b"abc"), b"");
        assert!(!write.is_full());
        assert_eq!(write.fill(b"def"), b"ef");
        assert!(write.is_full());
        let whole = Request::new(kind::WRITE).string(b"h").u64(7).string(b"abcd");
        assert_eq!(write.into_request().seal(9), whole.seal(9));
    }

    #[test]
    fn a_request_is_framed() {
        let packet = Request::new(kind::OPEN).string(b"a").u32(open::READ).attributes(&Attributes::default()).seal(9);
        assert_eq!(&packet[..], [0, 0, 0, 18, 3, 0, 0, 0, 9, 0, 0, 0, 1, b'a', 0, 0, 0, 1, 0, 0, 0, 0]);
    }
}
