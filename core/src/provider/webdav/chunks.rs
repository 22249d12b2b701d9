//! Uploads in chunks as Nextcloud and ownCloud take them (Nextcloud developer manual, "Chunked file upload v2"): a
//! directory of the account's uploads is made, filled, and moved as one file to where it goes. What is in it stays for a
//! day, so that a later process can continue.
//!
//! Chunks cannot be read back. A later process goes on from chunks whose sizes the server shows and that an earlier one has
//! reported as taken; it reads what they hold from the source again, and begins anew where that is not what was sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Body, Method, Url};
use serde::{Deserialize, Serialize};

use super::server::{Server, header, method};
use super::stage::{STAGE, mtime_header, wrong_size};
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::RelPath;
use crate::provider::native_hash::Sums;
use crate::provider::traffic::{Refusal, Repeat};
use crate::provider::web_site::Ask;
use crate::provider::{Checkpoint, Feed, NativeHash, Stage, Staged, is_interruption};

/// From this size on a file is sent in chunks.
pub(super) const IN_CHUNKS: u64 = 2 * CHUNK;
/// The bytes of a chunk; 5 MiB at least, but for the last.
const CHUNK: u64 = 8 << 20;
/// Chunks of a file at most.
const MOST: u64 = 10_000;
/// How often it is looked whether the server has put the chunks together after all, and the pause before the first look.
const LOOKS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(250);

/// How far an upload has come, as the book keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    id: String,
    chunk: u64,
    /// The hash of everything before the offset.
    sent: [u8; 32],
}

/// Stages a file in chunks; none where the server has no such uploads.
pub(super) async fn stage(
    server: &Server,
    item: &Stage,
    temp: &RelPath,
    feed: Arc<dyn Feed>,
) -> Result<Option<Staged>> {
    let Some(uploads) = server.address.uploads() else { return Ok(None) };
    let from = item.resume.as_ref().and_then(|resume| resume.from.clone());
    let from = from.and_then(|from| Some((from.offset, postcard::from_bytes::<State>(&from.state).ok()?)));
    let mut upload = Upload { server, item, temp, feed, uploads, url: None, there: HashMap::new(), from: None };
    if let Some(from) = from {
        upload.take_up(from).await?;
    }
    let state = match &upload.from {
        Some((_, state)) => state.clone(),
        None => match upload.begin().await? {
            Some(state) => state,
            None => return Ok(None),
        },
    };
    let staged = upload.run(state).await;
    if let Err(e) = &staged
        && !(item.resume.is_some() && is_interruption(e))
    {
        // What cannot be removed now goes within a day.
        let _ = upload.abort().await;
    }
    staged.map(Some)
}

struct Upload<'a> {
    server: &'a Server,
    item: &'a Stage,
    temp: &'a RelPath,
    feed: Arc<dyn Feed>,
    uploads: Url,
    url: Option<Url>,
    /// The sizes of the chunks that the server shows.
    there: HashMap<u64, u64>,
    from: Option<(u64, State)>,
}

/// The bytes that have passed.
#[derive(Default)]
struct Passed {
    content: blake3::Hasher,
    sums: Sums,
    size: u64,
}

