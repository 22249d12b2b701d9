//! A server in this process that lies, fails in the middle, and asks for passwords its own way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use portbook::Code;
use portbook::delta::Metadata;
use portbook::model::Kind;
use portbook::provider::sftp::{HostKey, Sftp, SftpAuth, SftpOptions};
use portbook::provider::{InMemory, Listing, Provider as _, Source, Stage};
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::{HashAlg, PrivateKey};
use russh::server::{Auth, Msg, Response, Session};
use russh::{Channel, ChannelId, MethodKind, MethodSet};
use russh_sftp::protocol::{Attrs, Data, File, FileAttributes, Handle, Name, OpenFlags, Status, StatusCode};
use russh_sftp::server::StatusReply;

use crate::contract::path;

/// Every call that came, for those that should not.
type Calls = Arc<Mutex<Vec<String>>>;

struct Odd {
    calls: Calls,
    channels: HashMap<ChannelId, Channel<Msg>>,
}

impl russh::server::Handler for Odd {
    type Error = russh::Error;

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        Ok(match response.map(|mut words| words.next()) {
            Some(Some(word)) if word.as_ref() == b"password" => Auth::Accept,
            Some(_) => Auth::reject(),
            None => Auth::Partial {
                name: "".into(),
                instructions: "".into(),
                prompts: vec![("Password: ".into(), false)].into(),
            },
        })
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
        russh_sftp::server::run(channel.into_stream(), Files { calls: Arc::clone(&self.calls), read: HashMap::new() })
            .await;
        Ok(())
    }
}

/// Directories and files by what is odd about them.
struct Files {
    calls: Calls,
    /// How often the names of a directory were asked for.
    read: HashMap<String, u32>,
}

const DIR: u32 = 0o040_755;
const FILE: u32 = 0o100_644;

fn attributes(path: &str) -> Option<FileAttributes> {
    let (permissions, size) = match path {
        "/" | "/names" | "/half" | "/refused" => (DIR, 0),
        "/short" | "/slow" | "/much" => (FILE, 1_000),
        _ => return None,
    };
    let size = Some(size);
    Some(FileAttributes { permissions: Some(permissions), size, mtime: Some(1), atime: Some(1), ..Default::default() })
}

fn ok(id: u32) -> Status {
    Status { id, status_code: StatusCode::Ok, error_message: String::new(), language_tag: String::new() }
}

impl russh_sftp::server::Handler for Files {
    type Error = StatusReply;

    fn unimplemented(&self) -> Self::Error {
        StatusCode::OpUnsupported.into()
    }

    async fn realpath(&mut self, id: u32, _: String) -> Result<Name, Self::Error> {
        Ok(Name { id, files: vec![File::dummy("/")] })
    }

    async fn lstat(&mut self, id: u32, path: String) -> Result<Attrs, Self::Error> {
        let attrs = attributes(&path).ok_or(StatusCode::NoSuchFile)?;
        Ok(Attrs { id, attrs })
    }

    async fn fstat(&mut self, id: u32, handle: String) -> Result<Attrs, Self::Error> {
        self.lstat(id, handle).await
    }

    async fn opendir(&mut self, id: u32, path: String) -> Result<Handle, Self::Error> {
        self.read.insert(path.clone(), 0);
        if path == "/refused" {
            return Err(StatusCode::PermissionDenied.into());
        }
        Ok(Handle { id, handle: path })
    }

    async fn readdir(&mut self, id: u32, handle: String) -> Result<Name, Self::Error> {
        let read = self.read.get_mut(&handle).unwrap();
        *read += 1;
        let names: &[&str] = match (handle.as_str(), *read) {
            ("/names", 1) => &[".", "..", "good", "", "a/b", "../../etc/passwd", "nul\0"],
            ("/half", 1) => &["one", "two"],
            ("/half", _) => return Err(StatusCode::Failure.into()),
            _ => return Err(StatusCode::Eof.into()),
        };
        let attributes = || attributes("/short").unwrap();
        Ok(Name { id, files: names.iter().map(|name| File::new(*name, attributes())).collect() })
    }

    async fn open(
        &mut self,
        id: u32,
        path: String,
        flags: OpenFlags,
        _: FileAttributes,
    ) -> Result<Handle, Self::Error> {
        self.calls.lock().unwrap().push(format!("open {path} {}", flags.bits()));
        Ok(Handle { id, handle: path })
    }

    async fn read(&mut self, id: u32, handle: String, offset: u64, length: u32) -> Result<Data, Self::Error> {
        let left = 1_000_u64.saturating_sub(offset).min(length.into()) as usize;
        let data = match handle.as_str() {
            "/short" if offset >= 500 => return Err(StatusCode::Eof.into()),
            "/short" => vec![1; left.min(500)],
            "/slow" => vec![offset as u8; left.min(7)],
            _ => vec![1; length as usize + 1],
        };
        Ok(Data { id, data })
    }

