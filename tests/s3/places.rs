//! The contract on servers that nobody here wrote, and what they refuse.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use portbook::delta::Expect;
use portbook::model::SecretBytes;
use portbook::provider::s3::{S3, S3Options};
use portbook::provider::{Listing, NativeHash, Provider as _};
use portbook::{Code, Trust};

use crate::contract::{self, path, put};
use crate::secured::Secured;
use crate::service::Service;

/// A server with empty buckets.
pub struct Server {
    service: Service,
    is_moto: bool,
    secured: Option<Secured>,
    /// Buckets are named in the host.
    is_hosted: bool,
}

/// The host of the server where buckets are hosts beneath it.
const HOST: &str = "s3.localhost";

impl Server {
    /// moto: conditions and versions, no signatures.
    pub fn moto() -> Option<Self> {
        Some(Self::of(Service::start("moto", &[])?, true))
    }

    /// rclone: signatures, no conditions. It would take names of another normal form for the same.
    pub fn rclone() -> Option<Self> {
        Some(Self::of(Service::start("rclone", &["s3", "--no-unicode-normalization"])?, false))
    }

    /// … which takes the host for the bucket.
    pub fn rclone_of_hosts() -> Option<Self> {
        let words = ["s3", "--no-unicode-normalization", "--force-path-style=false"];
        Some(Self { is_hosted: true, ..Self::of(Service::start("rclone", &words)?, false) })
    }

    fn of(service: Service, is_moto: bool) -> Self {
        Self { service, is_moto, secured: None, is_hosted: false }
    }

    /// With TLS before it.
    pub fn secured(self) -> Self {
        let secured = Secured::before(&self.address(), &["127.0.0.1", HOST, &format!("*.{HOST}")]);
        Self { secured: Some(secured), ..self }
    }

    /// Asked by hosts that name the bucket.
    pub fn hosted(self) -> Self {
        Self { is_hosted: true, ..self }
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.service.port())
    }

    /// Makes a bucket.
    pub fn bucket(&self, name: &str) -> S3Options {
        if self.is_moto {
            assert!(said(&self.address(), "PUT", &format!("/{name}"), b"").starts_with("HTTP/1.1 200"));
        } else {
            std::fs::create_dir_all(self.service.directory().join("data").join(name)).unwrap();
        }
        self.options(name)
    }

    /// Makes a bucket that keeps versions (moto).
    pub fn versioned(&self, name: &str) -> S3Options {
        let options = self.bucket(name);
        let enabled = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        let lines = "Content-Type: text/xml\r\n";
        let said = said_with(&self.address(), "PUT", &format!("/{name}?versioning"), lines, enabled);
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
        options
    }

    pub fn options(&self, bucket: &str) -> S3Options {
        let host = if self.is_hosted { HOST } else { "127.0.0.1" };
        let (scheme, port, trust) = match &self.secured {
            Some(secured) => ("https", secured.port, Trust::Authorities(secured.authority())),
            None => ("http", self.service.port(), Trust::System),
        };
        let options = S3Options::new(format!("{scheme}://{host}:{port}"), bucket, "key", "secret-key");
        S3Options { trust, path_style: !self.is_hosted, ..options }
    }
}

/// An answer to a request whose signature is none, which moto does not mind.
pub fn said(address: &str, method: &str, target: &str, body: &[u8]) -> String {
    said_with(address, method, target, "", body)
}

