//! Large uploads by several channels of a connection, and servers that have only one for them.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portbook::identity::ContentHash;
use portbook::provider::sftp::{HostKey, Sftp, SftpAuth, SftpOptions};
use portbook::provider::{Provider as _, Resumable};
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::{HashAlg, PrivateKey};
use russh::server::{Auth, ChannelOpenHandle, Msg, Session};
use russh::{Channel, ChannelId, ChannelOpenFailure};
use russh_sftp::protocol::{
    Attrs, Data, ExtendedReply, FileAttributes, Handle, Name, OpenFlags, Packet, Status, StatusCode, Version,
};
use russh_sftp::server::StatusReply;
use tokio::sync::watch;

use crate::contract::path;
use crate::in_process::{Files, ok};
use crate::interrupted::{content, keeping, put_in_place, stage};
use crate::server::{OpenSsh, open};

const SIZE: u64 = 40 << 20;
/// What is not over by then hangs.
const LONGEST: Duration = Duration::from_secs(120);

/// What a server does when it is asked for further channels of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Further {
    /// Gives them. The first one takes nothing before a file was opened by another.
    Given,
    /// Refuses them (as `MaxSessions 1`).
    Refused,
    /// Opens them, and speaks no SFTP there.
    Mute,
    /// Ends the connection.
    EndsAll,
    /// Gives them, and no file may be open twice.
    OpensOnce,
    /// Gives them, and each time that a file is opened it is another one (as over a store of objects).
    OwnFiles,
}

/// What a server has seen.
struct Seen {
    further: Further,
    connections: AtomicUsize,
    channels: AtomicUsize,
    /// Requests to write, by channel.
    writes: Mutex<BTreeMap<usize, usize>>,
    opened_again: watch::Sender<bool>,
}

impl Seen {
    fn writers(&self) -> usize {
        self.writes.lock().unwrap().len()
    }

    fn counts(&self) -> (usize, usize) {
        (self.connections.load(Ordering::SeqCst), self.channels.load(Ordering::SeqCst))
    }
}

struct Guest {
    seen: Arc<Seen>,
    /// By number, from 1.
    channels: HashMap<ChannelId, (usize, Channel<Msg>)>,
    asked: usize,
}

impl russh::server::Handler for Guest {
    type Error = russh::Error;

    async fn auth_password(&mut self, _: &str, _: &str) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.asked += 1;
        self.seen.channels.fetch_add(1, Ordering::SeqCst);
        match self.seen.further {
            Further::Refused if self.asked > 1 => reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await,
            Further::EndsAll if self.asked > 1 => return Err(russh::Error::Disconnect),
            _ => {
                self.channels.insert(channel.id(), (self.asked, channel));
                reply.accept().await;
            }
        }
        Ok(())
    }

    async fn subsystem_request(&mut self, id: ChannelId, _: &str, session: &mut Session) -> Result<(), Self::Error> {
        let (number, channel) = self.channels.remove(&id).unwrap();
        if self.seen.further == Further::Mute && number > 1 {
            return session.channel_failure(id);
        }
        session.channel_success(id)?;
        let files = Beside { seen: Arc::clone(&self.seen), number, files: Files::default() };
        russh_sftp::server::run(channel.into_stream(), files).await;
        Ok(())
    }
}

/// One channel of a server that announces what OpenSSH does.
struct Beside {
    seen: Arc<Seen>,
    number: usize,
    files: Files,
}

impl Beside {
    fn is(&self, further: Further) -> bool {
        self.seen.further == further && self.number > 1
    }
}

impl russh_sftp::server::Handler for Beside {
    type Error = StatusReply;

    fn unimplemented(&self) -> Self::Error {
        StatusCode::OpUnsupported.into()
    }

    async fn init(&mut self, _: u32, _: HashMap<String, String>) -> Result<Version, Self::Error> {
        let mut version = Version::new();
        for name in ["limits@openssh.com", "lsetstat@openssh.com", "fsync@openssh.com"] {
            version.extensions.insert(name.into(), "1".into());
        }
        Ok(version)
    }

