//! Which server, as whom, and how it proves who it is.

use std::fmt;
use std::path::PathBuf;

use super::known_hosts::Expected;
use crate::error::{Code, Error, Result};
use crate::model::SecretBytes;

/// An account on a server and a directory there.
///
/// ```
/// use portbook::provider::sftp::{SftpAuth, SftpOptions};
/// let options = SftpOptions::new("backup.example", "anna", SftpAuth::Password("hunter2".into())).root("photos");
/// assert!(!format!("{options:?}").contains("hunter2"));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SftpOptions {
    /// The server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The account.
    pub user: String,
    /// What proves who the user is.
    pub auth: SftpAuth,
    /// What proves which server it is.
    pub host_key: HostKey,
    /// The directory that is the root: absolute, or relative to the directory that the server begins in; empty: that one.
    pub root: Vec<u8>,
    /// Permission bits are read and set. To be switched off for servers that only pretend to keep them.
    pub modes: bool,
    /// Modified times are set. To be switched off for servers that refuse it; then files have the times of their upload.
    pub times: bool,
    /// Symbolic links are held. To be switched off for servers that make none.
    pub symlinks: bool,
    /// The server does not tell names apart that differ only in case, as those of Windows and macOS. SFTP cannot be asked.
    pub case_insensitive: bool,
    /// The server does not tell names apart that differ only in Unicode normalisation, as those of macOS and rclone.
    pub unicode_insensitive: bool,
}

impl SftpOptions {
    /// The directory that the server begins in, on port 22, with the host keys of `~/.ssh/known_hosts`.
    #[must_use]
    pub fn new(host: impl Into<String>, user: impl Into<String>, auth: SftpAuth) -> Self {
        Self {
            host: host.into(),
            port: 22,
            user: user.into(),
            auth,
            host_key: HostKey::default(),
            root: Vec::new(),
            modes: true,
            times: true,
            symlinks: true,
            case_insensitive: false,
            unicode_insensitive: false,
        }
    }

    /// On this port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// With this proof of which server it is.
    #[must_use]
    pub fn host_key(mut self, host_key: HostKey) -> Self {
        self.host_key = host_key;
        self
    }

    /// With this directory as the root.
    #[must_use]
    pub fn root(mut self, root: impl Into<Vec<u8>>) -> Self {
        self.root = root.into();
        self
    }

    /// What the server's key is held against.
    pub(super) fn expected(&self) -> Result<Expected> {
        Expected::of(&self.host_key, &self.host, self.port)
    }

    pub(super) fn check(&self) -> Result<()> {
        let problem = if self.host.is_empty() {
            "no host is named"
        } else if self.user.is_empty() {
            "no user is named"
        } else if self.root.contains(&0) {
            "the root has a zero byte in its name"
        } else {
            return Ok(());
        };
        Err(Error::new(Code::Invalid, "use the server", &self.host).because(problem))
    }

    /// How the server is named in errors and listings.
    pub(super) fn server(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let port = if self.port == 22 { String::new() } else { format!(":{}", self.port) };
        format!("sftp://{}@{host}{port}", self.user)
    }
}

/// What proves who the user is.
#[derive(Clone)]
pub enum SftpAuth {
    /// A password; also given to a server that asks for it as the only question of a keyboard-interactive login.
    Password(SecretBytes),
    /// A private key in a file of any format of OpenSSH.
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What it is locked with.
        passphrase: Option<SecretBytes>,
    },
    /// The keys of the agent that `SSH_AUTH_SOCK` names.
    Agent,
}

impl fmt::Debug for SftpAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password(_) => f.write_str("Password(..)"),
            Self::KeyFile { path, passphrase } => f
                .debug_struct("KeyFile")
                .field("path", path)
                .field("passphrase", &passphrase.as_ref().map(|_| "..").unwrap_or("none"))
                .finish(),
            Self::Agent => f.write_str("Agent"),
        }
    }
}

/// What proves which server it is. A key that is not known is never taken on trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostKey {
    /// The keys that a file of the form of OpenSSH's `known_hosts` has for the host and port; `None`: that of the user,
    /// `~/.ssh/known_hosts`.
    KnownHosts(Option<PathBuf>),
    /// The key of this fingerprint: `SHA256:` and base64 without padding, as `ssh-keygen -l` shows it.
    Fingerprint(String),
    /// This key: `ssh-ed25519 AAAA…`, or a whole line of `known_hosts` whose host is not looked at.
    Key(String),
}

impl Default for HostKey {
    fn default() -> Self {
        Self::KnownHosts(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_debug_shows_a_secret() {
        let passphrase = Some(SecretBytes::from("hunter2"));
        for auth in [SftpAuth::Password("hunter2".into()), SftpAuth::KeyFile { path: "key".into(), passphrase }] {
            let shown = format!("{:?}", SftpOptions::new("h", "u", auth));
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn the_server_is_named_without_the_default_port() {
        let options = SftpOptions::new("::1", "anna", SftpAuth::Agent);
        assert_eq!(options.server(), "sftp://anna@[::1]");
        assert_eq!(options.port(2222).server(), "sftp://anna@[::1]:2222");
    }

    #[test]
    fn what_names_no_account_is_refused() {
        let refused = |options: SftpOptions| options.check().unwrap_err().code();
        assert_eq!(refused(SftpOptions::new("", "anna", SftpAuth::Agent)), Code::Invalid);
        assert_eq!(refused(SftpOptions::new("h", "", SftpAuth::Agent)), Code::Invalid);
        assert_eq!(refused(SftpOptions::new("h", "anna", SftpAuth::Agent).root(&b"a\0"[..])), Code::Invalid);
        assert!(SftpOptions::new("h", "anna", SftpAuth::Agent).check().is_ok());
    }
}
