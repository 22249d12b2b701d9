//! What a server's refusal means (Amazon S3 API Reference, "Error responses"; other servers use the same codes).

use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use crate::error::{Code, Error};
use crate::provider::traffic::Refusal;
use crate::provider::web;
use crate::provider::xml;

/// How much of a server's words an error repeats.
const WORDS: usize = 500;

/// What a server says of a failure.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// `NoSuchKey` and the like; empty where there is none.
    pub(super) code: String,
    pub(super) message: String,
    /// The region that the bucket is in, where it is not the one that was asked for.
    pub(super) region: Option<String>,
    endpoint: Option<String>,
}

impl Said {
    /// Takes it from the body and the headers of an answer.
    pub(super) fn of(headers: &HeaderMap, body: &[u8]) -> Self {
        let mut said = Self::default();
        match xml::parse(body) {
            Ok(root) => {
                // Some answers wrap the error once more.
                let error = root.all("Error").next().unwrap_or(&root);
                let text = |name| error.text_of(name).map(str::trim).filter(|text| !text.is_empty());
                said.code = text("Code").unwrap_or_default().to_owned();
                said.message = text("Message").unwrap_or_default().to_owned();
                said.region = text("Region").map(str::to_owned);
                said.endpoint = text("Endpoint").map(str::to_owned);
            }
            Err(_) => said.message = String::from_utf8_lossy(body).trim().to_owned(),
        }
        let header = headers.get("x-amz-bucket-region").and_then(|value| value.to_str().ok());
        said.region = header.map(str::to_owned).or(said.region);
        said
    }

    fn words(&self) -> String {
        let said = match (self.code.is_empty(), self.message.is_empty()) {
            (false, false) => format!("{}: {}", self.code, self.message),
            (false, true) => self.code.clone(),
            (true, _) => self.message.clone(),
        };
        let said = match &self.endpoint {
            Some(endpoint) => format!("{said} ({endpoint})"),
            None => said,
        };
        said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS).collect()
    }
}

/// The error of an answer that is no success.
pub(super) fn refusal(
    action: &'static str,
    subject: &str,
    status: StatusCode,
    headers: &HeaderMap,
    said: &Said,
) -> Refusal {
    let code = code(&said.code, status);
    let words = said.words();
    let words = if words.is_empty() { status.to_string() } else { format!("{status}: {words}") };
    let error = Error::new(code, action, subject).because(words).advise(advice(&said.code, code));
    Refusal { error, after: web::retry_after(headers) }
}

/// Server's code first, since many servers answer with a status of their own choice.
fn code(said: &str, status: StatusCode) -> Code {
    match said {
        "RequestTimeout" => Code::Timeout,
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidToken"
        | "AuthorizationHeaderMalformed"
        | "InvalidSecurity"
        | "NotSignedUp"
        | "ExpiredToken"
        | "TokenRefreshRequired"
        | "RequestTimeTooSkewed" => Code::Auth,
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "InvalidObjectState" => Code::Permission,
        "NoSuchBucket" | "NoSuchKey" | "NoSuchVersion" | "NoSuchUpload" => Code::NotFound,
        "BucketAlreadyExists" | "BucketAlreadyOwnedByYou" | "BucketNotEmpty" => Code::Conflict,
        "OperationAborted" | "ConditionalRequestConflict" => Code::Busy,
        "PreconditionFailed" => Code::Stale,
        "InvalidRange"
        | "EntityTooLarge"
        | "EntityTooSmall"
        | "InvalidPart"
        | "InvalidPartOrder"
        | "InvalidArgument"
        | "InvalidBucketName"
        | "KeyTooLongError"
        | "MalformedXML"
        | "MetadataTooLarge"
        | "InvalidRequest"
        | "MissingContentLength"
        | "InvalidStorageClass"
        | "InvalidDigest"
        | "PermanentRedirect"
        | "TemporaryRedirect" => Code::Invalid,
        // Bytes were lost or changed on their way: they are sent again.
        "BadDigest" | "XAmzContentSHA256Mismatch" | "IncompleteBody" | "InternalError" => Code::Offline,
        "QuotaExceeded" | "XMinioStorageFull" | "InsufficientStorage" | "TooManyBuckets" => Code::Quota,
        "SlowDown"
        | "RequestLimitExceeded"
        | "Throttling"
        | "ThrottlingException"
        | "TooManyRequests"
        | "ServiceUnavailable" => Code::Throttled,
        "NotImplemented" | "MethodNotAllowed" => Code::Unsupported,
        _ if status.is_redirection() => Code::Invalid,
        // A failure that was announced as a success.
        _ if status.is_success() => Code::Storage,
        _ => web::code(status),
    }
}

