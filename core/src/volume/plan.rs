//! What a put is to do: checked before anything is promised.

use std::sync::Arc;

use super::feed::Watched;
use super::path::{Area, on_place};
use super::quota::holders;
use super::{Content, FileId, Inner, NewFile, new_id};
use crate::error::{Code, Error, Result};
use crate::model::{AutoPathStrategy, Json, Name, RelPath, StoredFile};
use crate::provider::{Feed, InMemory, Pace, RESERVED_DIR};

/// The most bytes of one file: numbers at the border are below 2^53.
const MOST_BYTES: u64 = 1 << 53;

/// The most bytes of a file's name.
const MOST_NAME: usize = 1024;

/// What is to be done, checked.
pub(super) struct Plan {
    pub(super) id: FileId,
    /// The row as it will be, but for what only its bytes tell.
    pub(super) row: StoredFile,
    pub(super) area: Area,
    /// Where the content goes.
    pub(super) target: RelPath,
    pub(super) feed: Arc<Watched>,
    /// Known before a byte is written only where the path is made of it.
    pub(super) digest: Option<[u8; 32]>,
}

impl Plan {
    pub(super) fn tag(&self) -> String {
        tag(self.id)
    }
}

/// Names the temporary file of a put, and what it archives.
pub(super) fn tag(id: FileId) -> String {
    format!("put-{}", id.0.simple())
}

/// Where the place's trash has what a put replaced.
pub(super) fn archived(id: FileId, target: &RelPath) -> Result<RelPath> {
    let trash = [RESERVED_DIR, b"/trash/", tag(id).as_bytes(), b"/", target.as_bytes()].concat();
    RelPath::parse(&trash).ok_or_else(|| Error::new(Code::Internal, "find in the trash", target))
}

impl Inner {
    pub(super) async fn plan(&self, file: NewFile) -> Result<Plan> {
        let NewFile { path, filename, namespace, app_id, metadata, is_public, content } = file;
        let area = self.area(namespace, app_id.as_ref())?;
        let metadata = checked(&filename, app_id.as_deref(), metadata)?;
        let feed = watched(content, &filename, &self.pace)?;
        let mut row = StoredFile {
            volume_id: self.row.id,
            user_id: area.user(),
            app_id,
            namespace: area.namespace(),
            filename,
            storage_path: String::new(),
            mime_type: None,
            size: feed.size() as i64,
            digest: None,
            version_of: None,
            version_no: 1,
            metadata,
            is_public,
        };
        let id = new_id();
        let digest = self.find_path(id, &area, path, &feed, &mut row).await?;
        let target = on_place(&row.storage_path)?;
        if !target.components().all(|name| Name::new(name).is_some_and(|name| self.place.can_hold(&name))) {
            let why = "the place cannot hold a name of its path: it is too long, or not allowed there";
            return Err(invalid(&row.filename, why));
        }
        Ok(Plan { id, row, area, target, feed, digest })
    }

    /// Gives the row its storage path; answers with the digest of the content where that is made of it.
    async fn find_path(
        &self,
        id: FileId,
        area: &Area,
        path: Option<String>,
        feed: &Arc<Watched>,
        row: &mut StoredFile,
    ) -> Result<Option<[u8; 32]>> {
        row.storage_path = match (path, self.row.row.auto_path_strategy) {
            (Some(_), AutoPathStrategy::Hash) => {
                let why = "the paths of this volume are made of the content; leave it out";
                return Err(invalid(&row.filename, why));
            }
            (Some(path), AutoPathStrategy::None | AutoPathStrategy::Uuid) => self.layout.place(area, &path)?,
            (None, AutoPathStrategy::None) => return Err(invalid(&row.filename, "this volume wants a path")),
            (None, AutoPathStrategy::Uuid) => self.layout.place_of_id(area, id.0)?,
            (None, AutoPathStrategy::Hash) => {
                // Nothing is read for which there is no room.
                let (user, app) = holders(area, row.app_id.as_ref());
                self.check_room(row.size, user, app).await?;
                let content = feed.content().await?;
                row.storage_path = self.layout.place_of_content(area, &content)?;
                row.digest = Some(content.0.into());
                return Ok(Some(content.0));
            }
        };
        Ok(None)
    }
}

fn watched(content: Content, filename: &str, pace: &Pace) -> Result<Arc<Watched>> {
    let feed: Arc<dyn Feed> = match content {
        Content::Bytes(bytes) => Arc::new(InMemory(bytes)),
        Content::Feed(feed) => feed,
    };
    let size = feed.size();
    if size >= MOST_BYTES {
        return Err(invalid(filename, "how many bytes it has is not known, or they are too many"));
    }
    Ok(Arc::new(Watched::new(feed, size, filename, pace.clone())))
}

/// Checks what a host says of a file.
fn checked(filename: &str, app: Option<&str>, metadata: Json) -> Result<Json> {
    if filename.is_empty() || filename.len() > MOST_NAME || filename.contains('\0') {
        return Err(invalid(filename, "a name has 1 to 1,024 bytes, none of them 0"));
    }
    if app.is_some_and(|app| app.is_empty() || app.chars().count() > 100 || app.contains('\0')) {
        return Err(invalid(filename, "an app has 1 to 100 characters, none of them 0"));
    }
    match metadata.0 {
        serde_json::Value::Null => Ok(Json(serde_json::json!({}))),
        // PostgreSQL holds no text with the character 0, in JSON either.
        serde_json::Value::Object(_) if !metadata.0.to_string().contains("\\u0000") => Ok(metadata),
        _ => Err(invalid(filename, "its metadata is no JSON object, or has the character 0 in it")),
    }
}

fn invalid(filename: &str, why: &'static str) -> Error {
    let shown: String = filename.chars().take(80).collect();
    Error::new(Code::Invalid, "put the file", shown.escape_debug()).because(why)
}
