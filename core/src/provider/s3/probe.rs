//! What a server honours is found out with an object of our own: some ignore conditions without a word and overwrite.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use reqwest::Method;
use tokio::sync::OnceCell;

use super::options::Site;
use super::page::Ask;
use super::request::{Answer, Body, Client, Request};
use super::sign::hex;
use crate::error::{Code, Error, Result};
use crate::provider::TEMP_PREFIX;
use crate::provider::traffic::Repeat;
use crate::provider::xml;

/// What a server honours for this bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traits {
    /// `If-None-Match: *` on PUT.
    pub(super) create: bool,
    /// `If-Match` on PUT.
    pub(super) replace: bool,
    /// `If-Match` on DELETE.
    pub(super) delete: bool,
    /// The ETag of an object that was put as a whole is its MD5.
    pub(super) md5: bool,
    /// An object can be named `dir/`, beside everything that is in the directory.
    pub(super) markers: bool,
}

const PROBE: &str = "find out what the server can do with";
/// An ETag that nothing of ours has.
const NO_ETAG: &str = "\"00000000000000000000000000000000\"";
const CONTENT: &str = "portbook";
const REFUSED: &[u16] = &[304, 400, 404, 405, 409, 412, 501];

/// What is known of a bucket, shared by everything in this process that speaks with it.
pub(super) fn known(site: &Site) -> Arc<OnceCell<Traits>> {
    static KNOWN: LazyLock<Mutex<HashMap<String, Weak<OnceCell<Traits>>>>> = LazyLock::new(Mutex::default);
    let name = format!("{}/{}", site.account(), site.options.bucket);
    let mut all = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = all.get(&name).and_then(Weak::upgrade) {
        return known;
    }
    all.retain(|_, cell| cell.strong_count() > 0);
    let new = Arc::new(OnceCell::new());
    all.insert(name, Arc::downgrade(&new));
    new
}

impl Client {
    /// What the server honours; it is tried when it is asked for first.
    pub(super) async fn traits(&self) -> Result<Traits> {
        self.traits.get_or_try_init(|| self.probe()).await.copied()
    }

    async fn probe(&self) -> Result<Traits> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|e| Error::new(Code::Internal, PROBE, self.site.display()).because(e))?;
        let temp = String::from_utf8_lossy(TEMP_PREFIX);
        let key = format!("{}{temp}probe-{}", self.site.prefix, hex(&random));
        let dir = format!("{key}-dir");
        let marker = format!("{dir}/");
        let traits = self.probe_conditions(&key).await;
        let markers = self.probe_markers(&dir, &marker).await;
        // Whatever was found out, nothing stays. Where the two are one, the second may be gone already.
        let (mut removed, mut keeps_versions) = (Ok(()), false);
        for key in [&key, &marker, &dir] {
            let delete = self.scratch(Method::DELETE, key).accepts(&[404]);
            removed = removed.and(self.send(Repeat::Safe, &delete).await.map(|answer| {
                keeps_versions |= answer.headers.contains_key("x-amz-version-id");
            }));
        }
        if keeps_versions {
            // Whoever may not remove versions leaves some of a few bytes.
            let _ = self.forget(&key).await;
        }
        let traits = Traits { markers: markers?, ..traits? };
        removed?;
        Ok(traits)
    }

    /// Removes all versions of what has a key of this prefix, and what says that it was deleted.
    async fn forget(&self, prefix: &str) -> Result<()> {
        let ask =
            Request::new(PROBE, self.site.display(), Method::GET, None).query("versions", "").query("prefix", prefix);
        // Not every server calls it `ListVersionsResult`.
        let versions =
            xml::parse(&self.send(Repeat::Safe, &ask).await?.body).map_err(|e| ask.error(Code::Storage, e))?;
        for version in versions.all("Version").chain(versions.all("DeleteMarker")) {
            let (Some(key), Some(id)) = (version.text_of("Key"), version.text_of("VersionId")) else { continue };
            if key.starts_with(prefix) {
                let delete = self.scratch(Method::DELETE, key).query("versionId", id).accepts(&[404]);
                self.send(Repeat::Safe, &delete).await?;
            }
        }
        Ok(())
    }

    async fn probe_markers(&self, dir: &str, marker: &str) -> Result<bool> {
        let put = self.write(marker, &Body::new(""));
        let answer = self.send(Repeat::Safe, &put).await?;
        let subject = self.site.display();
        let ask = Ask { action: PROBE, subject: &subject, prefix: dir, is_shallow: false, most: 2 };
        let shown = self.all(&ask).await?.objects;
        Ok(is_done(&answer) && shown.len() == 1 && shown.iter().all(|object| object.key == marker))
    }

    fn scratch<'k>(&self, method: Method, key: &'k str) -> Request<'k> {
        Request::new(PROBE, self.site.display(), method, Some(key)).accepts(REFUSED)
    }

    fn write<'k>(&self, key: &'k str, body: &Body) -> Request<'k> {
        self.scratch(Method::PUT, key).body(body.clone())
    }

    async fn probe_conditions(&self, key: &str) -> Result<Traits> {
        let body = Body::new(CONTENT);
        let ask = async |request: Request<'_>| self.send(Repeat::Safe, &request).await;
        let refuses = |answer: &Answer| matches!(answer.status, 304 | 412);
        let quoted = |etag: &str| format!("\"{etag}\"");
        let plain = self.write(key, &body).accepts(&[]);
        let etag = ask(plain).await?.revision().unwrap_or_default();
        let again = ask(self.write(key, &body).header("if-none-match", "*")).await?;
        let other = ask(self.write(key, &body).header("if-match", NO_ETAG)).await?;
        let own = ask(self.write(key, &body).header("if-match", quoted(&etag))).await?;
        let delete = ask(self.scratch(Method::DELETE, key).header("if-match", NO_ETAG)).await?;
        let mut can_delete = refuses(&delete);
        if can_delete {
            let delete = self.scratch(Method::DELETE, key).header("if-match", quoted(&etag));
            can_delete = is_done(&ask(delete).await?);
        }
        Ok(Traits {
            create: refuses(&again),
            replace: refuses(&other) && is_done(&own),
            delete: can_delete,
            md5: etag == body.etag(),
            markers: false,
        })
    }
}

fn is_done(answer: &Answer) -> bool {
    (200..300).contains(&answer.status)
}
