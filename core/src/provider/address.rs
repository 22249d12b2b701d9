//! URLs of places: what they name, and how two of them are known to be the same.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use url::{Host, Url};

use crate::error::{Code, Error, Result};

/// What a path keeps as it is: everything but what would end it, or what RFC 3986 has no room for.
const PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`');

/// A place behind a URL. It never holds a password.
///
/// ```
/// use portbook::provider::Address;
///
/// # fn main() -> portbook::Result<()> {
/// let address: Address = "sftp://me@Example.org:22/srv/my%20files/".parse()?;
/// assert_eq!(address.to_string(), "sftp://me@example.org/srv/my%20files");
///
/// let address: Address = "s3://bucket/photos/2026".parse()?;
/// assert_eq!(address, Address::S3 { bucket: "bucket".into(), prefix: "photos/2026".into() });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// `s3://BUCKET/PREFIX`: the prefix is taken as it is, as tools for S3 do.
    S3 {
        /// The bucket.
        bucket: String,
        /// What every key begins with, without a slash at either end; empty for the whole bucket.
        prefix: String,
    },
    /// `sftp://USER@HOST:PORT/PATH`.
    Sftp(Server),
    /// `ftp://USER@HOST:PORT/PATH`; TLS is asked for where the server has it.
    Ftp(Server),
    /// `ftps://USER@HOST:PORT/PATH`: from the first byte on port 990, by `AUTH TLS` on any other.
    Ftps(Server),
    /// `dav://…` over http or `davs://…` over https.
    WebDav(Web),
    /// `http://…` or `https://…`, read only.
    Http(Web),
}

/// A path on a server that is spoken to over a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    /// Who logs in, where that is named.
    pub user: Option<String>,
    /// Its name or address, in lower case; an IPv6 address without brackets.
    pub host: String,
    /// Its port, where that is not the protocol's own.
    pub port: Option<u16>,
    /// Absolute, or relative to where the login begins when it was written `/~/…`. No slash at the end but for the root.
    pub path: String,
}

/// A URL of the web.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Web {
    /// Who asks, where that is named.
    pub user: Option<String>,
    /// Over TLS.
    pub tls: bool,
    /// Host, and port where it is not the protocol's own.
    pub authority: String,
    /// As it was written, percent-encoding included: what a server makes of it is its own business. Begins with a slash.
    pub path: String,
    /// What stands behind a question mark.
    pub query: Option<String>,
}

impl Address {
    /// The schemes that name such a place.
    pub const SCHEMES: [&str; 8] = ["s3", "sftp", "ftp", "ftps", "dav", "davs", "http", "https"];

    /// The scheme, as it is written.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match self {
            Self::S3 { .. } => "s3",
            Self::Sftp(_) => "sftp",
            Self::Ftp(_) => "ftp",
            Self::Ftps(_) => "ftps",
            Self::WebDav(web) => {
                if web.tls {
                    "davs"
                } else {
                    "dav"
                }
            }
            Self::Http(web) => {
                if web.tls {
                    "https"
                } else {
                    "http"
                }
            }
        }
    }
}

impl Address {
    /// The directory above, and the name in it; none for what has no directory above, or cannot be made.
    pub(crate) fn split(&self) -> Option<(Self, Vec<u8>)> {
        let mut above = self.clone();
        let name = match &mut above {
            Self::S3 { .. } | Self::Http(_) => return None,
            Self::Sftp(server) | Self::Ftp(server) | Self::Ftps(server) => pop(&mut server.path)?.into_bytes(),
            Self::WebDav(web) => percent_decode_str(&pop(&mut web.path)?).collect(),
        };
        Some((above, name))
    }
}

/// Takes the last component from a path, absolute or not.
fn pop(path: &mut String) -> Option<String> {
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    let name = name.to_owned();
    if name.is_empty() {
        return None;
    }
    *path = if path.starts_with('/') && above.is_empty() { "/".to_owned() } else { above.to_owned() };
    Some(name)
}

impl Web {
    /// The URL that requests go to, without the user.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        let query = self.query.as_ref().map(|q| format!("?{q}")).unwrap_or_default();
        format!("{scheme}://{}{}{query}", self.authority, self.path)
    }
}

/// The same for all ways to write the same place: it names the place in the book.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme())?;
        match self {
            Self::S3 { bucket, prefix } if prefix.is_empty() => f.write_str(bucket),
            Self::S3 { bucket, prefix } => write!(f, "{bucket}/{prefix}"),
            Self::Sftp(server) | Self::Ftp(server) | Self::Ftps(server) => server.fmt(f),
            Self::WebDav(web) | Self::Http(web) => {
                if let Some(user) = &web.user {
                    write!(f, "{}@", encoded_user(user))?;
                }
                write!(f, "{}{}", web.authority, web.path)?;
                web.query.as_ref().map_or(Ok(()), |query| write!(f, "?{query}"))
            }
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{}@", encoded_user(user))?;
        }
        if self.host.contains(':') { write!(f, "[{}]", self.host) } else { f.write_str(&self.host) }?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        if !self.path.starts_with('/') {
            f.write_str("/~/")?;
        }
        write!(f, "{}", utf8_percent_encode(&self.path, PATH))
    }
}

