//! Bytes on their way to an object. A small file waits in memory until it is published with one request; the parts of a
//! large one wait at the server.
//!
//! A large file is read in order, each part by itself, so that the hash of the whole passes with the bytes. Parts that an
//! earlier attempt has sent are read and hashed, and not sent again.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::key::not_reserved;
use super::list::stale;
use super::multipart::{Part, Upload, etag_of};
use super::options::part_bytes;
use super::request::{Body, Client, Header};
use super::time;
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{Kind, Name, RelPath, Timestamp};
use crate::provider::{Checkpoint, Feed, Keeper, Opened, Resumable, Source, Stage, Staged, is_interruption};

/// From this size on a file is sent in parts, and can be continued by a later process.
pub(super) const IN_PARTS: u64 = 16 << 20;
/// What the parts of one file may take in memory, where there is so much room.
pub(super) const MEMORY: u64 = 64 << 20;
/// So many bytes are hashed in less time than another thread takes to be found for them.
const A_MOMENT: usize = 32 << 10;
const SEND: &str = "send";

/// What was staged and waits to be published.
#[derive(Clone, Debug)]
pub(super) enum Waiting {
    Whole { body: Body, headers: Vec<Header> },
    Parts(Sent),
}

/// An upload with all of its parts.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) upload: String,
    pub(super) parts: Vec<(u32, String)>,
    /// The ETag that the object will have, where those of the parts are their MD5s.
    pub(super) etag: Option<String>,
}

/// What is staged, by target and tag.
#[derive(Debug, Default)]
pub(super) struct Shelf(Mutex<HashMap<(RelPath, String), Waiting>>);

impl Shelf {
    pub(super) fn get(&self, target: &RelPath, tag: &str) -> Option<Waiting> {
        self.lock().get(&(target.clone(), tag.to_owned())).cloned()
    }

    pub(super) fn take(&self, target: &RelPath, tag: &str) -> Option<Waiting> {
        self.lock().remove(&(target.clone(), tag.to_owned()))
    }

    fn put(&self, target: RelPath, tag: String, waiting: Waiting) -> Option<Waiting> {
        self.lock().insert((target, tag), waiting)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(RelPath, String), Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far an upload has come, as the book keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    upload: String,
    part_bytes: u64,
    /// MD5 and ETag of the parts whose ETag is not their MD5.
    odd: Vec<(u32, [u8; 16], String)>,
}

impl State {
    /// What was kept, if an upload is named in it.
    fn of(kept: &[u8]) -> Option<Self> {
        let state: Self = postcard::from_bytes(kept).ok()?;
        (state.part_bytes > 0 && !state.upload.is_empty()).then_some(state)
    }
}

/// The upload that a session had begun.
pub(super) fn upload_of(kept: &[u8]) -> Option<String> {
    State::of(kept).map(|state| state.upload)
}

/// Stages one file.
pub(super) async fn stage(client: &Arc<Client>, shelf: &Shelf, item: Stage) -> Result<Staged> {
    let Stage { target, tag, source, kind, metadata, replaces: _, resume } = item;
    not_reserved(SEND, &target)?;
    let unsupported = |why| Error::new(Code::Unsupported, SEND, &target).because(why);
    if kind != Kind::File {
        return Err(unsupported("it is no file"));
    }
    let Source::Feed(feed) = source else { return Err(unsupported("the source is of another kind")) };
    let key = client.site.key(SEND, &target)?;
    let (waiting, content, resumed) = if feed.size() < IN_PARTS {
        let (waiting, content) = whole(&target, &*feed, metadata.mtime).await?;
        (waiting, content, 0)
    } else {
        let part_bytes = part_bytes(client.site.options.part_bytes, feed.size());
        let sending = Sending::new(client, &target, key, &*feed, part_bytes, resume);
        sending.run(metadata.mtime).await?
    };
    let staged = Staged { target, tag, content, size: feed.size(), resumed, source: None };
    if let Some(Waiting::Parts(before)) = shelf.put(staged.target.clone(), staged.tag.clone(), waiting.clone()) {
        let is_other = !matches!(&waiting, Waiting::Parts(now) if now.upload == before.upload);
        if is_other {
            let key = client.site.key(SEND, &staged.target)?;
            // What is left of it is found among the abandoned ones.
            let _ = client.abort(&Upload { path: &staged.target, key: &key, id: &before.upload }).await;
        }
    }
    Ok(staged)
}

/// What an object is stored with.
fn headers(path: &RelPath, mtime: Option<Timestamp>) -> Vec<Header> {
    let name = path.name().as_ref().map(Name::to_string).unwrap_or_default();
    let kind = mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream");
    let mut headers = vec![("content-type".into(), kind.to_owned())];
    headers.extend(mtime.map(|mtime| (time::MTIME.into(), time::format(mtime))));
    headers
}

async fn whole(path: &RelPath, feed: &dyn Feed, mtime: Option<Timestamp>) -> Result<(Waiting, ContentHash)> {
    let (bytes, found) = part(path, feed, 0, feed.size(), true, BytesMut::new()).await?;
    let is_moment = bytes.len() <= A_MOMENT;
    let hash = move || (ContentHash::of(&bytes), Body::new(bytes));
    let (content, body) = if is_moment { hash() } else { hashed(path, hash).await? };
    Ok((Waiting::Whole { body, headers: headers(path, mtime.or(found)) }, content))
}

/// Hashing takes a processor for a while: not one of those that answer.
async fn hashed<T: Send + 'static>(path: &RelPath, hash: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(hash).await.map_err(|e| Error::new(Code::Internal, "hash", path).because(e))
}

