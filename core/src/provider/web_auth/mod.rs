//! Who asks: the authentication of requests over HTTP, shared by every place that speaks it.
//!
//! Credentials are sent with the first request already, which saves a round trip and large bodies that are sent in vain;
//! Digest needs a challenge first and then goes on with the server's nonce. To whom they may be sent is decided by
//! [`Site`](super::web_site::Site): to the configured origin and nobody else.

mod digest;

use std::fmt;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use zeroize::Zeroizing;

use self::digest::Challenge;
use crate::error::{Code, Error, Result};
use crate::model::SecretBytes;

/// How requests prove who sends them.
///
/// ```
/// use portbook::provider::WebAuth;
/// let auth = WebAuth::Basic { user: "alice".into(), password: "hunter2".into() };
/// assert!(!format!("{auth:?}").contains("hunter2"));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub enum WebAuth {
    /// Not at all.
    #[default]
    None,
    /// By name and password (RFC 7617). Anyone on the way can read them unless the server is asked by `https`.
    Basic {
        /// The name; without `:`.
        user: String,
        /// The password, or an app password.
        password: SecretBytes,
    },
    /// By a hash of name and password (RFC 7616) with SHA-256 or MD5, as the server asks.
    Digest {
        /// The name.
        user: String,
        /// The password.
        password: SecretBytes,
    },
    /// By a token (RFC 6750).
    Bearer(SecretBytes),
    /// By a header of the server's own.
    Header {
        /// The header's name, such as `X-Api-Key`.
        name: String,
        /// Its value.
        value: SecretBytes,
    },
}

impl WebAuth {
    /// The account, where the kind of authentication names it.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Basic { user, .. } | Self::Digest { user, .. } => Some(user),
            Self::None | Self::Bearer(_) | Self::Header { .. } => None,
        }
    }
}

impl fmt::Debug for WebAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Basic { user, .. } => write!(f, "Basic({user:?}, ..)"),
            Self::Digest { user, .. } => write!(f, "Digest({user:?}, ..)"),
            Self::Bearer(_) => f.write_str("Bearer(..)"),
            Self::Header { name, .. } => write!(f, "Header({name:?}, ..)"),
        }
    }
}

/// Makes the header that a request carries.
pub(crate) struct Authorizer {
    how: How,
    known: Mutex<Option<Known>>,
}

enum How {
    Nothing,
    /// The same header for each request.
    Always(HeaderName, HeaderValue),
    Digest {
        user: String,
        password: SecretBytes,
    },
}

/// The challenge that requests answer at present.
struct Known {
    challenge: Challenge,
    /// How often its nonce was used.
    count: u32,
    /// A request with its nonce has succeeded.
    has_worked: bool,
}

/// The header of one request.
pub(crate) struct Proof {
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
    /// The nonce that it stands on.
    nonce: Option<String>,
}

fn unusable(why: &'static str) -> Error {
    Error::new(Code::Invalid, "use the credentials", "").because(why)
}

impl Authorizer {
    /// # Errors
    /// `invalid` when the credentials cannot be written into a header.
    pub(crate) fn new(auth: WebAuth) -> Result<Self> {
        let how = match auth {
            WebAuth::None => How::Nothing,
            WebAuth::Basic { user, password } => {
                if user.contains(':') {
                    return Err(unusable("a name with a colon cannot be sent (RFC 7617, section 2)"));
                }
                let pair = Zeroizing::new([user.as_bytes(), b":", password.expose()].concat());
                let encoded = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(&*pair));
                How::Always(AUTHORIZATION, secret_value(&[b"Basic ", encoded.as_bytes()])?)
            }
            WebAuth::Digest { user, password } => How::Digest { user, password },
            WebAuth::Bearer(token) => How::Always(AUTHORIZATION, secret_value(&[b"Bearer ", token.expose()])?),
            WebAuth::Header { name, value } => {
                let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable("this is no header's name"))?;
                How::Always(name, secret_value(&[value.expose()])?)
            }
        };
        Ok(Self { how, known: Mutex::new(None) })
    }

    /// The header of a request for this target (path and query), if there is anything to prove yet.
    ///
    /// # Errors
    /// `internal` where there is no randomness, `invalid` where the name cannot be sent.
    pub(crate) fn prove(&self, method: &str, target: &str) -> Result<Option<Proof>> {
        match &self.how {
            How::Nothing => Ok(None),
            How::Always(name, value) => Ok(Some(Proof { name: name.clone(), value: value.clone(), nonce: None })),
            How::Digest { user, password } => {
                let mut known = self.known();
                let Some(known) = &mut *known else { return Ok(None) };
                known.count += 1;
                let answer = known.challenge.answer((user, password), method, target, known.count, &cnonce()?);
                let nonce = Some(known.challenge.nonce.clone());
                Ok(Some(Proof { name: AUTHORIZATION, value: secret_value(&[answer.as_bytes()])?, nonce }))
            }
        }
    }

    /// Learns from an answer `401`: whether the same request is worth being sent once more.
    pub(crate) fn refused(&self, proof: Option<&Proof>, headers: &HeaderMap) -> bool {
        let How::Digest { .. } = self.how else { return false };
        let used = proof.and_then(|proof| proof.nonce.as_deref());
        let offered = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let Some(challenge) = digest::strongest(offered) else { return false };
        let mut known = self.known();
        let current = known.as_ref().filter(|known| used == Some(&known.challenge.nonce));
        // Refused with a nonce that was new: the name or the password is wrong.
        let hopeless = current.is_some_and(|known| !known.has_worked && !challenge.is_stale);
        if used.is_none() || current.is_some() {
            let has_worked = false;
            *known = Some(Known { challenge, count: 0, has_worked });
        }
        !hopeless
    }

    /// Learns from any other answer: the nonce is good.
    pub(crate) fn accepted(&self, proof: Option<&Proof>) {
        let Some(used) = proof.and_then(|proof| proof.nonce.as_deref()) else { return };
        if let Some(known) = self.known().as_mut().filter(|known| known.challenge.nonce == used) {
            known.has_worked = true;
        }
    }

    /// Whether the first request is refused by design, so that it should have no large body.
    pub(crate) fn needs_challenge(&self) -> bool {
        matches!(self.how, How::Digest { .. }) && self.known().is_none()
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Authorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorizer(..)")
    }
}

