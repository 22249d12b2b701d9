//! What the service says when it does not do what it is asked ("Microsoft Graph error responses and resource types").

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::error::{Code, Error};
use crate::provider::web;

/// SharePoint's number for a value that a unique column has already. The status beside it differs from one report to the
/// next, so it is never asked.
const DUPLICATE: &str = "-2130575169";
const DUPLICATE_NAME: &str = "SPDuplicateValuesFoundException";
const DUPLICATE_WORDS: &str = "duplicate values were found in the following field(s)";

/// An answer that is no success.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) status: u16,
    /// From the outermost to the most exact one.
    codes: Vec<String>,
    words: String,
    request_id: String,
    pub(super) retry_after: Option<Duration>,
}

impl Fault {
    pub(super) fn read(status: u16, headers: &HeaderMap, body: &Value) -> Self {
        let error = &body["error"];
        let (mut codes, mut request_id) = (Vec::new(), String::new());
        let mut at = Some(error);
        while let Some(part) = at {
            codes.extend(part["code"].as_str().map(str::to_owned));
            if let Some(id) = part["request-id"].as_str() {
                id.clone_into(&mut request_id);
            }
            // Both spellings are in use.
            at = part.get("innerError").or_else(|| part.get("innererror"));
        }
        let of_header = headers.get("request-id").and_then(|id| id.to_str().ok());
        if let Some(id) = of_header.filter(|_| request_id.is_empty()) {
            id.clone_into(&mut request_id);
        }
        let words = error["message"].as_str().unwrap_or_default().chars().take(500).collect();
        Self { status, codes, words, request_id, retry_after: web::retry_after(headers) }
    }

    /// Whether one of the codes is this.
    pub(super) fn says(&self, code: &str) -> bool {
        self.codes.iter().any(|said| said == code)
    }

    /// The deepest code that is known, else what the status means.
    pub(super) fn code(&self) -> Code {
        if self.duplicates().is_some() {
            return Code::Conflict;
        }
        let by_status = || StatusCode::from_u16(self.status).map_or(Code::Storage, web::code);
        self.codes.iter().rev().find_map(|code| meaning(code)).unwrap_or_else(by_status)
    }

    /// Whether to come back later: nothing is wrong with the request.
    pub(super) fn is_throttled(&self) -> bool {
        matches!(self.status, 429 | 503 | 509)
    }

    /// Whether what happened is not known: the server, or one before it, failed on the way.
    pub(super) fn is_vague(&self) -> bool {
        self.status >= 500 || self.status == 408
    }

    /// The columns that have the value already, by the names that people see; none when it is something else. Empty when the
    /// service does not name them.
    pub(super) fn duplicates(&self) -> Option<Vec<&str>> {
        let is_it = |code: &String| code.contains(DUPLICATE) || code.contains(DUPLICATE_NAME);
        let by_words = [DUPLICATE, DUPLICATE_NAME, DUPLICATE_WORDS].iter().any(|words| self.words.contains(words));
        (by_words || self.codes.iter().any(is_it)).then(|| {
            let named = self.words.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
            named.map(|(names, _)| names.split(',').map(str::trim).collect()).unwrap_or_default()
        })
    }

    /// The service's own words, with what it can be found by in its logs.
    pub(super) fn error(&self, action: &'static str, subject: impl std::fmt::Display) -> Error {
        let mut said = self.status.to_string();
        if let Some(code) = self.codes.last() {
            said = format!("{said} {code}");
        }
        if !self.words.is_empty() {
            said = format!("{said}: {}", self.words.escape_debug());
        }
        if !self.request_id.is_empty() {
            said = format!("{said}; request-id {}", self.request_id.escape_debug());
        }
        Error::new(self.code(), action, subject).because(said)
    }
}

fn meaning(code: &str) -> Option<Code> {
    Some(match code {
        "activityLimitReached" | "TooManyRequests" | "throttledRequest" | "serviceNotAvailable" => Code::Throttled,
        "accessDenied" | "notAllowed" | "accessRestricted" => Code::Permission,
        "itemNotFound" | "ErrorItemNotFound" => Code::NotFound,
        "nameAlreadyExists" => Code::Conflict,
        "quotaLimitReached" | "maxItemCountExceeded" | "childItemCountExceeded" => Code::Quota,
        "resourceModified" | "entityTagDoesNotMatch" | "resyncRequired" | "syncStateNotFound" => Code::Stale,
        "resyncChangesApplyDifferences" | "resyncChangesUploadDifferences" => Code::Stale,
        "InvalidAuthenticationToken" | "unauthenticated" => Code::Auth,
        "resourceLocked" | "lockMismatch" | "lockOwnerMismatch" => Code::Busy,
        "notSupported" => Code::Unsupported,
        "BadRequest" | "invalidRequest" => Code::Invalid,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(status: u16, body: &Value) -> Fault {
        Fault::read(status, &HeaderMap::new(), body)
    }

    #[test]
    fn the_deepest_code_that_is_known_wins() {
        let inner = json!({ "code": "entityTagDoesNotMatch", "request-id": "r", "innererror": { "code": "new" } });
        let fault = fault(400, &json!({ "error": { "code": "invalidRequest", "message": "m", "innerError": inner } }));
        assert_eq!(fault.code(), Code::Stale);
        let words = fault.error("write", "x").to_string();
        assert_eq!(words, "could not write x: 400 new: m; request-id r");
    }

    #[test]
    fn a_body_that_is_none_leaves_the_status() {
        assert_eq!(fault(404, &Value::Null).code(), Code::NotFound);
        assert_eq!(fault(502, &json!("<html>")).code(), Code::Offline);
    }

    #[test]
    fn duplicates_are_told_by_number_or_words_and_never_by_status() {
        let said = "duplicate values were found in the following field(s) in the list: [SyncKey, Code].";
        let of = |status, code: &str, words: &str| {
            let error = json!({ "code": "x", "message": words, "innerError": { "code": code } });
            fault(status, &json!({ "error": error })).duplicates().map(|names| names.join("+"))
        };
        for status in [400, 409, 500] {
            assert_eq!(of(status, "other", said).as_deref(), Some("SyncKey+Code"));
            assert_eq!(of(status, "-2130575169, X", "andere Worte").as_deref(), Some(""));
            assert_eq!(of(status, "nameAlreadyExists", "something else [SyncKey]"), None);
            let error = json!({ "error": { "code": "generalException", "message": said } });
            assert_eq!(fault(status, &error).code(), Code::Conflict);
        }
    }
}