/// So many bytes of a source, neither fewer nor more, read into the buffer. The last part ends where the source does.
async fn part(
    path: &RelPath,
    feed: &dyn Feed,
    offset: u64,
    length: u64,
    is_last: bool,
    mut content: BytesMut,
) -> Result<(Bytes, Option<Timestamp>)> {
    let wrong = || stale(SEND, path, "its source gave fewer or more bytes than it declared");
    let Opened { mut bytes, mtime } = feed.open(offset, (!is_last).then_some(length)).await?;
    content.clear();
    content.reserve(usize::try_from(length).unwrap_or_default());
    while let Some(piece) = bytes.next().await {
        let piece = piece?;
        if (content.len() + piece.len()) as u64 > length {
            return Err(wrong());
        }
        content.extend_from_slice(&piece);
    }
    if content.len() as u64 == length { Ok((content.freeze(), mtime)) } else { Err(wrong()) }
}

/// Buffers of parts that have arrived, for the next ones: what is allocated and freed by many threads, megabytes at a time,
/// the allocator keeps for each of them.
#[derive(Default)]
struct Spare(Mutex<Vec<BytesMut>>);

impl Spare {
    fn take(&self) -> BytesMut {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Keeps the buffer, unless somebody still reads it.
    fn put(&self, bytes: Bytes) {
        if let Ok(buffer) = bytes.try_into_mut() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
        }
    }
}

/// A part that was read and hashed.
struct Ready {
    number: u32,
    body: Body,
    mtime: Option<Timestamp>,
}

/// A large file on its way.
struct Sending<'a> {
    client: &'a Arc<Client>,
    path: &'a RelPath,
    key: String,
    feed: &'a dyn Feed,
    keeper: Option<Keeper>,
    from: Option<Checkpoint>,
    state: State,
    /// Size, MD5 and ETag of the parts that the server has.
    done: BTreeMap<u32, (u64, [u8; 16], String)>,
    reported: u64,
    resumed: u64,
    spare: Arc<Spare>,
}

impl<'a> Sending<'a> {
    fn new(
        client: &'a Arc<Client>,
        path: &'a RelPath,
        key: String,
        feed: &'a dyn Feed,
        part_bytes: u64,
        resume: Option<Resumable>,
    ) -> Self {
        let (from, keeper) = resume.map_or((None, None), |resume| (resume.from, Some(resume.keeper)));
        let state = State { part_bytes, ..State::default() };
        let (done, spare) = (BTreeMap::new(), Arc::default());
        Self { client, path, key, feed, keeper, from, state, done, reported: 0, resumed: 0, spare }
    }

    async fn run(mut self, mtime: Option<Timestamp>) -> Result<(Waiting, ContentHash, u64)> {
        let known = self.take_up().await?;
        let mut tasks = JoinSet::new();
        let mut result = self.send(known, mtime, &mut tasks).await;
        // What is under way arrives, also after a failure: a later attempt need not send it again.
        while let Some(sent) = tasks.join_next().await {
            let kept = self.arrived(sent).await;
            if result.is_ok() {
                result = result.and_then(|content| kept.map(|()| content));
            }
        }
        match result {
            Ok(content) => {
                let md5s: Vec<[u8; 16]> = self.done.values().map(|(_, md5, _)| *md5).collect();
                let etag = self.state.odd.is_empty().then(|| etag_of(&md5s));
                let parts = self.done.into_iter().map(|(number, (_, _, etag))| (number, etag)).collect();
                Ok((Waiting::Parts(Sent { upload: self.state.upload, parts, etag }), content, self.resumed))
            }
            Err(e) => {
                let is_kept = self.keeper.is_some() && is_interruption(&e);
                if !is_kept && !self.state.upload.is_empty() {
                    // What is left of it is found among the abandoned ones.
                    let _ = self.client.abort(&self.upload()).await;
                }
                Err(e)
            }
        }
    }

