//! Whom a certificate vouches for.

use std::sync::Arc;

use portbook::provider::Provider as _;
use portbook::provider::ftp::{Ftp, FtpOptions, FtpSecurity};
use portbook::{Code, Trust};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::places::secured;

/// A server that has a certificate and a greeting; its port and the certificate.
async fn greets(names: &[&str], until: i32) -> (u16, rcgen::Certificate) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(until, 1, 1));
    let certificate = params.self_signed(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = TlsAcceptor::from(Arc::new(config.clone())).accept(stream).await {
                let _ = stream.write_all(b"421 that is all\r\n").await;
            }
        }
    });
    (port, certificate)
}

fn believing(port: u16, trust: Trust) -> FtpOptions {
    FtpOptions {
        port: Some(port),
        security: FtpSecurity::Implicit,
        trust,
        ..FtpOptions::new("localhost", "user", "password")
    }
}

#[tokio::test]
async fn a_certificate_has_to_be_of_this_name_and_of_this_day() {
    let dir = tempfile::tempdir().unwrap();
    for (names, until, expected) in [
        (vec!["localhost"], 2100, Code::Throttled),
        (vec!["localhost"], 2001, Code::Auth),
        (vec!["elsewhere.example"], 2100, Code::Auth),
    ] {
        let (port, certificate) = greets(&names, until).await;
        let file = dir.path().join("authority.pem");
        std::fs::write(&file, certificate.pem()).unwrap();
        let error = Ftp::open(believing(port, Trust::Authorities(file))).await.unwrap_err();
        assert_eq!(error.code(), expected, "{names:?} until {until}: {error}");
        let error = Ftp::open(believing(port, Trust::System)).await.unwrap_err();
        assert_eq!(error.code(), Code::Auth, "nobody vouches for it: {error}");
        let other = Ftp::open(believing(port, Trust::Certificate([7; 32]))).await.unwrap_err();
        assert_eq!(other.code(), Code::Auth);
        // A pinned certificate needs no name and no day.
        let pin = Trust::Certificate(Sha256::digest(certificate.der()).into());
        assert_eq!(Ftp::open(believing(port, pin)).await.unwrap_err().code(), Code::Throttled, "it was believed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_certificate_is_enough() {
    let Some((server, options)) = secured("explicit", FtpSecurity::Explicit) else { return };
    let pem = std::fs::read(server.directory().join("certificate.pem")).unwrap();
    let der =
        <rustls::pki_types::CertificateDer<'_> as rustls::pki_types::pem::PemObject>::from_pem_slice(&pem).unwrap();
    let trust = Trust::Certificate(Sha256::digest(&der).into());
    let ftp = Ftp::open(FtpOptions { trust, host: "127.0.0.1".into(), ..options("") }).await.unwrap();
    ftp.root().await.unwrap();
    let untrusted = Ftp::open(FtpOptions { trust: Trust::System, ..options("") }).await.unwrap_err();
    assert_eq!(untrusted.code(), Code::Auth, "{untrusted}");
}
