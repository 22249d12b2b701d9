//! TLS to other machines, by rustls.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::error::{Code, Error, Result};

/// Which servers are believed to be who they say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Those with a certificate of an authority that this machine trusts.
    #[default]
    System,
    /// Those with a certificate of an authority in this PEM file.
    Authorities(PathBuf),
    /// The one whose certificate has this SHA-256, whatever its name and whoever issued it.
    Certificate([u8; 32]),
}

/// What is asked of a server's certificate. Trust in authorities comes from the file, or from the system where none is
/// named.
pub(crate) enum Asked<'a> {
    /// A known authority issued it, for this name.
    Name(Option<&'a Path>),
    /// A known authority issued it, whatever name it is for.
    Issuer(Option<&'a Path>),
    /// It has this SHA-256.
    Certificate([u8; 32]),
    /// Nothing but that the server holds its key.
    Nothing,
}

impl<'a> From<&'a Trust> for Asked<'a> {
    fn from(trust: &'a Trust) -> Self {
        match trust {
            Trust::System => Self::Name(None),
            Trust::Authorities(file) => Self::Name(Some(file)),
            Trust::Certificate(sha256) => Self::Certificate(*sha256),
        }
    }
}

/// A configuration that believes these servers. `tls12_only` for servers whose data connections have to resume the
/// session of the control connection and cannot by TLS 1.3.
pub(crate) fn config<'a>(asked: impl Into<Asked<'a>>, tls12_only: bool) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let lenient = |enough| Arc::new(Lenient { enough, provider: Arc::clone(&provider) });
    let verifier: Arc<dyn ServerCertVerifier> = match asked.into() {
        Asked::Name(ca_file) => verifier(ca_file, &provider)?,
        Asked::Issuer(ca_file) => lenient(Enough::Issuer(verifier(ca_file, &provider)?)),
        Asked::Certificate(sha256) => lenient(Enough::Certificate(sha256)),
        Asked::Nothing => lenient(Enough::Key),
    };
    let versions: &[&rustls::SupportedProtocolVersion] =
        if tls12_only { &[&rustls::version::TLS12] } else { rustls::ALL_VERSIONS };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|e| Error::new(Code::Internal, "set up TLS", "").because(e))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(config)
}

/// Verifies issuer and name. Trust comes from the file, or from the system where none is named.
fn verifier(ca_file: Option<&Path>, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(file) => {
            let unread = |why: &dyn std::fmt::Display| {
                let name = file.display().to_string();
                Error::new(Code::Invalid, "read the certificates in", name.escape_debug()).because(why)
            };
            for certificate in CertificateDer::pem_file_iter(file).map_err(|e| unread(&e))? {
                roots.add(certificate.map_err(|e| unread(&e))?).map_err(|e| unread(&e))?;
            }
            if roots.is_empty() {
                return Err(unread(&"there is none"));
            }
        }
        // A certificate of the system's that cannot be read vouches for nobody; the others still do.
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build().map_err(|e| {
        Error::new(Code::Invalid, "trust a certificate", "")
            .because(e)
            .advise("name a file with the certificates of the authority")
    })
}

/// What is enough beside the proof that the server holds the certificate's key, which is always asked for.
#[derive(Debug)]
enum Enough {
    Issuer(Arc<WebPkiServerVerifier>),
    Certificate([u8; 32]),
    Key,
}

/// Verifies something else than issuer and name.
#[derive(Debug)]
struct Lenient {
    enough: Enough,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        use rustls::Error::InvalidCertificate;
        match &self.enough {
            Enough::Issuer(issuer) => {
                match issuer.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
                    // The chain was verified before the name.
                    Err(InvalidCertificate(
                        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                    )) => Ok(ServerCertVerified::assertion()),
                    verified => verified,
                }
            }
            Enough::Certificate(sha256) => {
                let shown: [u8; 32] = Sha256::digest(end_entity.as_ref()).into();
                match shown.ct_eq(sha256).into() {
                    true => Ok(ServerCertVerified::assertion()),
                    false => Err(InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
                }
            }
            Enough::Key => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
