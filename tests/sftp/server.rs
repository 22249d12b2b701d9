//! The servers, and how they are reached.

use std::path::{Path, PathBuf};

use portbook::provider::sftp::{HostKey, Sftp, SftpAuth, SftpOptions};

use crate::service::Service;

/// OpenSSH's sshd.
pub(crate) struct OpenSsh {
    service: Service,
    pub(crate) port: u16,
    pub(crate) user: String,
    /// The password `password` works.
    pub(crate) has_password: bool,
}

impl OpenSsh {
    pub(crate) fn start() -> Option<Self> {
        Self::with(&[])
    }

    pub(crate) fn with(lines: &[&str]) -> Option<Self> {
        let service = Service::start("openssh", lines)?;
        let mut words = service.address.split(' ');
        let port = words.next().unwrap().parse().unwrap();
        let user = words.next().unwrap().to_owned();
        let has_password = words.next().is_some();
        Some(Self { service, port, user, has_password })
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.service.directory().join(name)
    }

    /// A directory that it may write to.
    pub(crate) fn make_root(&self, name: &str) -> PathBuf {
        let root = self.file("data").join(name);
        std::fs::create_dir(&root).unwrap();
        give(&root, &self.file("data"));
        root
    }

    /// With a key, in a directory of its own.
    pub(crate) fn options(&self, root: &Path) -> SftpOptions {
        let auth = SftpAuth::KeyFile { path: self.file("user_ed25519"), passphrase: None };
        self.by(auth).root(root.as_os_str().as_encoded_bytes())
    }

    pub(crate) fn by(&self, auth: SftpAuth) -> SftpOptions {
        let key = std::fs::read_to_string(self.file("host_ed25519.pub")).unwrap();
        SftpOptions::new("127.0.0.1", &self.user, auth).port(self.port).host_key(HostKey::Key(key))
    }
}

/// Gives a directory to whom another one belongs: the server may run as somebody else.
fn give(dir: &Path, like: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    let owner = std::fs::metadata(like).unwrap();
    std::os::unix::fs::chown(dir, Some(owner.uid()), Some(owner.gid())).unwrap();
}

/// `rclone serve sftp`: it makes no links and keeps no permission bits.
pub(crate) struct Rclone {
    service: Service,
}

impl Rclone {
    pub(crate) fn start() -> Option<Self> {
        Self::with(&["--no-unicode-normalization"])
    }

    pub(crate) fn with(flags: &[&str]) -> Option<Self> {
        let service = Service::start("rclone", &[&["sftp", "--vfs-cache-mode", "writes"], flags].concat())?;
        // Before it has looked: it remembers for minutes what a directory held.
        for root in ["left", "right"] {
            std::fs::create_dir(service.directory().join("data").join(root)).unwrap();
        }
        Some(Self { service })
    }

    pub(crate) fn options(&self, root: &str) -> SftpOptions {
        let auth = SftpAuth::Password("password".into());
        let mut options = SftpOptions::new("127.0.0.1", "user", auth).port(self.service.port()).root(root);
        (options.modes, options.symlinks) = (false, false);
        options
    }
}

/// The fingerprint of whoever answers there: only for servers that the test has started itself.
pub(crate) async fn fingerprint(options: &SftpOptions) -> String {
    let nobody = HostKey::Fingerprint("SHA256:none".into());
    let refused = Sftp::connect(options.clone().host_key(nobody)).await.err().unwrap().to_string();
    let start = refused.find("SHA256:").unwrap();
    refused[start..].split([' ', ')', ';']).next().unwrap().to_owned()
}

pub(crate) async fn open(options: SftpOptions) -> Sftp {
    Sftp::connect(options).await.unwrap()
}
