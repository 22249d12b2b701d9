//! A server in this process over a directory, spoken by another's implementation (russh-sftp) of version 3 without any
//! extension. Its names are UTF-8.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use md5::Digest as _;
use portbook::provider::sftp::{HostKey, SftpAuth, SftpOptions};
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::{HashAlg, PrivateKey};
use russh::server::{Auth, Msg, Session};
use russh::{Channel, ChannelId};
use russh_sftp::protocol::{
    Attrs, Data, ExtendedReply, File as Listed, FileAttributes, Handle, Name, OpenFlags, Packet, Status, StatusCode,
    Version,
};
use russh_sftp::server::StatusReply;

/// What it does otherwise than a good server, about paths that end in `/bad` or lead through it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Twist {
    #[default]
    None,
    /// A listing fails after its first names.
    FailsListing,
    /// A listing begins anew at its end.
    NeverEnds,
    /// A listing is of answers without names.
    SaysNothing,
    /// A listing shows these names, of files with this size; none is not told.
    Lists(&'static [&'static str], Option<u64>),
    /// A listing shows this name beside those that are there.
    Adds(&'static str),
    /// A directory may not be read.
    Denies,
    /// Nothing can be written, in these words.
    IsFull(&'static str),
    /// A file is closed with a byte less than it was sent.
    Shrinks,
    /// It says hashes of what it holds; whether that is what was sent.
    SaysHashes(bool),
    /// No file may have its name.
    RefusesNames,
    /// A file ends early.
    EndsEarly,
    /// More bytes than were asked for.
    SendsMore,
}

/// How it misbehaves, which may change while it runs.
pub(crate) type Twisted = Arc<std::sync::Mutex<Twist>>;

/// Starts it, with two directories; they are the roots of the options.
pub(crate) async fn start(data: &Path) -> impl Fn(&str) -> SftpOptions + use<> {
    start_twisted(data, Twisted::default()).await
}

/// As [`start`], with a way to make it misbehave.
pub(crate) async fn start_twisted(data: &Path, twisted: Twisted) -> impl Fn(&str) -> SftpOptions + use<> {
    for root in ["left", "right"] {
        std::fs::create_dir(data.join(root)).unwrap();
    }
    let key = PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&[9; 32])), "").unwrap();
    let host_key = HostKey::Fingerprint(key.public_key().fingerprint(HashAlg::Sha256).to_string());
    let config = Arc::new(russh::server::Config { keys: vec![key], ..Default::default() });
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (config, twisted) = (Arc::clone(&config), Arc::clone(&twisted));
            tokio::spawn(async move {
                let guest = Guest { channels: HashMap::new(), twisted };
                if let Ok(running) = russh::server::run_stream(config, stream, guest).await {
                    // A client that leaves is no failure of the test.
                    let _ = running.await;
                }
            });
        }
    });
    let data = data.to_owned();
    move |root: &str| {
        let options = SftpOptions::new("127.0.0.1", "anna", SftpAuth::Password("password".into())).port(port);
        let mut options = options.host_key(host_key.clone()).root(data.join(root).as_os_str().as_encoded_bytes());
        options.symlinks = false;
        options
    }
}

struct Guest {
    channels: HashMap<ChannelId, Channel<Msg>>,
    twisted: Twisted,
}

impl russh::server::Handler for Guest {
    type Error = russh::Error;

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<Auth, Self::Error> {
        Ok(if password == "password" { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: russh::server::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(&mut self, id: ChannelId, _: &str, session: &mut Session) -> Result<(), Self::Error> {
        session.channel_success(id)?;
        let channel = self.channels.remove(&id).unwrap();
        let files = Files { twisted: Arc::clone(&self.twisted), ..Files::default() };
        russh_sftp::server::run(channel.into_stream(), files).await;
        Ok(())
    }
}

enum Open {
    File(File),
    /// What was not listed yet.
    Dir(Vec<Listed>),
}

/// One channel of it.
#[derive(Default)]
pub(crate) struct Files {
    open: HashMap<String, Open>,
    count: u64,
    twisted: Twisted,
    /// Handles of what it misbehaves about, and how.
    bad: HashMap<String, Twist>,
}

fn failed(error: std::io::Error) -> StatusReply {
    match error.kind() {
        std::io::ErrorKind::NotFound => StatusCode::NoSuchFile.into(),
        std::io::ErrorKind::PermissionDenied => StatusCode::PermissionDenied.into(),
        _ => StatusCode::Failure.into(),
    }
}

pub(crate) fn ok(id: u32) -> Status {
    Status { id, status_code: StatusCode::Ok, error_message: String::new(), language_tag: String::new() }
}

fn set(path: &Path, attributes: &FileAttributes) -> std::io::Result<()> {
    if let Some(mode) = attributes.permissions {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & 0o7777))?;
    }
    match attributes.mtime {
        Some(secs) => File::open(path)?.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(secs.into())),
        None => Ok(()),
    }
}

