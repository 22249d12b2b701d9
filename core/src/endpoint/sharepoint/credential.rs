//! How an application shows Entra who it is: by a secret, or by what it signs with the key of a certificate ("Microsoft
//! identity platform application authentication certificate credentials"). The key itself never travels.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chrono::{DateTime, TimeDelta, Utc};
use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::SigningKey;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::error::{Code, Error, Result};
use crate::model::SecretBytes;

/// How long an assertion is good for. It is used at once; the rest is for clocks that differ.
const LIFETIME: TimeDelta = TimeDelta::seconds(600);
const SKEW: TimeDelta = TimeDelta::seconds(60);

/// What an application has to show.
pub(super) enum Credential {
    Secret(SecretBytes),
    Certificate(Certificate),
}

impl Credential {
    /// A secret as Entra gives it, or the PEM of a private key and its certificate.
    ///
    /// # Errors
    /// `invalid` for PEM without either of both, or with a key that is not RSA.
    pub(super) fn new(secret: &SecretBytes) -> Result<Self> {
        let is_pem = secret.expose_text().is_ok_and(|text| text.trim_start().starts_with("-----BEGIN "));
        if is_pem { Certificate::read(secret).map(Self::Certificate) } else { Ok(Self::Secret(secret.clone())) }
    }

    /// The fields of a request for a token at `url`.
    ///
    /// # Errors
    /// `invalid` when the secret is no text, `internal` when nothing can be signed.
    pub(super) fn fields(
        &self,
        client_id: &str,
        url: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<(&'static str, Zeroizing<String>)>> {
        let text = |text: &str| Zeroizing::new(text.to_owned());
        match self {
            Self::Secret(secret) => Ok(vec![("client_secret", text(secret.expose_text()?))]),
            Self::Certificate(certificate) => Ok(vec![
                ("client_assertion_type", text("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")),
                ("client_assertion", certificate.assertion(client_id, url, now)?),
            ]),
        }
    }
}

/// A certificate that the application is registered with, and its key.
pub(super) struct Certificate {
    key: Arc<dyn SigningKey>,
    /// SHA-256 of the certificate.
    thumbprint: String,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("thumbprint", &self.thumbprint).finish_non_exhaustive()
    }
}

impl Certificate {
    fn read(pem: &SecretBytes) -> Result<Self> {
        let pem = pem.expose_text()?.as_bytes();
        let key =
            PrivateKeyDer::from_pem_slice(pem).map_err(|_| odd("the PEM has no private key that is not encrypted"))?;
        let certificate = CertificateDer::from_pem_slice(pem).map_err(|_| odd("the PEM has no certificate"))?;
        let key = any_supported_type(&key).map_err(|_| odd("the private key is none that can be used"))?;
        // Entra takes no other kind.
        if key.choose_scheme(&[SignatureScheme::RSA_PSS_SHA256]).is_none() {
            return Err(odd("the private key is not RSA"));
        }
        Ok(Self { key, thumbprint: BASE64.encode(Sha256::digest(&certificate)) })
    }

    /// A JWT that says who asks, signed with the key (RFC 7523, section 3).
    fn assertion(&self, client_id: &str, url: &str, now: DateTime<Utc>) -> Result<Zeroizing<String>> {
        let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint });
        let claims = json!({
            "aud": url, "iss": client_id, "sub": client_id, "jti": Uuid::now_v7(),
            "nbf": (now - SKEW).timestamp(), "iat": now.timestamp(), "exp": (now + LIFETIME).timestamp(),
        });
        let part = |value: &serde_json::Value| BASE64.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let unsigned = || Error::new(Code::Internal, "sign for", client_id.escape_debug());
        let signer = self.key.choose_scheme(&[SignatureScheme::RSA_PSS_SHA256]).ok_or_else(unsigned)?;
        let signature = signer.sign(signed.as_bytes()).map_err(|e| unsigned().caused_by(e))?;
        Ok(Zeroizing::new(format!("{signed}.{}", BASE64.encode(signature))))
    }
}

fn odd(why: &'static str) -> Error {
    Error::new(Code::Invalid, "read the certificate of the application", "").because(why).advise(
        "give a PEM with an RSA key (PKCS #8 or PKCS #1) and the certificate that the application is registered with",
    )
}
