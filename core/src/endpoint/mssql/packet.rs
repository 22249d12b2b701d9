//! The packets that open a connection: PRELOGIN, by which client and server agree on encryption ([MS-TDS] 2.2.3.1 and
//! 2.2.6.5). Everything else is spoken by the driver.
//!
//! A packet is a header of eight bytes (kind, status, length with the header in network order, process, number, window)
//! and what it carries. A PRELOGIN is a list of options (a byte for which, two for where, two for how long, both in network
//! order) that ends with 0xFF, and behind it what the options say.

/// Bytes before what a packet carries.
pub(super) const HEADER: usize = 8;

/// The kind of a PRELOGIN, and of packets that wrap the TLS handshake.
pub(super) const PRELOGIN: u8 = 0x12;

/// The status of the last packet of a message.
const LAST: u8 = 0x01;

/// What a packet carries at most before anything else was agreed on.
const CARRIED: usize = 4096 - HEADER;

const OPTION_VERSION: u8 = 0x00;
const OPTION_ENCRYPTION: u8 = 0x01;
const OPTION_INSTANCE: u8 = 0x02;
const OPTION_THREAD: u8 = 0x03;
const OPTION_MARS: u8 = 0x04;
const OPTIONS_END: u8 = 0xff;

/// Everything is encrypted, if the server can.
const ENCRYPT_ON: u8 = 0x01;
/// Encryption is not to be had.
const ENCRYPT_NOT_SUPPORTED: u8 = 0x02;
/// The server insists on it.
const ENCRYPT_REQUIRED: u8 = 0x03;
/// TLS came first. The document does not say what is to be written then; Microsoft's client for Go writes this.
const ENCRYPT_STRICT: u8 = 0x04;

/// A message in as many packets as it takes.
pub(super) fn packets(kind: u8, message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(message.len() + HEADER);
    let mut parts = message.chunks(CARRIED).peekable();
    let mut number: u8 = 0;
    while let Some(part) = parts.next() {
        let status = if parts.peek().is_none() { LAST } else { 0 };
        // A part is at most 4,088 bytes.
        let length = u16::try_from(part.len() + HEADER).unwrap_or(u16::MAX).to_be_bytes();
        bytes.extend_from_slice(&[kind, status, length[0], length[1], 0, 0, number, 0]);
        bytes.extend_from_slice(part);
        number = number.wrapping_add(1);
    }
    bytes
}

/// What a header says: whether its packet is the last of its message, and how many bytes follow; nothing when it is none.
pub(super) fn header(bytes: [u8; HEADER]) -> Option<(bool, usize)> {
    let length = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
    Some((bytes[1] & LAST != 0, length.checked_sub(HEADER)?))
}

/// The PRELOGIN that asks for encryption, or says that it is there already.
pub(super) fn asking(is_encrypted: bool) -> Vec<u8> {
    let encryption = if is_encrypted { ENCRYPT_STRICT } else { ENCRYPT_ON };
    let options: [(u8, &[u8]); 5] = [
        // Of this client: major, minor, build, and below it. No server decides by it.
        (OPTION_VERSION, &[0, 1, 0, 0, 0, 0]),
        (OPTION_ENCRYPTION, &[encryption]),
        (OPTION_INSTANCE, &[0]),
        (OPTION_THREAD, &[0, 0, 0, 0]),
        (OPTION_MARS, &[0]),
    ];
    let mut place = options.len() * 5 + 1;
    let (mut list, mut said) = (Vec::new(), Vec::new());
    for (option, value) in options {
        let short = |number: usize| u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes();
        list.push(option);
        list.extend_from_slice(&short(place));
        list.extend_from_slice(&short(value.len()));
        said.extend_from_slice(value);
        place += value.len();
    }
    list.push(OPTIONS_END);
    [list, said].concat()
}

/// What a server answers to the wish for encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The TLS handshake begins.
    Encrypted,
    /// There is none but what is there already, or for the password only.
    Plain,
    /// It is no answer to a PRELOGIN.
    Malformed,
}

