//! What a bucket is opened with, and where its requests go.

use reqwest::Url;

use crate::error::{Code, Error, Result};
use crate::model::{RelPath, SecretBytes};
use crate::tls::Trust;

/// The smallest part a server takes, but for the last (Amazon S3 User Guide, "Multipart upload limits").
pub(super) const LEAST_PART: u64 = 5 << 20;
const MIB: u64 = 1 << 20;
const MOST_PARTS: u64 = 10_000;

/// How a bucket is reached.
///
/// ```
/// use portbook::provider::s3::{S3, S3Options};
///
/// # fn main() -> portbook::Result<()> {
/// let options = S3Options {
///     prefix: "photos".into(),
///     region: "eu-central-1".into(),
///     ..S3Options::new("http://127.0.0.1:9000", "backup", "id", "secret")
/// };
/// assert!(!format!("{options:?}").contains("secret\""));
/// let place = S3::open(options)?;
/// # let _ = place;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct S3Options {
    /// The server: scheme, host and, where it is not the scheme's own, port. `https://s3.eu-central-1.amazonaws.com`.
    pub endpoint: String,
    /// The bucket.
    pub bucket: String,
    /// The directory of the bucket that is the root; empty: the whole bucket.
    pub prefix: String,
    /// The region that requests are signed for. A server that names another one is believed.
    pub region: String,
    /// Whether the bucket is named in the path (`https://host/bucket/key`) rather than in the host
    /// (`https://bucket.host/key`). A host has no upper case, and a bucket with a dot in its name is beneath no certificate
    /// for `*.host`: such buckets are named in the path.
    pub path_style: bool,
    /// The id of the access key.
    pub access_key: String,
    /// The secret of the access key.
    pub secret_key: SecretBytes,
    /// The token that comes with temporary credentials.
    pub session_token: Option<SecretBytes>,
    /// Which servers are believed to be who they say.
    pub trust: Trust,
    /// Bytes in one part of a large file; at least 5 MiB, and more where 10,000 parts would not hold the file.
    pub part_bytes: u64,
}

impl S3Options {
    /// A whole bucket, by its path, in the region `us-east-1`, with parts of 8 MiB.
    #[must_use]
    pub fn new(
        endpoint: impl Into<String>,
        bucket: impl Into<String>,
        access_key: impl Into<String>,
        secret_key: impl Into<SecretBytes>,
    ) -> Self {
        Self {
            endpoint: endpoint.into(),
            bucket: bucket.into(),
            prefix: String::new(),
            region: "us-east-1".into(),
            path_style: true,
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            session_token: None,
            trust: Trust::default(),
            part_bytes: 8 << 20,
        }
    }
}

/// The options, looked through.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) options: S3Options,
    /// Scheme, host and port.
    pub(super) server: Url,
    /// What stands before the key in the path.
    path: String,
    /// Empty, or with a `/` at its end.
    pub(super) prefix: String,
}

impl Site {
    pub(super) fn new(options: S3Options) -> Result<Self> {
        let refuse = |why: &str| Error::new(Code::Invalid, "use the bucket", shown(&options)).because(why);
        let mut server = Url::parse(&options.endpoint).map_err(|e| refuse(&format!("its endpoint is no URL: {e}")))?;
        let is_web = matches!(server.scheme(), "http" | "https") && server.host_str().is_some();
        let is_bare = server.path() == "/" && server.query().is_none() && server.fragment().is_none();
        if !is_web || !is_bare || !server.username().is_empty() || server.password().is_some() {
            return Err(refuse("its endpoint is not http:// or https:// with a host alone"));
        }
        if !is_bucket(&options.bucket) {
            return Err(refuse("this is no name of a bucket"));
        }
        let bare = options.prefix.trim_matches('/');
        if RelPath::parse(bare.as_bytes()).is_none() {
            return Err(refuse("its prefix has an empty component, or one that is `.` or `..`"));
        }
        let prefix = if bare.is_empty() { String::new() } else { format!("{bare}/") };
        if options.access_key.is_empty() || options.secret_key.expose_text()?.is_empty() {
            return Err(refuse("there is no access key or no secret"));
        }
        let mut path = String::from("/");
        if options.path_style {
            path = format!("/{}/", options.bucket);
        } else {
            let host = format!("{}.{}", options.bucket, server.host_str().unwrap_or_default());
            let is_name = matches!(server.host(), Some(url::Host::Domain(_)));
            // A host has no upper case: another bucket would be asked.
            let placed = is_name && server.set_host(Some(&host)).is_ok() && server.host_str() == Some(&host);
            if !placed {
                return Err(refuse("the bucket cannot be part of this host").advise("name it in the path (path_style)"));
            }
        }
        Ok(Self { options, server, path, prefix })
    }

