//! What is needed to open a place on an FTP server.

use crate::Trust;
use crate::error::{Code, Error, Result};
use crate::model::{SecretBytes, escaped};

/// How the connections are protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FtpSecurity {
    /// Not at all: the password and the bytes can be read on their way.
    None,
    /// By TLS that is begun with `AUTH TLS` on the plain port (RFC 4217). A server that refuses is not used.
    #[default]
    Explicit,
    /// By TLS from the first byte on, as a rule on port 990.
    Implicit,
}

impl FtpSecurity {
    /// The port where none is named.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::None | Self::Explicit => 21,
            Self::Implicit => 990,
        }
    }

    pub(super) fn scheme(self) -> &'static str {
        match self {
            Self::None => "ftp",
            Self::Explicit => "ftpes",
            Self::Implicit => "ftps",
        }
    }
}

/// Where a place is and how it is reached.
///
/// ```
/// use portbook::provider::ftp::{FtpOptions, FtpSecurity};
/// let options = FtpOptions { root: "photos".into(), ..FtpOptions::new("files.example", "me", "hunter2") };
/// assert_eq!((options.security, options.port), (FtpSecurity::Explicit, None));
/// assert!(!format!("{options:?}").contains("hunter2"));
/// ```
#[derive(Clone, Debug)]
pub struct FtpOptions {
    /// The server's name or address.
    pub host: String,
    /// Its port; none: [`FtpSecurity::port`].
    pub port: Option<u16>,
    /// The account; `anonymous` where there is none.
    pub user: String,
    /// Its password.
    pub password: SecretBytes,
    /// How the connections are protected.
    pub security: FtpSecurity,
    /// Which certificates are believed.
    pub trust: Trust,
    /// No TLS 1.3. Some servers want each data connection to resume the session of the control connection and cannot by
    /// TLS 1.3: they refuse transfers with 425 or 522.
    pub tls12_only: bool,
    /// The directory that is the root of the place. Beneath the directory that the login leads to, unless it begins
    /// with `/`.
    pub root: String,
}

impl FtpOptions {
    /// The directory that the login leads to, by explicit TLS on the usual port.
    #[must_use]
    pub fn new(host: impl Into<String>, user: impl Into<String>, password: impl Into<SecretBytes>) -> Self {
        Self {
            host: host.into(),
            port: None,
            user: user.into(),
            password: password.into(),
            security: FtpSecurity::default(),
            trust: Trust::default(),
            tls12_only: false,
            root: String::new(),
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port.unwrap_or(self.security.port())
    }

    /// The server and the account. Never holds a secret.
    pub(super) fn server(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let text = format!("{}://{}@{}:{}", self.security.scheme(), self.user, host, self.port());
        escaped(text.as_bytes())
    }

    /// Refuses what would end a line on the wire and begin another.
    pub(super) fn check(&self) -> Result<()> {
        let fields: [(&str, &[u8]); 4] = [
            ("the host", self.host.as_bytes()),
            ("the account", self.user.as_bytes()),
            ("the password", self.password.expose()),
            ("the directory", self.root.as_bytes()),
        ];
        for (what, bytes) in fields {
            if bytes.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
                return Err(Error::new(Code::Invalid, "use", what).because("it holds a line break or a NUL"));
            }
        }
        if self.root.split('/').any(|part| part == "..") {
            return Err(Error::new(Code::Invalid, "use", "the directory").because("it leads upwards"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_begin_another_command_is_refused() {
        let good = FtpOptions::new("h", "u", "p");
        assert!(good.check().is_ok());
        for bad in [
            FtpOptions { user: "u\r\nDELE x".into(), ..good.clone() },
            FtpOptions { password: "p\nDELE x".into(), ..good.clone() },
            FtpOptions { root: "a\0b".into(), ..good.clone() },
            FtpOptions { root: "a/../..".into(), ..good.clone() },
        ] {
            assert_eq!(bad.check().unwrap_err().code(), Code::Invalid);
        }
        assert_eq!(FtpOptions { host: "::1".into(), ..good }.server(), "ftpes://u@[::1]:21");
    }
}