    async fn write(&mut self, _: u32, _: String, _: u64, _: Vec<u8>) -> Result<Status, Self::Error> {
        let full = StatusReply::from(StatusCode::Failure);
        Err(StatusReply { error_message: Some("write: No space left on device".into()), ..full })
    }

    async fn close(&mut self, id: u32, _: String) -> Result<Status, Self::Error> {
        Ok(ok(id))
    }

    async fn remove(&mut self, id: u32, path: String) -> Result<Status, Self::Error> {
        self.calls.lock().unwrap().push(format!("remove {path}"));
        Ok(ok(id))
    }
}

/// Starts it on a port; its key is given with that.
async fn start() -> (SftpOptions, Calls) {
    let key = PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&[7; 32])), "").unwrap();
    let host_key = HostKey::Fingerprint(key.public_key().fingerprint(HashAlg::Sha256).to_string());
    let methods = MethodSet::from(&[MethodKind::KeyboardInteractive][..]);
    let none = std::time::Duration::ZERO;
    let config = Arc::new(russh::server::Config {
        keys: vec![key],
        methods,
        auth_rejection_time: none,
        auth_rejection_time_initial: Some(none),
        ..Default::default()
    });
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let calls = Calls::default();
    let told = Arc::clone(&calls);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let odd = Odd { calls: Arc::clone(&told), channels: HashMap::new() };
            let config = Arc::clone(&config);
            tokio::spawn(async move {
                if let Ok(running) = russh::server::run_stream(config, stream, odd).await {
                    // A client that leaves is no failure of the test.
                    let _ = running.await;
                }
            });
        }
    });
    let auth = SftpAuth::Password("password".into());
    (SftpOptions::new("127.0.0.1", "anna", auth).port(port).host_key(host_key), calls)
}

#[tokio::test]
async fn a_password_answers_the_one_question_of_a_server() {
    let (options, _) = start().await;
    Sftp::connect(options.clone()).await.unwrap();
    let mut wrong = options;
    wrong.auth = SftpAuth::Password("hunter2".into());
    let error = Sftp::connect(wrong).await.err().unwrap();
    assert_eq!(error.code(), Code::Auth, "{error}");
    assert!(!error.to_string().contains("hunter2"));
}

#[tokio::test]
async fn a_listing_with_impossible_names_or_without_an_end_is_never_complete() {
    let (options, _) = start().await;
    let place = Sftp::connect(options).await.unwrap();
    assert!(!place.capabilities().create_is_exclusive, "it announces nothing");
    let mut listed = place.list(["names", "half", "refused", "none"].map(path).to_vec()).await;
    let none = listed.pop().unwrap();
    assert!(matches!(none, Listing::Absent), "{none:?}");
    let refused = listed.pop().unwrap();
    assert!(matches!(&refused, Listing::Unknown(e) if e.code() == Code::Permission), "{refused:?}");
    for (listing, expected) in listed.into_iter().zip([&["good"][..], &["one", "two"]]) {
        let Listing::Partial(entries, _) = listing else { panic!("{listing:?}") };
        assert_eq!(entries.iter().map(|e| e.name.to_string()).collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn a_file_that_is_shorter_than_it_was_is_stale_and_short_answers_are_filled() {
    let (options, _) = start().await;
    let place = Sftp::connect(options).await.unwrap();
    let read = |name: &'static str| {
        let place = &place;
        async move {
            let opened = place.read(&path(name), None, 0, None).await?;
            opened.bytes.try_collect::<Vec<_>>().await.map(|pieces| pieces.concat())
        }
    };
    let slow: Vec<u8> = (0..1_000_u32).map(|i| (i / 7 * 7) as u8).collect();
    assert_eq!(read("slow").await.unwrap(), slow);
    assert_eq!(read("short").await.unwrap_err().code(), Code::Stale);
    assert_eq!(read("much").await.unwrap_err().code(), Code::Storage, "more than was asked for");
    assert_eq!(place.hash(vec![path("short")]).await.remove(0).unwrap_err().code(), Code::Stale);
}

#[tokio::test]
async fn a_full_disk_is_a_quota_and_the_temporary_file_goes() {
    let (options, calls) = start().await;
    let place = Sftp::connect(options).await.unwrap();
    let item = Stage {
        target: path("new"),
        tag: "1".into(),
        source: Source::Feed(Arc::new(InMemory(Bytes::from_static(b"content")))),
        kind: Kind::File,
        metadata: Metadata::default(),
        replaces: false,
        resume: None,
    };
    let error = place.stage(vec![item]).await.remove(0).unwrap_err();
    assert_eq!(error.code(), Code::Quota, "{error}");
    // Created, not opened: write, create, exclusive.
    assert_eq!(*calls.lock().unwrap(), ["open /.portbook-tmp-1 42", "remove /.portbook-tmp-1"]);
}
