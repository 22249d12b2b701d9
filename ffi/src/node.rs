//! How Node is told of an error.

use serde::Serialize;

use crate::error::PortbookError;
use crate::records::ErrorCode;

#[derive(Serialize)]
struct Told<'a> {
    code: ErrorCode,
    text: &'a str,
    advice: &'a str,
}

/// As JSON in its reason: what a promise is rejected with has no place for a code of ours.
impl From<PortbookError> for napi::Error {
    fn from(error: PortbookError) -> Self {
        let told = Told { code: error.code(), text: error.text(), advice: error.advice() };
        Self::from_reason(serde_json::to_string(&told).unwrap_or_default())
    }
}