/// Components of a path as they stand in a URL.
pub(super) fn encoded_path(path: &str) -> String {
    utf8_percent_encode(path, PATH).to_string()
}

fn encoded_user(user: &str) -> impl fmt::Display + '_ {
    utf8_percent_encode(user, percent_encoding::NON_ALPHANUMERIC)
}

impl std::str::FromStr for Address {
    type Err = Error;

    /// # Errors
    /// `invalid`: an unknown scheme, no host or bucket, a password (which the error does not show).
    fn from_str(text: &str) -> Result<Self> {
        let wrong =
            |what: &str, reason: &str| Error::new(Code::Invalid, "use the place", what.escape_debug()).because(reason);
        let Some((scheme, rest)) = text.split_once("://") else { return Err(wrong(text, "it is no URL")) };
        let lower = scheme.to_ascii_lowercase();
        let scheme = Self::SCHEMES
            .into_iter()
            .find(|known| *known == lower)
            .ok_or_else(|| wrong(scheme, "this scheme is unknown"))?;
        // From here on an error names the scheme alone: what follows may hold a password.
        let name = format!("{scheme}://…");
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':')) {
            return Err(wrong(&name, "it carries a password, which every user of this machine can see")
                .advise("credentials come from the book, from PORTBOOK_* variables or from a prompt"));
        }
        if scheme == "s3" {
            return s3(rest).ok_or_else(|| wrong(text, "a bucket is 3 to 63 of a-z, 0-9, '.' and '-'"));
        }
        // A parser of the web's URLs would make something of each of these.
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        if host.is_empty() || authority.contains(|c: char| c == '\\' || c.is_whitespace() || c.is_control()) {
            return Err(wrong(text, "it names no host"));
        }
        if rest.contains('#') {
            return Err(wrong(text, "it has a fragment").advise("in a path, # is written %23"));
        }
        // The rules of http: names of hosts are names of the web, and the port of the scheme itself is none.
        let like = match scheme {
            "davs" | "https" => "https",
            "ftp" => "ftp",
            _ => "http",
        };
        let url = Url::parse(&format!("{like}://{rest}")).map_err(|e| wrong(text, &e.to_string()))?;
        let user = percent_decode_str(url.username()).decode_utf8().map_err(|_| wrong(text, "its user is no text"))?;
        let user = (!user.is_empty()).then(|| user.into_owned());
        match scheme {
            "sftp" | "ftp" | "ftps" => {
                let server = server(scheme, &url, user, rest, authority).map_err(|reason| wrong(text, reason))?;
                Ok(match scheme {
                    "sftp" => Self::Sftp(server),
                    "ftp" => Self::Ftp(server),
                    _ => Self::Ftps(server),
                })
            }
            _ => {
                let web = web(&url, user, rest, authority).map_err(|reason| wrong(text, reason))?;
                Ok(if scheme.starts_with("dav") { Self::WebDav(web) } else { Self::Http(web) })
            }
        }
    }
}

/// Names of buckets: Amazon S3 User Guide, "General purpose bucket naming rules".
fn s3(rest: &str) -> Option<Address> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-' || b == b'_';
    let is_bucket = (3..=63).contains(&bucket.len()) && bucket.bytes().all(is_name);
    is_bucket.then(|| Address::S3 { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() })
}

fn server(
    scheme: &str,
    url: &Url,
    user: Option<String>,
    rest: &str,
    authority: &str,
) -> std::result::Result<Server, &'static str> {
    let host = match url.host() {
        Some(Host::Domain(name)) => name.to_ascii_lowercase(),
        Some(Host::Ipv4(ip)) => ip.to_string(),
        Some(Host::Ipv6(ip)) => ip.to_string(),
        None => return Err("it names no host"),
    };
    let own = match scheme {
        "sftp" => 22,
        "ftp" => 21,
        _ => 990,
    };
    // An explicit 80 is the port of no protocol here.
    let written = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let written = written.rsplit_once(']').map_or(written, |(_, port)| port).rsplit_once(':').map(|(_, port)| port);
    let port = match written {
        None | Some("") => None,
        Some(port) => Some(port.parse::<u16>().map_err(|_| "its port is no number up to 65535")?),
    };
    let path = percent_decode_str(&rest[authority.len()..]).decode_utf8().map_err(|_| "its path is not UTF-8")?;
    if path.contains(['\0', '\r', '\n']) {
        return Err("its path holds a line break or a NUL");
    }
    let path = match path.strip_prefix("/~/").or_else(|| (path == "/~").then_some("")) {
        Some(home) => home.trim_matches('/').to_owned(),
        None => format!("/{}", path.trim_matches('/')),
    };
    if path.split('/').any(|part| part == "..") {
        return Err("its path leads upwards");
    }
    Ok(Server { user, host, port: port.filter(|port| *port != own), path })
}

