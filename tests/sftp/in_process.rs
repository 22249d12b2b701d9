//! A server in this process over a directory, spoken by another's implementation (russh-sftp) of version 3 without any
//! extension. Its names are UTF-8.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use portbook::provider::sftp::{HostKey, SftpAuth, SftpOptions};
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::{HashAlg, PrivateKey};
use russh::server::{Auth, Msg, Session};
use russh::{Channel, ChannelId};
use russh_sftp::protocol::{Attrs, Data, File as Listed, FileAttributes, Handle, Name, OpenFlags, Status, StatusCode};
use russh_sftp::server::StatusReply;

/// Starts it, with two directories; they are the roots of the options.
pub(crate) async fn start(data: &Path) -> impl Fn(&str) -> SftpOptions + use<> {
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
            let config = Arc::clone(&config);
            tokio::spawn(async move {
                if let Ok(running) = russh::server::run_stream(config, stream, Guest { channels: HashMap::new() }).await
                {
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
        russh_sftp::server::run(channel.into_stream(), Files::default()).await;
        Ok(())
    }
}

enum Open {
    File(File),
    /// What was not listed yet.
    Dir(Vec<Listed>),
}

#[derive(Default)]
struct Files {
    open: HashMap<String, Open>,
    count: u64,
}

fn failed(error: std::io::Error) -> StatusReply {
    match error.kind() {
        std::io::ErrorKind::NotFound => StatusCode::NoSuchFile.into(),
        std::io::ErrorKind::PermissionDenied => StatusCode::PermissionDenied.into(),
        _ => StatusCode::Failure.into(),
    }
}

fn ok(id: u32) -> Status {
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
    fn keep(&mut self, id: u32, open: Open) -> Handle {
        self.count += 1;
        let handle = self.count.to_string();
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
        let mut listed = Vec::new();
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let attributes = FileAttributes::from(&entry.metadata().map_err(failed)?);
            listed.push(Listed::new(entry.file_name().to_str().unwrap(), attributes));
        }
        Ok(self.keep(id, Open::Dir(listed)))
    }

    async fn readdir(&mut self, id: u32, handle: String) -> Result<Name, Self::Error> {
        match self.open.get_mut(&handle) {
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
        let file = options.open(path).map_err(failed)?;
        Ok(self.keep(id, Open::File(file)))
    }

    async fn read(&mut self, id: u32, handle: String, offset: u64, length: u32) -> Result<Data, Self::Error> {
        let mut data = vec![0; length as usize];
        let count = self.file(&handle)?.read_at(&mut data, offset).map_err(failed)?;
        data.truncate(count);
        if count == 0 { Err(StatusCode::Eof.into()) } else { Ok(Data { id, data }) }
    }

    async fn write(&mut self, id: u32, handle: String, offset: u64, data: Vec<u8>) -> Result<Status, Self::Error> {
        self.file(&handle)?.write_all_at(&data, offset).map_err(failed)?;
        Ok(ok(id))
    }

    async fn close(&mut self, id: u32, handle: String) -> Result<Status, Self::Error> {
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
        if std::fs::symlink_metadata(&to).is_ok() {
            return Err(StatusCode::Failure.into());
        }
        std::fs::rename(from, to).map(|()| ok(id)).map_err(failed)
    }
}
