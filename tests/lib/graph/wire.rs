//! What is asked and what is answered, before and after it is HTTP.

use bytes::Bytes;
use hyper::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

/// A request, of its own or from a batch.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: Method,
    /// As it was sent, still encoded, from the version on: `/v1.0/sites/…`.
    pub path: String,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Scheme and host by which the server was reached: links in answers start with it.
    pub origin: String,
    pub in_batch: bool,
}

/// An answer that is sent as it stands.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<Value>,
}

/// Why something is not done: the error document of Graph ("Microsoft Graph error responses and resource types").
#[derive(Clone, Debug)]
pub struct Refusal {
    pub status: u16,
    pub code: &'static str,
    pub message: String,
    /// The code of the inner error, which is the more exact one.
    pub inner: Option<&'static str>,
    pub headers: Vec<(&'static str, String)>,
}

pub type Answered = Result<Reply, Refusal>;

impl Asked {
    /// Splits an URL without scheme and host.
    pub fn target(url: &str) -> (String, Vec<(String, String)>) {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        (path.to_owned(), query)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the header `Prefer` has this word (RFC 7240).
    pub fn prefers(&self, wanted: &str) -> bool {
        let all = self.headers.get_all("prefer");
        let words = all.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split([',', ';']));
        words.map(str::trim).any(|word| word.eq_ignore_ascii_case(wanted))
    }

    /// The body, which must say that it is JSON and be an object.
    pub fn object(&self) -> Result<Map<String, Value>, Refusal> {
        let kind = self.header("content-type").unwrap_or_default();
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
            let message = format!("the content type {kind:?} is not application/json");
            return Err(Refusal::new(415, "unsupportedMediaType", message));
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err(Refusal::bad("the body is no JSON object")),
            Err(why) => Err(Refusal::bad(format!("Unable to read JSON request payload: {why}"))),
        }
    }
}

/// One part of a path.
pub fn decode(part: &str) -> Result<String, Refusal> {
    let text = percent_decode_str(part).decode_utf8().map_err(|_| Refusal::bad("the path is no UTF-8"))?;
    Ok(text.into_owned())
}

impl Reply {
    pub fn new(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Some(body) }
    }

    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Refusal {
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), inner: None, headers: Vec::new() }
    }

    /// The request is wrong in a way that the gateway sees.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// The request is wrong in a way that SharePoint sees.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalidRequest", message)
    }

    pub fn absent(what: &str) -> Self {
        Self::new(404, "itemNotFound", format!("The specified {what} was not found"))
    }

    pub fn of(mut self, inner: &'static str) -> Self {
        self.inner = Some(inner);
        self
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// What services answer with this status alone.
    pub fn by_status(status: u16) -> Self {
        let (code, message) = match status {
            403 => ("accessDenied", "Access denied"),
            404 => ("itemNotFound", "The specified item was not found"),
            409 => ("conflict", "The operation conflicts with another one"),
            423 => ("resourceLocked", "The resource is locked"),
            429 => ("activityLimitReached", "The application or user has been throttled"),
            503 => ("serviceNotAvailable", "The service is not available"),
            504 => ("UnknownError", "The gateway did not receive an answer in time"),
            507 => ("quotaLimitReached", "The quota is used up"),
            _ => ("generalException", "General exception while processing"),
        };
        let refusal = Self::new(status, code, message);
        if status == 429 { refusal.of("throttledRequest") } else { refusal }
    }

    /// The error document; ids and the date are those of the request.
    pub fn reply(self, request_id: &str, client_request_id: &str, date: &str) -> Reply {
        let mut inner = json!({ "date": date, "request-id": request_id, "client-request-id": client_request_id });
        if let Some(code) = self.inner {
            inner["code"] = code.into();
        }
        let error = json!({ "error": { "code": self.code, "message": self.message, "innerError": inner } });
        Reply { status: self.status, headers: self.headers, body: Some(error) }
    }
}