impl Files {
    fn twist(&self, path: &str) -> Twist {
        if path.ends_with("/bad") || path.contains("/bad/") { *self.twisted.lock().unwrap() } else { Twist::None }
    }

    fn keep(&mut self, id: u32, path: &str, open: Open) -> Handle {
        self.count += 1;
        let handle = self.count.to_string();
        self.bad.insert(handle.clone(), self.twist(path));
        self.open.insert(handle.clone(), open);
        Handle { id, handle }
    }

    fn file(&self, handle: &str) -> Result<&File, StatusReply> {
        match self.open.get(handle) {
            Some(Open::File(file)) => Ok(file),
            Some(Open::Dir(_)) | None => Err(StatusCode::Failure.into()),
        }
    }
}

impl russh_sftp::server::Handler for Files {
    type Error = StatusReply;

    fn unimplemented(&self) -> Self::Error {
        StatusCode::OpUnsupported.into()
    }

    async fn init(&mut self, _: u32, _: HashMap<String, String>) -> Result<Version, Self::Error> {
        let mut version = Version::new();
        if matches!(*self.twisted.lock().unwrap(), Twist::SaysHashes(_)) {
            version.extensions.insert("check-file".into(), "md5,sha1".into());
        }
        Ok(version)
    }

    async fn extended(&mut self, id: u32, request: String, data: Vec<u8>) -> Result<Packet, Self::Error> {
        if request != "check-file-name" {
            return Err(StatusCode::OpUnsupported.into());
        }
        let length = u32::from_be_bytes(*data.first_chunk().unwrap()) as usize;
        let path = std::str::from_utf8(&data[4..4 + length]).unwrap();
        let hash = md5::Md5::digest(std::fs::read(path).map_err(failed)?);
        // draft-ietf-secsh-filexfer-extensions-00, section 3
        Ok(Packet::ExtendedReply(ExtendedReply { id, data: [b"\0\0\0\x03md5", &hash[..]].concat() }))
    }

    async fn realpath(&mut self, id: u32, path: String) -> Result<Name, Self::Error> {
        let real = std::fs::canonicalize(path).map_err(failed)?;
        Ok(Name { id, files: vec![Listed::dummy(real.to_str().unwrap())] })
    }

    async fn lstat(&mut self, id: u32, path: String) -> Result<Attrs, Self::Error> {
        let attrs = FileAttributes::from(&std::fs::symlink_metadata(path).map_err(failed)?);
        Ok(Attrs { id, attrs })
    }

    async fn stat(&mut self, id: u32, path: String) -> Result<Attrs, Self::Error> {
        let attrs = FileAttributes::from(&std::fs::metadata(path).map_err(failed)?);
        Ok(Attrs { id, attrs })
    }

    async fn fstat(&mut self, id: u32, handle: String) -> Result<Attrs, Self::Error> {
        let attrs = FileAttributes::from(&self.file(&handle)?.metadata().map_err(failed)?);
        Ok(Attrs { id, attrs })
    }

    async fn setstat(&mut self, id: u32, path: String, attributes: FileAttributes) -> Result<Status, Self::Error> {
        set(&PathBuf::from(path), &attributes).map_err(failed)?;
        Ok(ok(id))
    }

    async fn fsetstat(&mut self, id: u32, handle: String, attributes: FileAttributes) -> Result<Status, Self::Error> {
        let file = self.file(&handle)?;
        if let Some(size) = attributes.size {
            file.set_len(size).map_err(failed)?;
        }
        if let Some(mode) = attributes.permissions {
            file.set_permissions(std::fs::Permissions::from_mode(mode & 0o7777)).map_err(failed)?;
        }
        if let Some(secs) = attributes.mtime {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(secs.into());
            file.set_modified(at).map_err(failed)?;
        }
        Ok(ok(id))
    }