    /// The path of a key in a URL, or of the bucket, encoded once.
    pub(super) fn path_of(&self, key: Option<&str>) -> String {
        match key {
            Some(key) => format!("{}{}", self.path, super::sign::encode_path(key)),
            None => self.path.clone(),
        }
    }

    /// Host and port as they stand in the `Host` header.
    pub(super) fn host(&self) -> String {
        let host = self.server.host_str().unwrap_or_default();
        self.server.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Names the traffic to this server, and what is known of the bucket.
    pub(super) fn account(&self) -> String {
        let port = self.server.port_or_known_default().unwrap_or_default();
        let host = self.server.host_str().unwrap_or_default();
        format!("s3://{host}:{port}/{}", self.options.access_key)
    }

    pub(super) fn display(&self) -> String {
        shown(&self.options)
    }
}

fn shown(options: &S3Options) -> String {
    let whole = format!("s3://{}/{}", options.bucket, options.prefix.trim_matches('/'));
    crate::model::escaped(whole.trim_end_matches('/').as_bytes())
}

/// Amazon S3 User Guide, "General purpose bucket naming rules"; upper case and `_` as older buckets and other servers have.
fn is_bucket(name: &str) -> bool {
    let usable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (1..=255).contains(&name.len()) && name.chars().all(usable) && !matches!(name, "." | "..")
}

/// How a file of this size is cut. Every part but the last has the same size, as some servers demand.
pub(super) fn part_bytes(chosen: u64, size: u64) -> u64 {
    chosen.max(LEAST_PART).max(size.div_ceil(MOST_PARTS)).div_ceil(MIB) * MIB
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> S3Options {
        S3Options::new("https://s3.example.org", "bucket", "id", "hunter2")
    }

    #[test]
    fn a_bucket_is_in_the_path_or_in_the_host() {
        let site = Site::new(S3Options { prefix: "/a/b/".into(), ..options() }).unwrap();
        assert_eq!(
            (site.host().as_str(), site.path_of(Some("a b/ü"))),
            ("s3.example.org", "/bucket/a%20b/%C3%BC".into())
        );
        assert_eq!((site.prefix.as_str(), site.display().as_str()), ("a/b/", "s3://bucket/a/b"));
        let site = Site::new(S3Options { path_style: false, ..options() }).unwrap();
        assert_eq!((site.host().as_str(), site.path_of(None)), ("bucket.s3.example.org", "/".into()));
    }

    #[test]
    fn what_cannot_be_an_address_is_refused() {
        for broken in [
            S3Options { endpoint: "ftp://host".into(), ..options() },
            S3Options { endpoint: "https://user:pass@host".into(), ..options() },
            S3Options { endpoint: "https://host/path".into(), ..options() },
            S3Options { bucket: "a/b".into(), ..options() },
            S3Options { bucket: "..".into(), ..options() },
            S3Options { prefix: "a/../b".into(), ..options() },
            S3Options { prefix: "a//b".into(), ..options() },
            S3Options { access_key: String::new(), ..options() },
            S3Options { endpoint: "http://127.0.0.1:1".into(), path_style: false, ..options() },
            S3Options { bucket: "Bucket".into(), path_style: false, ..options() },
        ] {
            assert_eq!(Site::new(broken).unwrap_err().code(), Code::Invalid);
        }
    }

    #[test]
    fn no_debug_shows_the_secret() {
        let options = S3Options { session_token: Some("swordfish".into()), ..options() };
        let shown = format!("{options:?} {:?}", Site::new(options.clone()).unwrap());
        assert!(!shown.contains("hunter2") && !shown.contains("swordfish"), "{shown}");
    }

    #[test]
    fn ten_thousand_parts_hold_every_file() {
        assert_eq!(part_bytes(8 << 20, 1 << 30), 8 << 20);
        assert_eq!(part_bytes(1, 1 << 30), 5 << 20);
        for size in [1 << 40, 5 << 40, (5 << 40) - 1] {
            let part = part_bytes(8 << 20, size);
            assert!(part.is_multiple_of(MIB) && size.div_ceil(part) <= MOST_PARTS, "{part}");
        }
    }
}