fn advice(said: &str, code: Code) -> &'static str {
    match said {
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" => "check the access key and its secret",
        "ExpiredToken" | "TokenRefreshRequired" | "InvalidToken" => "give new temporary credentials",
        "AuthorizationHeaderMalformed" => "name the region of the bucket",
        "RequestTimeTooSkewed" => "set the clock of this machine",
        "PermanentRedirect" | "TemporaryRedirect" => "name the endpoint of the bucket's region",
        "NoSuchBucket" => "check the name of the bucket",
        "InvalidObjectState" => "restore the object from its archive first",
        _ if code == Code::Invalid && said.is_empty() => "check the endpoint",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, body: &str) -> Error {
        let headers = HeaderMap::new();
        let status = StatusCode::from_u16(status).unwrap();
        refusal("look at", "a", status, &headers, &Said::of(&headers, body.as_bytes())).error
    }

    fn coded(status: u16, code: &str) -> Code {
        told(status, &format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>m</Message></Error>")).code()
    }

    #[test]
    fn every_code_of_the_table_has_its_class() {
        for (status, said, code) in [
            (400, "RequestTimeout", Code::Timeout),
            (403, "InvalidAccessKeyId", Code::Auth),
            (403, "SignatureDoesNotMatch", Code::Auth),
            (400, "ExpiredToken", Code::Auth),
            (403, "RequestTimeTooSkewed", Code::Auth),
            (403, "AccessDenied", Code::Permission),
            (403, "InvalidObjectState", Code::Permission),
            (404, "NoSuchBucket", Code::NotFound),
            (404, "NoSuchKey", Code::NotFound),
            (404, "NoSuchUpload", Code::NotFound),
            (405, "MethodNotAllowed", Code::Unsupported),
            (409, "BucketNotEmpty", Code::Conflict),
            (409, "ConditionalRequestConflict", Code::Busy),
            (412, "PreconditionFailed", Code::Stale),
            (416, "InvalidRange", Code::Invalid),
            (400, "KeyTooLongError", Code::Invalid),
            (400, "BadDigest", Code::Offline),
            (400, "XAmzContentSHA256Mismatch", Code::Offline),
            (400, "InvalidDigest", Code::Invalid),
            (403, "QuotaExceeded", Code::Quota),
            (507, "XMinioStorageFull", Code::Quota),
            (503, "SlowDown", Code::Throttled),
            (500, "InternalError", Code::Offline),
            (502, "", Code::Offline),
            (503, "", Code::Throttled),
            (501, "NotImplemented", Code::Unsupported),
            (301, "PermanentRedirect", Code::Invalid),
            (200, "InternalError", Code::Offline),
            (200, "Whatever", Code::Storage),
            (418, "Whatever", Code::Storage),
        ] {
            assert_eq!(coded(status, said), code, "{status} {said}");
        }
    }

    #[test]
    fn the_servers_own_words_are_kept() {
        let error =
            told(404, "<Error><Code>NoSuchKey</Code><Message>The specified key\n does not exist.</Message></Error>");
        assert_eq!(
            error.to_string(),
            "could not look at a: 404 Not Found: NoSuchKey: The specified key  does not exist."
        );
        assert_eq!(told(404, "").to_string(), "could not look at a: 404 Not Found");
        assert!(told(500, &"x".repeat(10_000)).to_string().len() < 600);
    }
}