    async fn opendir(&mut self, id: u32, path: String) -> Result<Handle, Self::Error> {
        if self.twist(&path) == Twist::Denies {
            return Err(StatusReply { error_message: Some("keep out".into()), ..StatusCode::PermissionDenied.into() });
        }
        let mut listed = Vec::new();
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let attributes = FileAttributes::from(&entry.metadata().map_err(failed)?);
            listed.push(Listed::new(entry.file_name().to_str().unwrap(), attributes));
        }
        if let Twist::Adds(name) = self.twist(&path) {
            let size = Some(1);
            let attributes =
                FileAttributes { permissions: Some(0o100_644), size, mtime: Some(1), ..Default::default() };
            listed.push(Listed::new(name, attributes));
        }
        if let Twist::Lists(names, size) = self.twist(&path) {
            let attributes =
                FileAttributes { permissions: Some(0o100_644), size, mtime: Some(1), ..Default::default() };
            listed = names.iter().map(|name| Listed::new(*name, attributes.clone())).collect();
        }
        Ok(self.keep(id, &path, Open::Dir(listed)))
    }

    async fn readdir(&mut self, id: u32, handle: String) -> Result<Name, Self::Error> {
        let twist = self.bad.get(&handle).copied().unwrap_or_default();
        match self.open.get_mut(&handle) {
            Some(Open::Dir(_)) if twist == Twist::SaysNothing => Ok(Name { id, files: Vec::new() }),
            Some(Open::Dir(listed)) if twist == Twist::NeverEnds => Ok(Name { id, files: listed.clone() }),
            Some(Open::Dir(listed)) if twist == Twist::FailsListing => match listed.pop() {
                Some(first) => {
                    listed.clear();
                    Ok(Name { id, files: vec![first] })
                }
                None => Err(StatusReply { error_message: Some("bad sector".into()), ..StatusCode::Failure.into() }),
            },
            Some(Open::Dir(listed)) if !listed.is_empty() => {
                let files = listed.split_off(listed.len().saturating_sub(50));
                Ok(Name { id, files })
            }
            Some(Open::Dir(_)) => Err(StatusCode::Eof.into()),
            Some(Open::File(_)) | None => Err(StatusCode::Failure.into()),
        }
    }

    async fn open(
        &mut self,
        id: u32,
        path: String,
        flags: OpenFlags,
        attributes: FileAttributes,
    ) -> Result<Handle, Self::Error> {
        let mut options = File::options();
        options.read(flags.contains(OpenFlags::READ)).write(flags.contains(OpenFlags::WRITE));
        options.truncate(flags.contains(OpenFlags::TRUNCATE));
        match (flags.contains(OpenFlags::CREATE), flags.contains(OpenFlags::EXCLUDE)) {
            (true, true) => options.create_new(true),
            (create, _) => options.create(create),
        };
        options.mode(attributes.permissions.unwrap_or(0o644) & 0o7777);
        if let (Twist::IsFull(words), true) = (self.twist(&path), flags.contains(OpenFlags::WRITE)) {
            return Err(StatusReply { error_message: Some(words.into()), ..StatusCode::Failure.into() });
        }
        let file = options.open(&path).map_err(failed)?;
        Ok(self.keep(id, &path, Open::File(file)))
    }

    async fn read(&mut self, id: u32, handle: String, offset: u64, length: u32) -> Result<Data, Self::Error> {
        let mut data = vec![0; length as usize];
        let count = self.file(&handle)?.read_at(&mut data, offset).map_err(failed)?;
        data.truncate(count);
        match self.bad.get(&handle) {
            Some(Twist::EndsEarly) if offset > 0 => return Err(StatusCode::Eof.into()),
            Some(Twist::EndsEarly) => data.truncate(count / 2),
            Some(Twist::SendsMore) => data.resize(length as usize + 1, b'!'),
            _ => {}
        }
        if count == 0 { Err(StatusCode::Eof.into()) } else { Ok(Data { id, data }) }
    }

    async fn write(&mut self, id: u32, handle: String, offset: u64, data: Vec<u8>) -> Result<Status, Self::Error> {
        let mut data = data;
        if *self.twisted.lock().unwrap() == Twist::SaysHashes(false) {
            data[0] ^= 1;
        }
        self.file(&handle)?.write_all_at(&data, offset).map_err(failed)?;
        Ok(ok(id))
    }

    async fn close(&mut self, id: u32, handle: String) -> Result<Status, Self::Error> {
        if let (Some(Twist::Shrinks), Some(Open::File(file))) = (self.bad.get(&handle), self.open.get(&handle)) {
            let size = file.metadata().map_err(failed)?.len();
            // Of what was opened to be read it takes nothing.
            let _ = file.set_len(size.saturating_sub(1));
        }
        self.open.remove(&handle).map(|_| ok(id)).ok_or_else(|| StatusCode::Failure.into())
    }

    async fn remove(&mut self, id: u32, path: String) -> Result<Status, Self::Error> {
        std::fs::remove_file(path).map(|()| ok(id)).map_err(failed)
    }

    async fn mkdir(&mut self, id: u32, path: String, _: FileAttributes) -> Result<Status, Self::Error> {
        std::fs::create_dir(path).map(|()| ok(id)).map_err(failed)
    }

    async fn rmdir(&mut self, id: u32, path: String) -> Result<Status, Self::Error> {
        std::fs::remove_dir(path).map(|()| ok(id)).map_err(failed)
    }

    /// It never overwrites (draft-ietf-secsh-filexfer-02, section 6.5).
    async fn rename(&mut self, id: u32, from: String, to: String) -> Result<Status, Self::Error> {
        if self.twist(&to) == Twist::RefusesNames {
            return Err(StatusReply { error_message: Some("no such names".into()), ..StatusCode::Failure.into() });
        }
        if std::fs::symlink_metadata(&to).is_ok() {
            return Err(StatusCode::Failure.into());
        }
        std::fs::rename(from, to).map(|()| ok(id)).map_err(failed)
    }
}