    fn upload(&self) -> Upload<'_> {
        Upload { path: self.path, key: &self.key, id: &self.state.upload }
    }

    /// Takes up the upload of an earlier attempt, where the server still has it.
    async fn take_up(&mut self) -> Result<BTreeMap<u32, Part>> {
        let Some(state) = self.from.as_ref().and_then(|from| State::of(&from.state)) else {
            return Ok(BTreeMap::new());
        };
        let upload = Upload { path: self.path, key: &self.key, id: &state.upload };
        let known = self.client.parts(&upload).await?;
        // It was cleaned up meanwhile: it begins anew.
        let Some(known) = known else { return Ok(BTreeMap::new()) };
        self.state = state;
        Ok(known)
    }

    async fn send(
        &mut self,
        known: BTreeMap<u32, Part>,
        mtime: Option<Timestamp>,
        tasks: &mut JoinSet<Result<(Body, u32, String)>>,
    ) -> Result<ContentHash> {
        let (feed, path, part_bytes) = (self.feed, self.path, self.state.part_bytes);
        let size = feed.size();
        let count = u32::try_from(size.div_ceil(part_bytes))
            .map_err(|_| Error::new(Code::Invalid, SEND, path).because("it has too many parts"))?;
        let memory = feed.room().unwrap_or(MEMORY).min(MEMORY);
        let fit = usize::try_from(memory / part_bytes).unwrap_or(1).max(2);
        let ahead = if fit >= 4 { 2 } else { 1 };
        let spare = Arc::clone(&self.spare);
        let read = |number: u32| {
            let (offset, buffer) = (u64::from(number - 1) * part_bytes, spare.take());
            async move {
                let length = part_bytes.min(size - offset);
                let (bytes, mtime) = part(path, feed, offset, length, number == count, buffer).await?;
                Ok::<_, Error>(Ready { number, body: hashed(path, move || Body::new(bytes)).await?, mtime })
            }
        };
        let mut parts = stream::iter(1..=count).map(read).buffered(ahead).boxed();
        let mut hasher = blake3::Hasher::new();
        while let Some(ready) = parts.next().await {
            let Ready { number, body, mtime: found } = ready?;
            if self.state.upload.is_empty() {
                let headers = headers(path, mtime.or(found));
                self.state.upload = self.client.begin_upload(path, &self.key, headers).await?;
                self.report(true).await?;
            }
            hasher = update(path, hasher, body.bytes.clone()).await?;
            if let Some(etag) = known.get(&number).and_then(|part| self.is_known(number, &body, part)) {
                self.resumed += body.bytes.len() as u64;
                self.done.insert(number, (body.bytes.len() as u64, body.md5, etag));
                self.spare.put(body.bytes);
                continue;
            }
            while tasks.len() >= fit - ahead {
                let Some(sent) = tasks.join_next().await else { break };
                self.arrived(sent).await?;
            }
            let (client, path, key) = (Arc::clone(self.client), path.clone(), self.key.clone());
            let id = self.state.upload.clone();
            tasks.spawn(async move {
                let upload = Upload { path: &path, key: &key, id: &id };
                let etag = client.put_part(&upload, number, body.clone()).await?;
                Ok((body, number, etag))
            });
        }
        Ok(ContentHash(*hasher.finalize().as_bytes()))
    }

    /// The ETag of a part that an earlier attempt has sent, where it is this very part.
    fn is_known(&self, number: u32, body: &Body, part: &Part) -> Option<String> {
        let is_odd =
            || self.state.odd.iter().any(|(n, md5, etag)| *n == number && *md5 == body.md5 && *etag == part.etag);
        let same = part.size == body.bytes.len() as u64 && (part.etag == body.etag() || is_odd());
        same.then(|| part.etag.clone())
    }

    async fn arrived(
        &mut self,
        sent: std::result::Result<Result<(Body, u32, String)>, tokio::task::JoinError>,
    ) -> Result<()> {
        let (body, number, etag) = sent.map_err(|e| Error::new(Code::Internal, SEND, self.path).because(e))??;
        let is_odd = etag != body.etag();
        if is_odd {
            self.state.odd.push((number, body.md5, etag.clone()));
        }
        self.done.insert(number, (body.bytes.len() as u64, body.md5, etag));
        self.spare.put(body.bytes);
        // A later attempt knows the others from the server.
        self.report(is_odd).await
    }

    /// Reports what is at the server without a gap, where that is more than before.
    async fn report(&mut self, always: bool) -> Result<()> {
        let Some(keeper) = &self.keeper else { return Ok(()) };
        let offset = (1..).map_while(|number| self.done.get(&number)).map(|(size, _, _)| size).sum();
        if offset <= self.reported && !always {
            return Ok(());
        }
        let encode = |e| Error::new(Code::Internal, "encode how far the upload is of", self.path).caused_by(e);
        let state = postcard::to_stdvec(&self.state).map_err(encode)?;
        keeper.keep_async(Checkpoint { offset, state }).await?;
        self.reported = offset;
        Ok(())
    }
}

async fn update(path: &RelPath, mut hasher: blake3::Hasher, bytes: Bytes) -> Result<blake3::Hasher> {
    hashed(path, move || {
        hasher.update(&bytes);
        hasher
    })
    .await
}
