//! Buckets of S3 and of the many servers that speak its protocol.
//!
//! What always holds:
//!
//! - an object appears whole, by one request, and over nothing but what was expected there: by the server's own conditions
//!   where it honours them, which is found out once a bucket; elsewhere it is looked at right before;
//! - a listing is complete only when every page of it came whole;
//! - every byte read is of the version that was expected;
//! - credentials go to the endpoint and nowhere else, and are in no URL but those of [`S3::presigned_get`].
//!
//! Directories are prefixes of keys. Those that are made here, and those that would end with their last object, have a
//! marker: an object of no bytes named `dir/`. Moves copy and remove, and are not atomic: a crash between the two leaves an
//! item in both places. A file's modified time is in its metadata (`x-amz-meta-mtime`) and shows when it is read; versions
//! are told by ETag, so that looking for changes takes listings alone. Where a server's listings show none (Amazon's do), each
//! object is looked at by itself.
//!
//! # Buckets that keep versions
//! Only the newest version of an object is an item, and one that was deleted is none: listings, conditions and restoring are
//! as in any bucket, and no version is ever read or asked for. The trash, what a volume keeps
//! ([`VersioningMode`](crate::model::VersioningMode)) and conflicting copies are objects of their own, so that both ways of
//! keeping work beside each other. In turn nothing is gone for the server that was removed here: each overwrite leaves the
//! version before, and what is removed (a file, which is a copy in the trash by then, the trash when it is emptied, what is
//! purged from a volume) leaves its last version beneath a delete marker. Room comes back by a rule of the bucket
//! (`NoncurrentVersionExpiration`, and `ExpiredObjectDeleteMarker` for the markers); without one a bucket grows with every
//! change. Only what is written to find out what the server honours is removed with its versions, where that is allowed.
//!
//! # Uploads in parts
//! An upload that was begun and not ended is known by its name alone, which the session of the file keeps: what others began
//! for the same key stays. One whose name nobody knows any more ends with the trash of its age, if it is at least a day
//! old and had no part since.

mod copy;
mod error;
mod key;
mod link;
mod list;
mod moves;
mod multipart;
mod options;
mod page;
mod probe;
mod publish;
mod read;
mod request;
mod sign;
mod stage;
mod time;
mod trash;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};

pub use link::PresignedUrl;
pub use options::S3Options;

use self::multipart::Upload;
use self::page::Ask;
use self::request::Client;
use self::stage::{Shelf, Waiting};
use self::trash::Bin;
use crate::delta::{Expect, Metadata};
use crate::error::{Code, Error, Result};
use crate::model::{Name, Node, RelPath, SecretBytes, Timestamp};
use crate::provider::{
    Capabilities, Hashed, Listing, Move, NativeHash, Opened, Provider, Publish, RootIdentity, Stage, Staged, Trash,
    Writable,
};

/// Small files that are read from their source at once.
const STAGED_AT_ONCE: usize = 16;
/// Files that are read for their hash at once.
const HASHED_AT_ONCE: usize = 8;
/// Parts of one large object that are read at once. What is sent over one connection is bounded by the service
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance-guidelines.html>).
const STREAMS: usize = 4;
/// Bytes of small files that may wait in memory.
const STAGED_BYTES: u64 = 16 << 20;

/// A bucket, or a directory of it.
pub struct S3 {
    client: Arc<Client>,
    shelf: Shelf,
    /// As long as it is not known whether creating is exclusive, and when it is known.
    capabilities: [Capabilities; 2],
}

impl S3 {
    /// Opens a bucket, or a directory of it, as a root. Nothing is asked of the server yet.
    ///
    /// # Errors
    /// `invalid`: the options cannot be an address or credentials, or a certificate cannot be read.
    pub fn open(options: S3Options) -> Result<Self> {
        let client = Arc::new(Client::new(options::Site::new(options)?)?);
        let capabilities = |create_is_exclusive| Capabilities {
            case_insensitive: false,
            unicode_insensitive: false,
            windows_names: false,
            unicode_names: true,
            max_name_bytes: key::LONGEST_KEY - 1,
            mode: false,
            set_mtime: false,
            write_mtime: true,
            symlinks: false,
            time_precision_ns: 1,
            create_is_exclusive,
            native_copy: false,
            resumable_bytes: Some(stage::IN_PARTS),
            resumable_native_bytes: None,
            staged_bytes: Some(STAGED_BYTES),
            large_bytes: stage::MEMORY,
            streams: STREAMS,
        };
        Ok(Self { client, shelf: Shelf::default(), capabilities: [capabilities(false), capabilities(true)] })
    }

    /// Copies whatever is larger than so many bytes in parts of so many, at least 5 MiB: what is done for objects of more
    /// than 5 GiB can be tried with small ones.
    #[cfg(feature = "simulation")]
    #[must_use]
    pub fn copying_in_parts(mut self, whole: u64, part: u64) -> Self {
        // Nobody else has it yet.
        if let Some(client) = Arc::get_mut(&mut self.client) {
            client.pieces = copy::Pieces { whole, part };
        }
        self
    }

    /// A link by which anybody can read the object for so long: one second to seven days. It cannot be taken back.
    ///
    /// # Errors
    /// `invalid`: the time or the path cannot be used.
    pub fn presigned_get(&self, path: &RelPath, valid: Duration) -> Result<PresignedUrl> {
        self.client.presigned_get(path, valid)
    }

    async fn end_upload(&self, path: &RelPath, id: &str) -> Result<()> {
        let key = self.client.site.key("clean up beside", path)?;
        self.client.abort(&Upload { path, key: &key, id }).await
    }
}