/// Reads the server's PRELOGIN.
pub(super) fn answer(message: &[u8]) -> Answer {
    match encryption(message).and_then(|place| message.get(place)) {
        Some(&(ENCRYPT_ON | ENCRYPT_REQUIRED)) => Answer::Encrypted,
        Some(_) => Answer::Plain,
        None => Answer::Malformed,
    }
}

/// The same message as of a server that cannot encrypt.
pub(super) fn without_encryption(mut message: Vec<u8>) -> Vec<u8> {
    if let Some(said) = encryption(&message).and_then(|place| message.get_mut(place)) {
        *said = ENCRYPT_NOT_SUPPORTED;
    }
    message
}

/// Where the byte is that says it.
fn encryption(message: &[u8]) -> Option<usize> {
    let mut options = message.chunks_exact(5).take_while(|option| option[0] != OPTIONS_END);
    let option = options.find(|option| option[0] == OPTION_ENCRYPTION)?;
    (option[3..] == [0, 1]).then(|| usize::from(u16::from_be_bytes([option[1], option[2]])))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// [MS-TDS] 4.1, "Pre-Login Request": what the document's client sends, without its header.
    const REQUEST: &[u8] = &[
        0x00, 0x00, 0x1a, 0x00, 0x06, 0x01, 0x00, 0x20, 0x00, 0x01, 0x02, 0x00, 0x21, 0x00, 0x01, 0x03, 0x00, 0x22,
        0x00, 0x04, 0x04, 0x00, 0x26, 0x00, 0x01, 0xff, 0x09, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0xb8, 0x0d,
        0x00, 0x00, 0x01,
    ];

    /// What a SQL Server 2012 answered to it, as the documentation of SQL Fingerprint NG shows it, from its header on.
    const RESPONSE: &[u8] = &[
        0x04, 0x01, 0x00, 0x2b, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x1a, 0x00, 0x06, 0x01, 0x00, 0x20, 0x00, 0x01,
        0x02, 0x00, 0x21, 0x00, 0x01, 0x03, 0x00, 0x22, 0x00, 0x00, 0x04, 0x00, 0x22, 0x00, 0x01, 0xff, 0x0b, 0x00,
        0x0b, 0xb8, 0x00, 0x00, 0x01, 0x00, 0x01,
    ];

    #[test]
    fn the_request_has_the_form_of_the_published_one() {
        let ours = asking(false);
        // The same options at the same places; other versions, threads, and no wish for several results at once.
        assert_eq!(ours[..26], REQUEST[..26]);
        assert_eq!(ours.len(), REQUEST.len());
        assert_eq!(ours[32], REQUEST[32], "both ask for encryption");
        let whole = packets(PRELOGIN, &ours);
        assert_eq!(whole[..HEADER], [0x12, 0x01, 0x00, 0x2f, 0x00, 0x00, 0x00, 0x00]);
    }

    #[test]
    fn the_published_response_is_read() {
        let head: [u8; HEADER] = RESPONSE[..HEADER].try_into().unwrap();
        assert_eq!(header(head), Some((true, RESPONSE.len() - HEADER)));
        let message = &RESPONSE[HEADER..];
        assert_eq!(answer(message), Answer::Encrypted);
        let plain = without_encryption(message.to_vec());
        assert_eq!(answer(&plain), Answer::Plain);
        assert_eq!(plain.iter().zip(message).filter(|(left, right)| left != right).count(), 1);
    }

    #[test]
    fn a_long_message_takes_several_packets() {
        let bytes = packets(PRELOGIN, &[7; 5000]);
        let first: [u8; HEADER] = bytes[..HEADER].try_into().unwrap();
        let second: [u8; HEADER] = bytes[4096..4096 + HEADER].try_into().unwrap();
        assert_eq!((header(first), header(second)), (Some((false, 4088)), Some((true, 912))));
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_stumble(message in proptest::collection::vec(any::<u8>(), 0..64)) {
            let said = answer(&message);
            let plain = answer(&without_encryption(message));
            prop_assert_eq!(plain == Answer::Malformed, said == Answer::Malformed);
        }
    }
}
