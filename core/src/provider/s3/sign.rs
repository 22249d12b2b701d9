//! Signature Version 4 in the `Authorization` header (Amazon S3 API Reference, "Authenticating Requests").
//!
//! rusty-s3 signs by the query only; a signature in the header stays out of the logs of servers and proxies, and the hash
//! of the body can be part of it. Only what no proxy changes is signed.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const IN_PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// A part of a query, encoded.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// A key, encoded, with its `/` as they are.
pub(super) fn encode_path(key: &str) -> String {
    utf8_percent_encode(key, IN_PATH).to_string()
}

/// The query of a request, encoded and in the order in which it is signed.
pub(super) fn query(parameters: &[(&str, &str)]) -> String {
    let mut encoded: Vec<(String, String)> = parameters.iter().map(|(n, v)| (encode(n), encode(v))).collect();
    encoded.sort();
    encoded.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Who signs, and for where.
pub(super) struct Signer<'a> {
    pub(super) access_key: &'a str,
    pub(super) secret_key: &'a str,
    pub(super) region: &'a str,
    pub(super) at: DateTime<Utc>,
}

/// What is signed of a request.
pub(super) struct Signed<'a> {
    pub(super) method: &'a str,
    /// Encoded.
    pub(super) path: &'a str,
    /// Encoded and sorted.
    pub(super) query: &'a str,
    /// Names in lower case, sorted.
    pub(super) headers: &'a [(&'a str, &'a str)],
    /// What `x-amz-content-sha256` says.
    pub(super) payload: &'a str,
}

impl Signer<'_> {
    /// The time as `x-amz-date` says it.
    pub(super) fn date(&self) -> String {
        self.at.format("%Y%m%dT%H%M%SZ").to_string()
    }

    /// The `Authorization` header.
    pub(super) fn authorization(&self, request: &Signed<'_>) -> String {
        let names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let headers: String =
            request.headers.iter().map(|(name, value)| format!("{name}:{}\n", folded(value))).collect();
        let Signed { method, path, query, payload, .. } = request;
        let canonical = format!("{method}\n{path}\n{query}\n{headers}\n{names}\n{payload}");
        let day = self.at.format("%Y%m%d").to_string();
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let text = format!("{ALGORITHM}\n{}\n{scope}\n{}", self.date(), hex(&Sha256::digest(canonical)));
        let signature = hex(&keyed(&*self.key(&day), text.as_bytes()));
        format!("{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", self.access_key)
    }

    fn key(&self, day: &str) -> Zeroizing<[u8; 32]> {
        let secret = Zeroizing::new(format!("AWS4{}", self.secret_key));
        let mut key = Zeroizing::new(keyed(secret.as_bytes(), day.as_bytes()));
        for part in [self.region, "s3", "aws4_request"] {
            key = Zeroizing::new(keyed(&*key, part.as_bytes()));
        }
        key
    }
}

/// A header's value without blanks around it, runs of blanks within it as one.
fn folded(value: &str) -> String {
    value.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn keyed(key: &[u8], text: &[u8]) -> [u8; 32] {
    // HMAC takes keys of every length (RFC 2104, section 2); without one nothing would be accepted.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// Bytes in lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn signature(method: &str, path: &str, query: &str, more: &[(&str, &str)], payload: &str) -> String {
        let signer = Signer {
            access_key: "AKIAIOSFODNN7EXAMPLE",
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            region: "us-east-1",
            at: DateTime::from_timestamp(1_369_353_600, 0).unwrap(),
        };
        let date = signer.date();
        let mut headers = vec![("host", "examplebucket.s3.amazonaws.com"), ("x-amz-content-sha256", payload)];
        headers.push(("x-amz-date", &date));
        headers.extend(more);
        headers.sort_unstable();
        let signed = Signed { method, path, query, headers: &headers, payload };
        signer.authorization(&signed).rsplit('=').next().unwrap().to_owned()
    }

    /// The examples of the Amazon S3 API Reference, "Signature Calculations for the Authorization Header".
    #[test]
    fn signatures_are_those_of_the_reference() {
        let range = signature("GET", "/test.txt", "", &[("range", "bytes=0-9")], EMPTY);
        assert_eq!(range, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
        let more = [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")];
        let body = hex(&Sha256::digest("Welcome to Amazon S3."));
        let put = signature("PUT", &format!("/{}", encode_path("test$file.text")), "", &more, &body);
        assert_eq!(put, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
        let lifecycle = signature("GET", "/", &query(&[("lifecycle", "")]), &[], EMPTY);
        assert_eq!(lifecycle, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
        let list = signature("GET", "/", &query(&[("prefix", "J"), ("max-keys", "2")]), &[], EMPTY);
        assert_eq!(list, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
    }

    #[test]
    fn a_key_is_encoded_byte_by_byte() {
        assert_eq!(encode_path("a b/c+d%/ü~._-\\\u{1b}"), "a%20b/c%2Bd%25/%C3%BC~._-%5C%1B");
        assert_eq!(encode("a/b c"), "a%2Fb%20c");
    }
}
