//! Access tokens by client credentials ("Microsoft identity platform and the OAuth 2.0 client credentials flow"), by a secret
//! or by an assertion that the application's certificate signs.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chrono::DateTime;
use rustls::SignatureScheme;
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use serde_json::{Value, json};
use sha1::Digest as _;
use subtle::ConstantTimeEq as _;

use super::Shared;
use super::options::AppOptions;
use super::wire::{Asked, Refusal, Reply};

/// Application and end by token.
#[derive(Default)]
pub struct Tokens {
    issued: HashMap<String, (String, i64)>,
}

/// What Entra answers instead of a token: `error`, its number, status, and words.
struct Denial(&'static str, u32, u16, &'static str);

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const BAD_SECRET: Denial = Denial("invalid_client", 7_000_215, 401, "Invalid client secret provided.");
const BAD_ASSERTION: Denial =
    Denial("invalid_client", 700_027, 401, "The certificate's signature could not be verified.");

impl Tokens {
    /// The application that a request is of.
    pub fn application(&self, asked: &Asked, now_ms: i64) -> Result<String, Refusal> {
        let denied = |message: &str| {
            let challenge =
                "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\"";
            Refusal::new(401, "InvalidAuthenticationToken", message).with("www-authenticate", challenge)
        };
        let header = asked.header("authorization").ok_or_else(|| denied("Access token is empty."))?;
        let token = header.strip_prefix("Bearer ").ok_or_else(|| denied("Access token is empty."))?;
        match self.issued.get(token) {
            None => Err(denied("IDX14100: JWT is not well formed.")),
            Some((_, end)) if *end <= now_ms => Err(denied("Lifetime validation failed, the token is expired.")),
            Some((application, _)) => Ok(application.clone()),
        }
    }

    /// No token that was issued is honoured any more.
    pub fn forget(&mut self) {
        self.issued.clear();
    }
}

/// Answers requests for tokens, and for what clients want to know before.
pub fn answer(shared: &Shared, asked: &Asked) -> Option<Reply> {
    let path = asked.path.strip_prefix('/')?;
    let (tenant, what) = path.split_once('/')?;
    match (asked.method.as_str(), what) {
        ("GET", "v2.0/.well-known/openid-configuration") => Some(discovery(asked, tenant)),
        ("POST", "oauth2/v2.0/token") => Some(match token(shared, asked, tenant) {
            Ok(reply) => reply,
            Err(denial) => denial.reply(shared),
        }),
        _ => None,
    }
}

fn discovery(asked: &Asked, tenant: &str) -> Reply {
    let base = format!("{}/{tenant}", asked.origin);
    let document = json!({
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "issuer": format!("{base}/v2.0"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
    });
    Reply::new(200, document)
}

fn token(shared: &Shared, asked: &Asked, tenant: &str) -> Result<Reply, Denial> {
    let kind = asked.header("content-type").unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(Denial("invalid_request", 900_144, 400, "The request body must be form-encoded."));
    }
    let form: HashMap<String, String> = url::form_urlencoded::parse(&asked.body).into_owned().collect();
    let field = |name: &str| form.get(name).map(String::as_str).filter(|value| !value.is_empty());
    if tenant != shared.tenant {
        return Err(Denial("invalid_request", 90_002, 400, "Tenant not found."));
    }
    match field("grant_type") {
        Some("client_credentials") => {}
        Some(_) => return Err(Denial("unsupported_grant_type", 70_003, 400, "The grant type is not supported.")),
        None => return Err(Denial("invalid_request", 900_144, 400, "The request must contain 'grant_type'.")),
    }
    if field("scope") != Some("https://graph.microsoft.com/.default") {
        return Err(Denial("invalid_scope", 1_002_012, 400, "The scope must end with /.default of the resource."));
    }
    let id =
        field("client_id").ok_or(Denial("invalid_request", 900_144, 400, "The request must contain 'client_id'."))?;
    let now_ms = shared.now_ms();
    let mut world = shared.world();
    let app = world.apps.iter().find(|app| app.id == id);
    let app =
        app.ok_or(Denial("unauthorized_client", 700_016, 400, "The application was not found in the directory."))?;
    match (field("client_secret"), field("client_assertion")) {
        (Some(secret), None) => check_secret(app, secret)?,
        (None, Some(assertion)) if field("client_assertion_type") == Some(JWT_BEARER) => {
            check_assertion(app, assertion, &format!("{}{}", asked.origin, asked.path), now_ms as f64 / 1_000.0)?;
        }
        _ => {
            return Err(Denial(
                "invalid_client",
                7_000_218,
                401,
                "Either 'client_assertion' or 'client_secret' is needed.",
            ));
        }
    }
    let mut random = [0; 24];
    getrandom::fill(&mut random)
        .map_err(|_| Denial("temporarily_unavailable", 90_033, 503, "No token can be made."))?;
    let token = BASE64.encode(random);
    let lifetime = shared.token_lifetime;
    world.tokens.issued.insert(token.clone(), (id.to_owned(), now_ms + lifetime.as_millis() as i64));
    world.counters.tokens += 1;
    let seconds = lifetime.as_secs();
    let granted = json!({
        "token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token,
    });
    Ok(Reply::new(200, granted).with("cache-control", "no-store"))
}