fn cnonce() -> Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|e| Error::new(Code::Internal, "draw a random number", "").because(e))?;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random))
}

/// A header's value that no `Debug` shows.
fn secret_value(parts: &[&[u8]]) -> Result<HeaderValue> {
    let bytes = Zeroizing::new(parts.concat());
    let mut value = HeaderValue::from_bytes(&bytes).map_err(|_| unusable("they hold characters no header can"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_str(text).unwrap());
        headers
    }

    fn digest() -> Authorizer {
        Authorizer::new(WebAuth::Digest { user: "user".into(), password: "secret".into() }).unwrap()
    }

    #[test]
    fn credentials_are_sent_with_the_first_request() {
        let value = |auth| Authorizer::new(auth).unwrap().prove("GET", "/").unwrap().unwrap().value;
        let basic = value(WebAuth::Basic { user: "Aladdin".into(), password: "open sesame".into() });
        assert_eq!(basic, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(basic.is_sensitive());
        assert_eq!(value(WebAuth::Bearer("token".into())), "Bearer token");
        assert_eq!(value(WebAuth::Header { name: "x-key".into(), value: "k".into() }), "k");
    }

    #[test]
    fn what_no_header_can_hold_is_refused_without_being_shown() {
        for auth in [
            WebAuth::Basic { user: "a:b".into(), password: "hunter2".into() },
            WebAuth::Bearer("hunter2\r\nX: y".into()),
            WebAuth::Header { name: "not a name".into(), value: "hunter2".into() },
        ] {
            let shown = format!("{auth:?}");
            let error = Authorizer::new(auth).unwrap_err().to_string();
            assert!(!error.contains("hunter2") && !shown.contains("hunter2"), "{error} {shown}");
        }
    }

    #[test]
    fn a_nonce_is_used_again_with_a_rising_count() {
        let auth = digest();
        assert!(auth.prove("GET", "/").unwrap().is_none() && auth.needs_challenge());
        assert!(auth.refused(None, &challenge(r#"Digest realm="r", nonce="n1", qop="auth", algorithm=MD5"#)));
        for count in ["nc=00000001", "nc=00000002"] {
            let proof = auth.prove("GET", "/").unwrap().unwrap();
            let text = proof.value.to_str().unwrap();
            assert!(text.contains(count) && text.contains(r#"nonce="n1""#), "{text}");
            auth.accepted(Some(&proof));
        }
    }

    #[test]
    fn a_wrong_password_is_tried_once_and_a_stale_nonce_is_renewed() {
        let auth = digest();
        let first = challenge(r#"Digest realm="r", nonce="n1", qop="auth""#);
        assert!(auth.refused(None, &first));
        let proof = auth.prove("GET", "/").unwrap();
        let again = challenge(r#"Digest realm="r", nonce="n2", qop="auth""#);
        assert!(!auth.refused(proof.as_ref(), &again), "it was never accepted");
        let auth = digest();
        assert!(auth.refused(None, &first));
        let proof = auth.prove("GET", "/").unwrap();
        let stale = challenge(r#"Digest realm="r", nonce="n2", qop="auth", stale=true"#);
        assert!(auth.refused(proof.as_ref(), &stale));
        let renewed = auth.prove("GET", "/").unwrap().unwrap();
        assert!(renewed.value.to_str().unwrap().contains(r#"nonce="n2""#));
        auth.accepted(Some(&renewed));
        assert!(auth.refused(Some(&renewed), &first), "it has worked before");
        assert!(auth.refused(Some(&renewed), &first), "another request renewed it meanwhile");
    }
}