/// As [`said`], with further lines of the head.
pub fn said_with(address: &str, method: &str, target: &str, lines: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let who = match target.contains("X-Amz-Signature") {
        true => "",
        false => "Authorization: AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, Signature=0\r\n",
    };
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\n{who}{lines}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// moto finds no route for a path with a line feed.
pub const UNHELD_BY_MOTO: &[&[u8]] = &[b"new\nline"];

pub async fn keeps_the_contract(server: &Server, prefix: &str, unheld: &[&[u8]]) {
    let (left, right) = (server.bucket("left"), server.bucket("right"));
    let open = |options: &S3Options| S3::open(S3Options { prefix: prefix.into(), ..options.clone() }).unwrap();
    contract::run_without(unheld, || open(&left), || open(&right)).await;
}

#[tokio::test]
async fn moto_keeps_the_contract() {
    let Some(server) = Server::moto() else { return };
    keeps_the_contract(&server, "", UNHELD_BY_MOTO).await;
}

#[tokio::test]
async fn a_directory_of_a_bucket_keeps_the_contract() {
    let Some(server) = Server::moto() else { return };
    keeps_the_contract(&server, "odd + prefix/\u{fc}%20", UNHELD_BY_MOTO).await;
}

#[tokio::test]
async fn rclone_keeps_the_contract() {
    let Some(server) = Server::rclone() else { return };
    keeps_the_contract(&server, "", &[]).await;
}

#[tokio::test]
async fn what_a_server_honours_is_found_out() {
    for (server, is_exclusive) in [(Server::moto(), true), (Server::rclone(), false)] {
        let Some(server) = server else { continue };
        let place = S3::open(server.bucket("bucket")).unwrap();
        assert!(!place.capabilities().create_is_exclusive, "it is not known yet");
        put(&place, "a", b"a", Expect::Absent).await.unwrap();
        assert_eq!(place.capabilities().create_is_exclusive, is_exclusive);
        assert_eq!(contract::listed(&place, "").await.len(), 1, "nothing stays of the attempts");
    }
}

#[tokio::test]
async fn wrong_credentials_and_missing_buckets_are_told_apart() {
    let Some(server) = Server::rclone() else { return };
    let wrong = S3Options { secret_key: SecretBytes::from("wrong"), ..server.bucket("bucket") };
    let wrong = S3::open(wrong).unwrap();
    let error = wrong.root().await.unwrap_err();
    assert_eq!(error.code(), Code::Auth, "{error}");
    assert!(!format!("{error:?} {error}").contains("Signature="), "{error:?}");
    assert!(matches!(wrong.list(vec![path("a")]).await.remove(0), Listing::Unknown(e) if e.code() == Code::Auth));
    for server in [Some(server), Server::moto()].into_iter().flatten() {
        let missing = S3::open(server.options("missing")).unwrap();
        assert_eq!(missing.root().await.unwrap_err().code(), Code::NotFound);
        let seen = missing.list(vec![path(""), path("a")]).await;
        assert!(seen.iter().all(|l| matches!(l, Listing::Unknown(e) if e.code() == Code::NotFound)), "{seen:?}");
        let looked = missing.stat(vec![path("a")]).await.remove(0);
        assert_eq!(looked.unwrap_err().code(), Code::NotFound, "nothing is known to be absent");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_offline() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let place = S3::open(S3Options::new(format!("http://{free}"), "bucket", "key", "secret-key")).unwrap();
    assert_eq!(place.root().await.unwrap_err().code(), Code::Offline);
}

#[tokio::test]
async fn a_tag_that_is_a_hash_is_said_as_one() {
    let Some(server) = Server::moto() else { return };
    let place = S3::open(server.bucket("bucket")).unwrap();
    let node = put(&place, "a", b"abc", Expect::Absent).await.unwrap();
    let mut parts = node.clone();
    parts.token.revision = Some(b"900150983cd24fb0d6963f7d28e17f72-2"[..].into());
    let md5 = 0x9001_5098_3cd2_4fb0_d696_3f7d_28e1_7f72_u128.to_be_bytes();
    let said = place.native_hashes(vec![(path("a"), node), (path("a"), parts)]).await;
    assert_eq!(said, [Some(NativeHash::Md5(md5)), None]);
}

#[tokio::test]
async fn a_link_gives_its_object_to_everybody_and_shows_in_no_debug() {
    let Some(server) = Server::moto() else { return };
    let place = S3::open(server.bucket("bucket")).unwrap();
    put(&place, "a b", b"shared", Expect::Absent).await.unwrap();
    let link = place.presigned_get(&path("a b"), Duration::from_secs(60)).unwrap();
    assert_eq!(format!("{link:?}"), "PresignedUrl(..)");
    let target = link.expose().strip_prefix(&format!("http://{}", server.address())).unwrap();
    assert!(target.starts_with("/bucket/a%20b?") && target.contains("X-Amz-Expires=60"), "{target}");
    assert!(said(&server.address(), "GET", target, b"").ends_with("shared"));
    for wrong in [Duration::ZERO, Duration::from_secs(8 * 86_400)] {
        assert_eq!(place.presigned_get(&path("a b"), wrong).unwrap_err().code(), Code::Invalid);
    }
}
