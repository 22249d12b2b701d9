//! Access tokens by client credentials ("Microsoft identity platform and the OAuth 2.0 client credentials flow").
//!
//! One token serves all requests of an endpoint. It is renewed before its end, and once when the service does not honour it.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde_json::Value;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::credential::Credential;
use crate::error::{Code, Error, Result};
use crate::operation::Clock;
use crate::provider::web;

/// How long before its end a token is renewed, unless it lives shorter.
const EARLY: Duration = Duration::from_secs(300);
/// How often Entra is asked when it is busy.
const ATTEMPTS: u32 = 4;
const ACTION: &str = "sign in to Microsoft Entra as";

pub(super) struct Tokens {
    pub(super) http: Client,
    pub(super) url: String,
    pub(super) client_id: String,
    pub(super) credential: Credential,
    pub(super) scope: String,
    pub(super) clock: Arc<dyn Clock>,
    /// Held while one is asked for, so that one request does for everyone who waits.
    pub(super) current: Mutex<Current>,
}

#[derive(Default)]
pub(super) struct Current {
    token: Option<Bearer>,
    renew_at: Duration,
    count: u64,
}

/// A token as it is sent.
#[derive(Clone)]
pub(super) struct Bearer {
    pub(super) header: HeaderValue,
    /// Which one it is.
    count: u64,
}

impl Tokens {
    /// The token, asked for when there is none.
    ///
    /// # Errors
    /// `auth` in Entra's words; `offline`, `timeout`, `throttled`.
    pub(super) async fn bearer(&self) -> Result<Bearer> {
        let mut current = self.current.lock().await;
        if let Some(token) = current.token.as_ref().filter(|_| self.clock.elapsed() < current.renew_at) {
            return Ok(token.clone());
        }
        let (text, lifetime) = self.ask().await?;
        let bearer = Zeroizing::new(format!("Bearer {}", text.as_str()));
        let mut header = HeaderValue::from_str(&bearer).map_err(|_| self.odd("the token has odd characters"))?;
        header.set_sensitive(true);
        current.count += 1;
        let token = Bearer { header, count: current.count };
        current.renew_at = self.clock.elapsed() + lifetime.saturating_sub(EARLY.min(lifetime / 4));
        current.token = Some(token.clone());
        Ok(token)
    }

    /// That the service did not honour it.
    pub(super) async fn forget(&self, refused: &Bearer) {
        let mut current = self.current.lock().await;
        if current.count == refused.count {
            current.token = None;
        }
    }

    async fn ask(&self) -> Result<(Zeroizing<String>, Duration)> {
        let mut attempt = 1;
        loop {
            let answer = self.ask_once().await;
            let after = match &answer {
                Err((error, after)) if error.is_retryable() && attempt < ATTEMPTS => *after,
                _ => return answer.map_err(|(error, _)| error),
            };
            self.clock.sleep(after.unwrap_or(Duration::from_secs(1 << attempt))).await;
            attempt += 1;
        }
    }

    async fn ask_once(&self) -> std::result::Result<(Zeroizing<String>, Duration), (Error, Option<Duration>)> {
        let shown = self.credential.fields(&self.client_id, &self.url, self.clock.now()).map_err(|e| (e, None))?;
        let form = Zeroizing::new(
            url::form_urlencoded::Serializer::new(String::new())
                .append_pair("client_id", &self.client_id)
                .extend_pairs(shown.iter().map(|(name, value)| (name, value.as_str())))
                .append_pair("scope", &self.scope)
                .append_pair("grant_type", "client_credentials")
                .finish(),
        );
        let lost = |e: reqwest::Error| (web::unanswered(ACTION, &self.client_id, &e), None);
        let request = self.http.post(&self.url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let response = request.body(form.as_bytes().to_vec()).send().await.map_err(lost)?;
        let (status, after) = (response.status(), web::retry_after(response.headers()));
        let body = Zeroizing::new(if status.is_success() {
            response.bytes().await.map_err(lost)?.to_vec()
        } else {
            web::body_of_failure(response).await
        });
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        if !status.is_success() {
            return Err((self.denied(status, &answer, &shown), after));
        }
        let token = answer["access_token"].as_str().map(|token| Zeroizing::new(token.to_owned()));
        let token = token.ok_or_else(|| (self.odd("the answer has no token"), None))?;
        let seconds = answer["expires_in"].as_u64().or_else(|| answer["expires_in"].as_str()?.parse().ok());
        Ok((token, Duration::from_secs(seconds.unwrap_or(3600))))
    }

    /// The contract is the text `error`; the number beside it is for people.
    fn denied(
        &self,
        status: reqwest::StatusCode,
        answer: &Value,
        shown: &[(&'static str, Zeroizing<String>)],
    ) -> Error {
        let said = answer["error"].as_str().unwrap_or_default();
        let words = answer["error_description"].as_str().unwrap_or_default().lines().next().unwrap_or_default();
        let code = match (status.as_u16(), said) {
            (429, _) => Code::Throttled,
            (500.., _) | (_, "temporarily_unavailable") => Code::Offline,
            _ => Code::Auth,
        };
        // It is not echoed; whoever pretends to be Entra may.
        let words = format!("{status} {said}: {words}");
        let words = shown.iter().fold(words, |words, (_, value)| words.replace(value.as_str(), "…"));
        let error = Error::new(code, ACTION, self.client_id.escape_debug()).because(words.escape_debug());
        if code == Code::Auth { error.advise("check tenant, application and its secret or certificate") } else { error }
    }

    fn odd(&self, why: &str) -> Error {
        Error::new(Code::Storage, ACTION, self.client_id.escape_debug()).because(why)
    }
}