fn check_secret(app: &AppOptions, secret: &str) -> Result<(), Denial> {
    let is_right = !app.secret.is_empty() && bool::from(app.secret.as_bytes().ct_eq(secret.as_bytes()));
    if is_right { Ok(()) } else { Err(BAD_SECRET) }
}

/// A JWT whose header names the certificate and whose claims are about this application and endpoint, now
/// ("Microsoft identity platform application authentication certificate credentials").
fn check_assertion(app: &AppOptions, assertion: &str, endpoint: &str, now: f64) -> Result<(), Denial> {
    let verified = || {
        let (signed, signature) = assertion.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let part = |text: &str| serde_json::from_slice::<Value>(&BASE64.decode(text).ok()?).ok();
        let (header, claims) = (part(header)?, part(claims)?);
        let certificate = app.certificate.as_ref()?;
        let sha1 = BASE64.encode(sha1::Sha1::digest(certificate));
        let sha256 = BASE64.encode(sha2::Sha256::digest(certificate));
        // Some libraries keep the padding of base64, and give times in fractions of seconds (RFC 7519, section 2).
        let names =
            |key: &str, print: &str| header[key].as_str().is_some_and(|text| text.trim_end_matches('=') == print);
        if !names("x5t", &sha1) && !names("x5t#S256", &sha256) {
            return None;
        }
        let scheme = match header["alg"].as_str()? {
            "RS256" => SignatureScheme::RSA_PKCS1_SHA256,
            "PS256" => SignatureScheme::RSA_PSS_SHA256,
            _ => return None,
        };
        let is_current = claims["exp"].as_f64()? > now && claims["nbf"].as_f64().is_none_or(|from| from <= now + 300.0);
        let is_ours = claims["iss"] == app.id.as_str() && claims["sub"] == app.id.as_str() && claims["aud"] == endpoint;
        (is_current && is_ours && claims["jti"].is_string()).then_some(())?;
        is_signed(certificate, scheme, signed.as_bytes(), &BASE64.decode(signature).ok()?)
    };
    verified().ok_or(BAD_ASSERTION)
}

fn is_signed(certificate: &[u8], scheme: SignatureScheme, signed: &[u8], signature: &[u8]) -> Option<()> {
    let der = CertificateDer::from(certificate);
    let info = ParsedCertificate::try_from(&der).ok()?.subject_public_key_info();
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms.mapping;
    let (_, algorithms) = algorithms.iter().find(|(of, _)| *of == scheme)?;
    let key = key_of(&info)?;
    algorithms.iter().find_map(|algorithm| algorithm.verify_signature(key, signed, signature).ok())
}

/// The bits of the key in a SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7): two elements in a sequence, of which the second
/// is a bit string with no bits unused.
fn key_of(info: &[u8]) -> Option<&[u8]> {
    let (sequence, _) = element(info, 0x30)?;
    let (_, rest) = element(sequence, 0x30)?;
    let (bits, _) = element(rest, 0x03)?;
    bits.strip_prefix(&[0])
}

/// The contents of the element of DER that this starts with, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk::<2>()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
    };
    (found == tag).then(|| rest.split_at_checked(length))?
}

impl Denial {
    fn reply(self, shared: &Shared) -> Reply {
        let Self(error, number, status, words) = self;
        let (trace, now) = (shared.guid(), DateTime::from_timestamp_millis(shared.now_ms()).unwrap_or_default());
        let timestamp = now.format("%Y-%m-%d %H:%M:%SZ").to_string();
        let description =
            format!("AADSTS{number}: {words} Trace ID: {trace} Correlation ID: {trace} Timestamp: {timestamp}");
        let body = json!({
            "error": error, "error_description": description, "error_codes": [number], "timestamp": timestamp,
            "trace_id": trace, "correlation_id": trace,
        });
        Reply::new(status, body)
    }
}