#[async_trait]
impl Provider for S3 {
    fn capabilities(&self) -> &Capabilities {
        let is_exclusive = self.client.traits.get().is_some_and(|traits| traits.create);
        &self.capabilities[usize::from(is_exclusive)]
    }

    fn display(&self) -> String {
        self.client.site.display()
    }

    async fn root(&self) -> Result<RootIdentity> {
        let site = &self.client.site;
        let display = site.display();
        let ask =
            Ask { action: "look at the root", subject: &display, prefix: &site.prefix, is_shallow: false, most: 1 };
        self.client.page(&ask, &page::Cursor::Start).await?;
        let ident = format!("s3:{}:{}/{}", site.host(), site.options.bucket, site.prefix);
        Ok(RootIdentity { ident, free_bytes: None, writable: Writable::Everywhere })
    }

    async fn list(&self, dirs: Vec<RelPath>) -> Vec<Listing> {
        let list = |dir: RelPath| async move { self.client.list(&dir).await };
        stream::iter(dirs).map(list).buffered(self.client.traffic.most()).collect().await
    }

    async fn stat(&self, paths: Vec<RelPath>) -> Vec<Result<Option<Node>>> {
        self.client.stat(&paths).await
    }

    async fn hash(&self, paths: Vec<RelPath>) -> Vec<Result<Hashed>> {
        let hash = |path: RelPath| async move { read::hash(&self.client, &path).await };
        stream::iter(paths).map(hash).buffered(HASHED_AT_ONCE).collect().await
    }

    /// An entity tag of 32 digits is an MD5 in most cases (Amazon S3 API Reference, "Object"); none of parts.
    async fn native_hashes(&self, files: Vec<(RelPath, Node)>) -> Vec<Option<NativeHash>> {
        files.iter().map(|(_, node)| NativeHash::parse("MD5", list::revision_of(node)?)).collect()
    }

    async fn read(&self, path: &RelPath, expect: Option<&Node>, offset: u64, length: Option<u64>) -> Result<Opened> {
        read::open(&self.client, path, expect, offset, length).await
    }

    async fn share(&self, path: &RelPath, valid: Duration) -> Result<SecretBytes> {
        Ok(self.client.presigned_get(path, valid)?.expose().into())
    }

    async fn make_dirs(&self, dirs: Vec<(RelPath, Metadata)>) -> Vec<Result<Node>> {
        let dirs: Vec<RelPath> = dirs.into_iter().map(|(path, _)| path).collect();
        moves::make_dirs(&self.client, &dirs).await
    }

    async fn stage(&self, items: Vec<Stage>) -> Vec<Result<Staged>> {
        let stage = |item: Stage| stage::stage(&self.client, &self.shelf, item);
        stream::iter(items).map(stage).buffered(STAGED_AT_ONCE).collect().await
    }

    /// What the server has acknowledged is durable.
    async fn flush(&self, _: Vec<RelPath>) -> Result<()> {
        Ok(())
    }

    async fn publish(&self, items: Vec<Publish>) -> Vec<Result<Node>> {
        let bin = Bin::new(&self.client);
        let (client, shelf, bin) = (&*self.client, &self.shelf, &bin);
        let publish = |item: Publish| async move { publish::publish(client, shelf, bin, &item).await };
        stream::iter(items).map(publish).buffered(client.traffic.most()).collect().await
    }

    async fn move_items(&self, items: Vec<Move>) -> Vec<Result<Node>> {
        moves::move_items(&self.client, items).await
    }

    async fn trash(&self, items: Vec<Trash>) -> Vec<Result<()>> {
        trash::trash(&self.client, items).await
    }

    /// There are no attributes that could be set without writing the object anew.
    async fn set_metadata(&self, items: Vec<(RelPath, Expect, Metadata)>) -> Vec<Result<Node>> {
        let action = "set the attributes of";
        let check = |(path, expect, _): (RelPath, Expect, Metadata)| async move {
            let seen = self.client.check(action, &path, &expect).await?;
            seen.ok_or_else(|| Error::new(Code::Stale, action, &path).because(list::GONE))
        };
        stream::iter(items).map(check).buffered(self.client.traffic.most()).collect().await
    }

    /// What this process does not know of was in the memory of another, or is the upload of a session, which knows its name.
    async fn discard_staged(&self, items: Vec<(RelPath, String)>) -> Result<()> {
        for (path, tag) in items {
            if let Some(Waiting::Parts(sent)) = self.shelf.take(&path, &tag) {
                self.end_upload(&path, &sent.upload).await?;
            }
        }
        Ok(())
    }

    async fn discard_session(&self, path: RelPath, tag: String, state: &[u8]) -> Result<()> {
        if let Some(upload) = stage::upload_of(state) {
            self.end_upload(&path, &upload).await?;
        }
        self.discard_staged(vec![(path, tag)]).await
    }

    async fn empty_trash(&self, older_than: Timestamp) -> Result<u64> {
        trash::empty(&self.client, older_than).await
    }

    async fn move_kept(&self, items: Vec<Move>) -> Vec<Result<Node>> {
        let shift = |item: Move| async move { moves::move_kept(&self.client, &item).await };
        stream::iter(items).map(shift).buffered(self.client.traffic.most()).collect().await
    }

    async fn remove_kept(&self, paths: Vec<RelPath>) -> Vec<Result<()>> {
        let remove = |path: RelPath| async move { moves::remove_kept(&self.client, &path).await };
        stream::iter(paths).map(remove).buffered(self.client.traffic.most()).collect().await
    }

    fn can_hold(&self, name: &Name) -> bool {
        key::can_hold(name)
    }
}
