//! A server of each kind, and places on it.

use std::path::{Path, PathBuf};

use portbook::Trust;
use portbook::conduit::Place;
use portbook::provider::{Access, Address};

use crate::proxy::Protocol;
use crate::service::Service;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Local,
    S3,
    Sftp,
    Ftp,
    Ftps,
    WebDav,
}

impl Kind {
    pub fn protocol(self) -> Protocol {
        match self {
            Self::S3 | Self::WebDav => Protocol::Http,
            Self::Ftp => Protocol::Ftp,
            Self::Local | Self::Sftp | Self::Ftps => Protocol::Tcp,
        }
    }
}

/// A server with its files.
pub struct Ground {
    pub kind: Kind,
    pub port: u16,
    _service: Option<Service>,
    /// Where its files are, if they are files of this machine.
    pub data: Option<PathBuf>,
    access: Access,
    _dir: Option<tempfile::TempDir>,
}

impl Ground {
    /// A server of this kind; none where it cannot be had here.
    pub fn start(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Local => {
                let dir = tempfile::tempdir().unwrap();
                let data = Some(dir.path().to_path_buf());
                Some(Self { kind, port: 0, _service: None, data, access: Access::default(), _dir: Some(dir) })
            }
            Kind::S3 => Self::of(kind, "moto", &[]),
            Kind::Sftp => Self::of(kind, "openssh", &[]),
            Kind::Ftp => Self::of(kind, "proftpd", &["plain"]),
            Kind::Ftps => Self::of(kind, "proftpd", &["explicit"]),
            Kind::WebDav => Self::of(kind, "apache", &["none"]),
        }
    }

    /// This server.
    pub fn of(kind: Kind, server: &'static str, words: &[&str]) -> Option<Self> {
        let service = Service::start(server, words)?;
        let at = |name: &str| service.directory().join(name);
        let mut access = Access { user: Some("user".into()), password: Some("password".into()), ..Access::default() };
        let port = service.address.split(' ').next().unwrap().parse().unwrap();
        let mut data = Some(at("data"));
        match kind {
            Kind::S3 => {
                (access.user, access.password) = (Some("key".into()), Some("secret-key".into()));
                if server == "moto" {
                    data = None;
                    assert!(said(port, "PUT", "/bucket").starts_with("HTTP/1.1 200"));
                } else {
                    std::fs::create_dir_all(at("data/bucket")).unwrap();
                    data = Some(at("data/bucket"));
                }
            }
            Kind::Sftp if server == "openssh" => {
                access.user = service.address.split(' ').nth(1).map(str::to_owned);
                access.key_file = Some(at("user_ed25519"));
                access.host_key = Some(std::fs::read_to_string(at("host_ed25519.pub")).unwrap());
            }
            Kind::Ftp => access.plain = true,
            Kind::Ftps => access.trust = Trust::Authorities(at("certificate.pem")),
            Kind::Local | Kind::Sftp | Kind::WebDav => {}
        }
        if server == "apache" {
            (access.user, access.password) = (None, None);
        }
        Some(Self { kind, port, _service: Some(service), data, access, _dir: None })
    }

    /// A directory there, over this port: the server's own or that of a line to it.
    pub fn place(&self, port: u16, root: &str) -> Place {
        let mut access = self.access.clone();
        let data = || self.data.as_deref().map(Path::display).unwrap();
        let url = match self.kind {
            Kind::Local => return Place::Local(self.data.as_ref().unwrap().join(root)),
            Kind::S3 => {
                access.endpoint = Some(format!("http://127.0.0.1:{port}"));
                format!("s3://bucket/{root}")
            }
            Kind::Sftp => format!("sftp://127.0.0.1:{port}{}/{root}", data()),
            Kind::Ftp => format!("ftp://127.0.0.1:{port}/{root}"),
            Kind::Ftps => format!("ftps://localhost:{port}/{root}"),
            Kind::WebDav => format!("dav://127.0.0.1:{port}/dav/{root}"),
        };
        let address: Address = url.parse().unwrap();
        (address, access).into()
    }

    /// A directory of the WebDAV server as web servers show theirs: read only.
    pub fn as_web(&self, port: u16, root: &str) -> Place {
        let address: Address = format!("http://127.0.0.1:{port}/files/{root}/").parse().unwrap();
        (address, self.access.clone()).into()
    }

    /// The directory of a place, where it is one of this machine.
    pub fn directory(&self, root: &str) -> Option<PathBuf> {
        self.data.as_ref().map(|data| data.join(root))
    }

    /// The keys of objects and of uploads that nobody has ended, where it is a server of S3 that tells.
    pub fn keys(&self) -> Option<(Vec<String>, Vec<String>)> {
        if self.kind != Kind::S3 {
            return None;
        }
        let keys = |listing: &str| {
            let parts = listing.split("<Key>").skip(1);
            parts.map(|part| part.split("</Key>").next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let uploads = keys(&said(self.port, "GET", "/bucket?uploads"));
        let (mut found, mut more) = (Vec::new(), String::new());
        loop {
            let page = said(self.port, "GET", &format!("/bucket?list-type=2&encoding-type=url{more}"));
            found.extend(keys(&page));
            let Some((_, token)) = page.split_once("<NextContinuationToken>") else { return Some((found, uploads)) };
            more = format!("&continuation-token={}", token.split('<').next().unwrap().replace('=', "%3D"));
        }
    }
}

/// An answer to a request whose signature is none, which moto does not mind.
fn said(port: u16, method: &str, target: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    let who = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, Signature=0";
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: {who}\r\nContent-Length: 0\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
