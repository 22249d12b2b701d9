//! Reading files of a WebDAV server: one version, or nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::StreamExt as _;

use super::condition::{check, is_node, stale, strong_tag};
use super::server::Server;
use crate::delta::Expect;
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{Node, RelPath};
use crate::provider::web_etag::{Shown, is_version, token};
use crate::provider::web_get::Get;
use crate::provider::web_site::expected;
use crate::provider::{Hashed, Opened};

const READ: &str = "read";
/// A server reads a file of this size in one go; a larger one may be written to while it is sent.
const AT_ONCE: u64 = 16 << 10;

/// Opens a file.
pub(super) async fn open(
    server: &Arc<Server>,
    path: &RelPath,
    expect: Option<&Node>,
    offset: u64,
    length: Option<u64>,
) -> Result<Opened> {
    let expect = expected(path, expect, server.look_at(path)).await?;
    let is_long = expect.token.size > AT_ONCE;
    let (looking, agreeing) = (Arc::clone(server), Arc::clone(server));
    let (after, agreed) = ((path.clone(), expect.clone()), (path.clone(), expect.clone()));
    let get = Get {
        site: Arc::clone(&server.site),
        url: server.address.url(path, false),
        subject: path.to_string(),
        expect: Some(expect),
        agrees: Arc::new(move |shown| {
            let (server, (path, expect)) = (Arc::clone(&agreeing), agreed.clone());
            Box::pin(async move { agrees(&server, &path, &expect, &shown).await })
        }),
        after: is_long.then(|| {
            let after: crate::provider::web_get::After = Arc::new(move || {
                let (server, (path, expect)) = (Arc::clone(&looking), after.clone());
                Box::pin(async move { still(&server, &path, &expect).await })
            });
            after
        }),
    };
    get.open(offset, length).await
}

/// Whether the head of an answer is of the expected version. Where it seems not, the listing decides: it is what the
/// expectation was taken from. But not of bytes under the tag of another version, unless tags of what this server sends
/// are never those of its listings.
async fn agrees(server: &Server, path: &RelPath, expect: &Node, shown: &Shown) -> Result<()> {
    let size = shown.size.unwrap_or(expect.token.size);
    let now = token(size, shown.modified, shown.etag.as_ref(), expect.token.mtime.is_some());
    let is_telling = shown.is_telling() && (now.revision.is_some() || now.mtime.is_some());
    if is_telling && is_version(&expect.token, &now) {
        return Ok(());
    }
    if let (Some(wanted), Some(sent)) = (strong_tag(expect), &shown.etag)
        && !sent.is_weak
        && !server.tags_differ.load(Ordering::Relaxed)
    {
        let head = server.head(path).await?;
        if head.and_then(|head| head.etag).is_some_and(|head| head.opaque == wanted) {
            return Err(stale(READ, path, "the server sent another version"));
        }
        server.tags_differ.store(true, Ordering::Relaxed);
    }
    still(server, path, expect).await
}

/// Whether the expected version is still there.
async fn still(server: &Server, path: &RelPath, expect: &Node) -> Result<()> {
    match server.look_at(path).await? {
        Some(now) if is_node(expect, &now) => Ok(()),
        Some(_) => Err(stale(READ, path, "it has changed")),
        None => Err(stale(READ, path, "it is gone")),
    }
}

/// Reads a file for its hash; `before` is what was there.
pub(super) async fn hash(server: &Arc<Server>, path: &RelPath, before: Option<Node>) -> Result<Hashed> {
    let Some(node) = before else { return Err(Error::new(Code::NotFound, READ, path).because("it is not there")) };
    check(READ, path, &Expect::Any, Some(&node))?;
    let mut opened = open(server, path, Some(&node), 0, None).await?;
    let mut hasher = blake3::Hasher::new();
    while let Some(piece) = opened.bytes.next().await {
        hasher.update(&piece?);
    }
    Ok(Hashed { node, content: ContentHash(*hasher.finalize().as_bytes()) })
}