impl Upload<'_> {
    fn ask(&self, how: Method, name: &str) -> Ask {
        let mut url = self.url.clone().unwrap_or_else(|| self.uploads.clone());
        let path = format!("{}{name}", url.path());
        url.set_path(&path);
        let to = self.server.address.url(self.temp, false);
        Ask::new(how, url, STAGE, &self.item.target)
            .with("destination", header(to.as_str()))
            .with("oc-total-length", HeaderValue::from(self.feed.size()))
    }

    fn enter(&mut self, id: &str) {
        let mut url = self.uploads.clone();
        let path = format!("{}{id}/", url.path());
        url.set_path(&path);
        self.url = Some(url);
    }

    /// Looks what an earlier attempt has left.
    async fn take_up(&mut self, (offset, state): (u64, State)) -> Result<()> {
        let is_usable = state.id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !state.id.is_empty();
        if !is_usable || state.chunk == 0 || offset % state.chunk != 0 {
            return Ok(());
        }
        self.enter(&state.id);
        match self.server.sizes(&self.ask(method("PROPFIND"), "")).await? {
            Some(sizes) => {
                let number = |(name, size): (String, u64)| Some((name.parse().ok()?, size));
                self.there = sizes.into_iter().filter_map(number).collect();
                self.from = Some((offset, state));
            }
            // It has expired.
            None => self.url = None,
        }
        Ok(())
    }

    /// Makes the directory of a new upload; none where the server knows no such uploads.
    async fn begin(&mut self) -> Result<Option<State>> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|e| Error::new(Code::Internal, STAGE, &self.item.target).because(e))?;
        let id = format!("portbook-{}", random.iter().map(|b| format!("{b:02x}")).collect::<String>());
        let (ask, site) = (&self.ask(method("MKCOL"), &format!("{id}/")), &self.server.site);
        let once = || async move {
            let response = site.ask(ask).await?;
            match response.status().as_u16() {
                200 | 201 | 204 => Ok(true),
                404 | 405 | 409 | 501 => Ok(false),
                _ => Err::<bool, Refusal>(ask.refused(response).await),
            }
        };
        // A second directory of this name would be refused: nobody else knows it.
        if !site.traffic.send(Repeat::Refused, once).await? {
            return Ok(None);
        }
        self.enter(&id);
        let chunk = CHUNK.max(self.feed.size().div_ceil(MOST));
        Ok(Some(State { id, chunk, sent: [0; 32] }))
    }

    async fn run(&self, mut state: State) -> Result<Staged> {
        let (size, target) = (self.feed.size(), &self.item.target);
        let opened = self.feed.open(0, None).await?;
        let mtime = self.item.metadata.mtime.or(opened.mtime);
        let kept = self.from.as_ref().map_or(0, |(offset, _)| *offset).min(size);
        let (mut bytes, mut passed, mut waiting, mut resumed) = (opened.bytes, Passed::default(), BytesMut::new(), 0);
        for number in 1..=size.div_ceil(state.chunk) {
            let length = state.chunk.min(size - passed.size);
            while (waiting.len() as u64) < length {
                waiting.extend_from_slice(&bytes.next().await.ok_or_else(|| wrong_size(target))??);
            }
            let chunk = waiting.split_to(usize::try_from(length).unwrap_or(usize::MAX)).freeze();
            passed.content.update(&chunk);
            passed.sums.update(&chunk);
            passed.size += length;
            let is_known = passed.size <= kept && self.there.get(&number) == Some(&length);
            if is_known {
                resumed += length;
            } else {
                self.put(number, chunk).await?;
            }
            let sent = *passed.content.finalize().as_bytes();
            if passed.size == kept && sent != state.sent && kept < size {
                // Now it is not what was sent: nothing of it is used.
                let _ = self.abort().await;
                return Err(Error::new(Code::Stale, STAGE, target).because("its source is not what it was"));
            }
            if passed.size > kept && passed.size < size {
                state.sent = sent;
                self.keep(passed.size, &state).await?;
            }
        }
        if !waiting.is_empty() || bytes.next().await.transpose()?.is_some_and(|more| !more.is_empty()) {
            return Err(wrong_size(target));
        }
        let content = ContentHash(*passed.content.finalize().as_bytes());
        let sums = passed.sums.finish();
        let mut ask = self.ask(method("MOVE"), ".file").with("overwrite", HeaderValue::from_static("T"));
        mtime_header(&mut ask.headers, mtime);
        checksum_header(&mut ask.headers, &sums[0]);
        self.join(&ask).await?;
        self.server.sums.lock().await.insert(self.temp.clone(), sums);
        let tag = self.item.tag.clone();
        Ok(Staged { target: target.clone(), tag, content, size, resumed, source: None })
    }

    async fn keep(&self, offset: u64, state: &State) -> Result<()> {
        let Some(resume) = &self.item.resume else { return Ok(()) };
        let failed = |e| Error::new(Code::Internal, "encode how far the upload is of", &self.item.target).caused_by(e);
        let state = postcard::to_stdvec(state).map_err(failed)?;
        resume.keeper.keep_async(Checkpoint { offset, state }).await
    }

    async fn put(&self, number: u64, chunk: Bytes) -> Result<()> {
        let (ask, chunk) = (&self.ask(Method::PUT, &format!("{number:05}")), &chunk);
        let once = || async move {
            let body = || Ok(Some((chunk.len() as u64, Body::from(chunk.clone()))));
            let response = self.server.site.send(ask, body).await?;
            match response.status().as_u16() {
                200 | 201 | 204 => Ok(()),
                404 | 409 => Err(ask.error(Code::NotFound).because("the server has dropped the upload").into()),
                _ => Err::<(), Refusal>(ask.refused(response).await),
            }
        };
        self.server.site.traffic.send(Repeat::Safe, once).await
    }

    /// Has the chunks put together under the temporary name. That may take longer than anybody between here and the server
    /// waits: then it is looked whether the file is there.
    async fn join(&self, ask: &Ask) -> Result<()> {
        let once = || async move {
            let response = self.server.site.ask(ask).await?;
            match response.status().as_u16() {
                200 | 201 | 204 => Ok(()),
                _ => Err::<(), Refusal>(ask.refused(response).await),
            }
        };
        let Err(refused) = self.server.site.traffic.send(Repeat::Refused, once).await else { return Ok(()) };
        let may_be_done =
            matches!(refused.code(), Code::Timeout | Code::Offline | Code::Busy | Code::NotFound | Code::Throttled);
        for look in 0..if may_be_done { LOOKS } else { 0 } {
            tokio::time::sleep(PAUSE * (1 << look.min(4))).await;
            let there = self.server.look_at(self.temp).await?;
            if there.is_some_and(|there| there.token.size == self.feed.size()) {
                return Ok(());
            }
        }
        Err(refused)
    }

    async fn abort(&self) -> Result<()> {
        let ask = &self.ask(Method::DELETE, "");
        let once = || async move {
            let response = self.server.site.ask(ask).await?;
            match response.status().as_u16() {
                200 | 202 | 204 | 404 | 410 => Ok(()),
                _ => Err::<(), Refusal>(ask.refused(response).await),
            }
        };
        self.server.site.traffic.send(Repeat::Safe, once).await
    }
}

/// `OC-Checksum`, which ownCloud verifies and both keep.
pub(super) fn checksum_header(headers: &mut HeaderMap, hash: &NativeHash) {
    let (name, bytes): (_, &[u8]) = match hash {
        NativeHash::Md5(bytes) => ("MD5", bytes),
        NativeHash::Sha1(bytes) => ("SHA1", bytes),
        NativeHash::Sha256(bytes) => ("SHA256", bytes),
        NativeHash::Sha512(bytes) => ("SHA512", bytes),
    };
    let digits: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    headers.insert("oc-checksum", header(&format!("{name}:{digits}")));
}
