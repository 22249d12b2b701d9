//! The way to a client: PRELOGIN, and TLS in its packets or before them.

use std::io::{Read, Result, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::wire::{Kind, packet, packets, wrong};

/// How the server wants to be spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// It has no TLS.
    None,
    /// After the PRELOGIN, whose packets carry the handshake.
    Wrapped,
    /// From the first byte on (TDS 8.0).
    Strict,
}

/// A certificate for this machine's names, of an authority that nobody else knows.
pub struct Tls {
    wrapped: Arc<ServerConfig>,
    strict: Arc<ServerConfig>,
}

impl Tls {
    /// Writes the authority's certificate to this file.
    pub fn new(authority: &Path) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "An authority of tests");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        // Where python-tds looks first.
        params.distinguished_name.push(DnType::CommonName, "localhost");
        let certificate = params.signed_by(&key, &issuer).unwrap();
        std::fs::write(authority, issuer.pem()).unwrap();
        let config = |versions: &[&'static rustls::SupportedProtocolVersion]| {
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_protocol_versions(versions)
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
                .unwrap()
        };
        // Servers before TDS 8.0 have no TLS 1.3.
        let wrapped = config(&[&rustls::version::TLS12]);
        let mut strict = config(rustls::ALL_VERSIONS);
        strict.alpn_protocols = vec![b"tds/8.0".to_vec()];
        Self { wrapped: Arc::new(wrapped), strict: Arc::new(strict) }
    }
}

/// A connection, encrypted or not.
pub enum Way {
    Plain(TcpStream),
    Secured(Box<StreamOwned<ServerConnection, TcpStream>>),
}

const ENCRYPT_OFF: u8 = 0;
const ENCRYPT_ON: u8 = 1;
const ENCRYPT_NOT_SUPPORTED: u8 = 2;

impl Way {
    /// Everything before the login.
    pub fn open(mut stream: TcpStream, encryption: Encryption, tls: &Tls) -> Result<Self> {
        if encryption == Encryption::Strict {
            let connection = ServerConnection::new(Arc::clone(&tls.strict)).map_err(|e| wrong(e.to_string()))?;
            let mut secured = StreamOwned::new(connection, stream);
            let asked = one_message(&mut secured, Kind::Prelogin)?;
            if secured.conn.alpn_protocol() != Some(b"tds/8.0") {
                return Err(wrong("TLS of another protocol"));
            }
            asked_encryption(&asked)?;
            write(&mut secured, &packets(Kind::Response, &prelogin(ENCRYPT_ON)))?;
            return Ok(Self::Secured(Box::new(secured)));
        }
        let asked = asked_encryption(&one_message(&mut stream, Kind::Prelogin)?)?;
        let is_secured = encryption == Encryption::Wrapped && asked != ENCRYPT_NOT_SUPPORTED && asked != ENCRYPT_OFF;
        let said = if is_secured { ENCRYPT_ON } else { ENCRYPT_NOT_SUPPORTED };
        write(&mut stream, &packets(Kind::Response, &prelogin(said)))?;
        if !is_secured {
            return Ok(Self::Plain(stream));
        }
        let mut connection = ServerConnection::new(Arc::clone(&tls.wrapped)).map_err(|e| wrong(e.to_string()))?;
        while connection.is_handshaking() {
            let (kind, _, body) = packet(&mut stream)?;
            if kind != Kind::Prelogin {
                return Err(wrong("a TLS handshake in packets of another kind"));
            }
            let mut body = &body[..];
            while !body.is_empty() {
                connection.read_tls(&mut body)?;
                if let Err(error) = connection.process_new_packets() {
                    // The client is to hear why.
                    answer(&mut connection, &mut stream)?;
                    return Err(wrong(error.to_string()));
                }
            }
            answer(&mut connection, &mut stream)?;
        }
        Ok(Self::Secured(Box::new(StreamOwned::new(connection, stream))))
    }

    fn stream(&mut self) -> &mut dyn Duplex {
        match self {
            Self::Plain(stream) => stream,
            Self::Secured(stream) => stream.as_mut(),
        }
    }

    /// Reads a message, of whatever kind it is.
    pub fn any_message(&mut self) -> Result<(Kind, Vec<u8>)> {
        let mut stream = self.stream();
        let mut message = Vec::new();
        loop {
            let (kind, is_last, body) = packet(&mut stream)?;
            message.extend(body);
            if is_last {
                return Ok((kind, message));
            }
        }
    }

    pub fn message(&mut self, wanted: Kind) -> Result<Vec<u8>> {
        match self.any_message()? {
            (kind, message) if kind == wanted => Ok(message),
            (kind, _) => Err(wrong(format!("{kind:?} where {wanted:?} was to come"))),
        }
    }

    pub fn send(&mut self, message: &[u8]) -> Result<()> {
        write(&mut self.stream(), &packets(Kind::Response, message))
    }

    /// Sends the first bytes of a message, and ends the connection.
    pub fn send_part(&mut self, message: &[u8], bytes: usize) -> Result<()> {
        let whole = packets(Kind::Response, message);
        write(&mut self.stream(), &whole[..bytes.min(whole.len())])
    }
}

trait Duplex: Read + Write {}

impl<S: Read + Write> Duplex for S {}

fn write(stream: &mut impl Write, bytes: &[u8]) -> Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}

/// Sends what TLS wants to say, in one packet.
fn answer(connection: &mut ServerConnection, stream: &mut TcpStream) -> Result<()> {
    let mut said = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut said)?;
    }
    if said.is_empty() { Ok(()) } else { write(stream, &packets(Kind::Prelogin, &said)) }
}

fn one_message(stream: &mut impl Read, wanted: Kind) -> Result<Vec<u8>> {
    let (kind, is_last, body) = packet(stream)?;
    if kind == wanted && is_last { Ok(body) } else { Err(wrong(format!("{kind:?} where {wanted:?} was to come"))) }
}

/// What a PRELOGIN says of encryption.
pub fn asked_encryption(message: &[u8]) -> Result<u8> {
    for option in message.chunks_exact(5).take_while(|option| option[0] != 0xff) {
        if option[0] == 1 {
            let place = usize::from(u16::from_be_bytes([option[1], option[2]]));
            return message.get(place).copied().ok_or_else(|| wrong("an option that is not there"));
        }
    }
    Err(wrong("a PRELOGIN that says nothing of encryption"))
}

/// The answer: a version, the encryption, an instance that is the right one, no thread, one result at a time.
fn prelogin(encryption: u8) -> Vec<u8> {
    let options: [(u8, &[u8]); 5] =
        [(0, &[16, 0, 0x10, 0x2b, 0, 0]), (1, &[encryption]), (2, &[0]), (3, &[]), (4, &[0])];
    let mut place = u16::try_from(options.len() * 5 + 1).unwrap();
    let (mut list, mut said) = (Vec::new(), Vec::new());
    for (option, value) in options {
        list.push(option);
        list.extend(place.to_be_bytes());
        list.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        said.extend(value);
        place += u16::try_from(value.len()).unwrap();
    }
    list.push(0xff);
    [list, said].concat()
}