    async fn extended(&mut self, id: u32, request: String, _: Vec<u8>) -> Result<Packet, Self::Error> {
        match request.as_str() {
            // Packet, read, write, handles (OpenSSH PROTOCOL section 4.8)
            "limits@openssh.com" => {
                let limits = [256_u64 << 10, 255 << 10, 255 << 10, 0].map(u64::to_be_bytes);
                Ok(Packet::ExtendedReply(ExtendedReply { id, data: limits.concat() }))
            }
            "fsync@openssh.com" => Ok(Packet::Status(ok(id))),
            _ => Err(StatusCode::OpUnsupported.into()),
        }
    }

    async fn open(
        &mut self,
        id: u32,
        path: String,
        flags: OpenFlags,
        attributes: FileAttributes,
    ) -> Result<Handle, Self::Error> {
        if self.is(Further::OpensOnce) {
            return Err(StatusCode::PermissionDenied.into());
        }
        if self.is(Further::OwnFiles) {
            let own = format!("{path}.{}", self.number);
            return self.files.open(id, own, flags | OpenFlags::CREATE, attributes).await;
        }
        let opened = self.files.open(id, path, flags, attributes).await?;
        if self.number > 1 {
            self.seen.opened_again.send_replace(true);
        }
        Ok(opened)
    }

    async fn write(&mut self, id: u32, handle: String, offset: u64, data: Vec<u8>) -> Result<Status, Self::Error> {
        let before = {
            let mut writes = self.seen.writes.lock().unwrap();
            let count = writes.entry(self.number).or_default();
            std::mem::replace(count, *count + 1)
        };
        if self.seen.further == Further::Given && self.number == 1 && before > 0 {
            self.seen.opened_again.subscribe().wait_for(|opened| *opened).await.unwrap();
        }
        self.files.write(id, handle, offset, data).await
    }

    async fn realpath(&mut self, id: u32, path: String) -> Result<Name, Self::Error> {
        self.files.realpath(id, path).await
    }

    async fn lstat(&mut self, id: u32, path: String) -> Result<Attrs, Self::Error> {
        self.files.lstat(id, path).await
    }

    async fn fstat(&mut self, id: u32, handle: String) -> Result<Attrs, Self::Error> {
        self.files.fstat(id, handle).await
    }

    async fn fsetstat(&mut self, id: u32, handle: String, attributes: FileAttributes) -> Result<Status, Self::Error> {
        self.files.fsetstat(id, handle, attributes).await
    }

    async fn read(&mut self, id: u32, handle: String, offset: u64, length: u32) -> Result<Data, Self::Error> {
        self.files.read(id, handle, offset, length).await
    }

    async fn close(&mut self, id: u32, handle: String) -> Result<Status, Self::Error> {
        self.files.close(id, handle).await
    }

    async fn remove(&mut self, id: u32, path: String) -> Result<Status, Self::Error> {
        self.files.remove(id, path).await
    }

    async fn rename(&mut self, id: u32, from: String, to: String) -> Result<Status, Self::Error> {
        self.files.rename(id, from, to).await
    }
}

/// Starts a server over a directory.
async fn start(root: &Path, further: Further) -> (SftpOptions, Arc<Seen>) {
    let key = PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&[5; 32])), "").unwrap();
    let host_key = HostKey::Fingerprint(key.public_key().fingerprint(HashAlg::Sha256).to_string());
    // A channel that takes nothing must not keep the others from it.
    let config = Arc::new(russh::server::Config { keys: vec![key], channel_buffer_size: 2_000, ..Default::default() });
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Seen {
        further,
        connections: AtomicUsize::new(0),
        channels: AtomicUsize::new(0),
        writes: Mutex::default(),
        opened_again: watch::Sender::new(false),
    });
    let told = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            told.connections.fetch_add(1, Ordering::SeqCst);
            let guest = Guest { seen: Arc::clone(&told), channels: HashMap::new(), asked: 0 };
            let config = Arc::clone(&config);
            tokio::spawn(async move {
                if let Ok(running) = russh::server::run_stream(config, stream, guest).await {
                    // A connection that ends is what some of this is about.
                    let _ = running.await;
                }
            });
        }
    });
    let options = SftpOptions::new("127.0.0.1", "anna", SftpAuth::Password("password".into()));
    (options.port(port).host_key(host_key).root(root.as_os_str().as_encoded_bytes()), seen)
}

