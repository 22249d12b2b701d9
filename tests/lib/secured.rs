//! TLS before a server that has none, with a certificate of its own for the names that it is asked by.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// It ends when this is dropped.
pub struct Secured {
    pub port: u16,
    dir: tempfile::TempDir,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Secured {
    /// Passes everything on to that address.
    pub fn before(upstream: &str, names: &[&str]) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("authority.pem"), certificate.pem()).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let (acceptor, upstream) = (TlsAcceptor::from(Arc::new(config)), upstream.to_owned());
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, upstream) = (acceptor.clone(), upstream.clone());
                // A client that believes nothing goes away, which is what some tests are about.
                tokio::spawn(async move {
                    let mut secured = acceptor.accept(stream).await?;
                    let mut server = TcpStream::connect(upstream).await?;
                    copy_bidirectional(&mut secured, &mut server).await
                });
            }
        });
        Self { port, dir, runtime: Some(runtime) }
    }

    /// The file of the one authority that vouches for the server.
    pub fn authority(&self) -> PathBuf {
        self.dir.path().join("authority.pem")
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        // Another runtime may be where this is dropped.
        self.runtime.take().into_iter().for_each(tokio::runtime::Runtime::shutdown_background);
    }
}