fn web(url: &Url, user: Option<String>, rest: &str, authority: &str) -> std::result::Result<Web, &'static str> {
    let host = url.host_str().ok_or("it names no host")?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = &rest[authority.len()..];
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query.to_owned())));
    let path = format!("/{}", path.trim_start_matches('/').trim_end_matches('/'));
    Ok(Web { user, tls: url.scheme() == "https", authority: format!("{host}{port}"), path, query })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        text.parse::<Address>().unwrap_or_else(|e| panic!("{text}: {e}")).to_string()
    }

    #[test]
    fn ways_to_write_the_same_place_are_the_same() {
        for (written, same) in [
            ("S3://bucket", "s3://bucket"),
            ("s3://bucket/", "s3://bucket"),
            ("s3://bucket//a b/%41//", "s3://bucket/a b/%41"),
            ("sftp://me@HOST:22/a/b/", "sftp://me@host/a/b"),
            ("sftp://host", "sftp://host/"),
            ("sftp://host/~/docs", "sftp://host/~/docs"),
            ("sftp://host:80/a", "sftp://host:80/a"),
            ("sftp://a%40b@host/x%20y%25", "sftp://a%40b@host/x%20y%25"),
            ("sftp://[::1]:2222/a", "sftp://[::1]:2222/a"),
            ("ftp://host:21/a", "ftp://host/a"),
            ("ftps://host:990/a", "ftps://host/a"),
            ("ftps://host:21/a", "ftps://host:21/a"),
            ("dav://host:80/remote.php/dav/", "dav://host/remote.php/dav"),
            ("davs://me@host:443/a%2fb", "davs://me@host/a%2fb"),
            ("HTTPS://Host/a?b=c", "https://host/a?b=c"),
            ("http://host", "http://host/"),
        ] {
            assert_eq!(shown(written), same, "{written}");
            assert_eq!(shown(same), same, "{written}");
        }
    }

    #[test]
    fn parts_are_what_they_say() {
        let Address::Sftp(server) = "sftp://me@host:2222/~/a".parse().unwrap() else { panic!() };
        let me = Some("me".to_owned());
        assert_eq!(server, Server { user: me.clone(), host: "host".into(), port: Some(2222), path: "a".into() });
        let Address::WebDav(web) = "davs://me@host:8443/a%20b/".parse().unwrap() else { panic!() };
        assert_eq!((web.url().as_str(), web.user), ("https://host:8443/a%20b", me));
        let Address::Http(web) = "http://h/x?y=1".parse().unwrap() else { panic!() };
        assert_eq!(web.url(), "http://h/x?y=1");
    }

    #[test]
    fn a_path_is_taken_apart_from_its_end() {
        let above = |text: &str| {
            let split = text.parse::<Address>().unwrap().split();
            split.map(|(above, name)| (above.to_string(), String::from_utf8(name).unwrap()))
        };
        let is = |above: &str, name: &str| Some((above.to_owned(), name.to_owned()));
        assert_eq!(above("sftp://h/a/b"), is("sftp://h/a", "b"));
        assert_eq!(above("sftp://h/a"), is("sftp://h/", "a"));
        assert_eq!(above("sftp://h/"), None);
        assert_eq!(above("sftp://h/~/a"), is("sftp://h/~/", "a"));
        assert_eq!(above("sftp://h/~/"), None);
        assert_eq!(above("dav://h/a/b%20c"), is("dav://h/a", "b c"));
        assert_eq!(above("dav://h/"), None);
        assert_eq!(above("s3://bucket/a"), None);
    }

    #[test]
    fn what_names_no_place_is_refused() {
        for text in [
            "",
            "a/b",
            "s3:bucket",
            "gopher://host",
            "s3://",
            "s3://AB",
            "s3://a",
            "sftp://",
            "sftp:///path",
            "ftp://host:99999/",
            "sftp://host/a/../b",
            "sftp://host/a%0d%0ab",
            "sftp://host/%ff",
            "http://",
            "http:///a",
            "http://me@/a",
            "http://a\\b/",
            "http://a\tb/",
            "https://host/#top",
        ] {
            assert_eq!(text.parse::<Address>().unwrap_err().code(), Code::Invalid, "{text}");
        }
    }

    #[test]
    fn a_password_is_refused_and_not_shown() {
        for text in
            ["sftp://me:hunter2@host/x", "s3://key:hunter2@bucket", "https://me:hunter2@host/", "ftp://:hunter2@host"]
        {
            let error = text.parse::<Address>().unwrap_err();
            assert_eq!(error.code(), Code::Invalid);
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