/// Uploads a file of this name, which arrives whole.
async fn upload(place: &Sftp, root: &Path, name: &str) {
    let (bytes, target) = (content(SIZE), path(name));
    let (keeper, kept) = keeping();
    let items = vec![stage(&target, &bytes, Some(Resumable { from: None, keeper }))];
    let staged = tokio::time::timeout(LONGEST, place.stage(items)).await.expect("an end").remove(0).unwrap();
    assert_eq!((staged.content, staged.resumed), (ContentHash::of(&bytes), 0));
    let offsets: Vec<u64> = kept.lock().unwrap().iter().map(|checkpoint| checkpoint.offset).collect();
    assert!(offsets.is_sorted() && offsets.last() >= Some(&(SIZE - (8 << 20))), "{offsets:?}");
    put_in_place(place, staged).await;
    assert!(std::fs::read(root.join(name)).unwrap() == bytes, "it is not what was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_written_by_several_channels_of_one_connection() {
    let directory = tempfile::tempdir().unwrap();
    let (options, seen) = start(directory.path(), Further::Given).await;
    let place = open(options).await;
    upload(&place, directory.path(), "one").await;
    assert!(seen.writers() > 1, "{:?}", seen.writes.lock().unwrap());
    let counts = seen.counts();
    assert_eq!(counts.0, 1, "all of them are of one connection");
    upload(&place, directory.path(), "two").await;
    assert_eq!(seen.counts(), counts, "they are there already");
}

/// What remains of it is one channel, and no error; and it is not tried again with each file.
async fn is_content_with_one(further: Further) {
    let directory = tempfile::tempdir().unwrap();
    let (options, seen) = start(directory.path(), further).await;
    let place = open(options).await;
    upload(&place, directory.path(), "one").await;
    assert_eq!(seen.writers(), 1, "{further:?}: {:?}", seen.writes.lock().unwrap());
    let counts = seen.counts();
    assert!(counts.1 > 1, "{further:?}: it was not asked for another channel");
    upload(&place, directory.path(), "two").await;
    assert_eq!(seen.counts(), counts, "{further:?}");
    assert_eq!(seen.writers(), 1, "{further:?}: {:?}", seen.writes.lock().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_a_second_channel_gets_all_by_the_first() {
    is_content_with_one(Further::Refused).await;
    is_content_with_one(Further::Mute).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_the_connection_for_a_second_channel_gets_all_by_another_one() {
    is_content_with_one(Further::EndsAll).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_no_file_open_twice_gets_all_by_the_first_channel() {
    is_content_with_one(Further::OpensOnce).await;
    is_content_with_one(Further::OwnFiles).await;
}

/// What OpenSSH says of the channels that were opened.
fn sessions(server: &OpenSsh) -> usize {
    std::fs::read_to_string(server.file("log")).unwrap().matches("Starting session: subsystem 'sftp'").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn openssh_gives_a_large_file_further_channels_and_a_small_one_none() {
    let Some(server) = OpenSsh::start() else { return };
    let root = server.make_root("several");
    let place = open(server.options(&root)).await;
    let small = content(100_000);
    place.stage(vec![stage(&path("small"), &small, None)]).await.remove(0).unwrap();
    assert_eq!(sessions(&server), 1);
    upload(&place, &root, "large").await;
    assert!(sessions(&server) > 1);
    assert_eq!(std::fs::read_to_string(server.file("log")).unwrap().matches("Accepted publickey").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn openssh_with_one_session_for_each_connection_gets_all_by_that() {
    let Some(server) = OpenSsh::with(&["MaxSessions 1"]) else { return };
    let root = server.make_root("single");
    let place = open(server.options(&root)).await;
    upload(&place, &root, "one").await;
    upload(&place, &root, "two").await;
    assert_eq!(sessions(&server), 1);
}
