//! Finding, listing and reading files.

use std::time::Duration;

use super::path::{self, Area, address, on_place};
use super::rows::PAGE;
use super::{FileFilter, FilePage, FileRef, Inner};
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Namespace, Node, RelPath, Stored, StoredFile, Value};
use crate::provider::{Opened, is_reserved};
use uuid::Uuid;

/// How often a file is looked at again that is being replaced at this moment, and how long is waited between.
const LOOKS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);

impl Inner {
    /// Where the content of a file is.
    pub(super) fn content_path(&self, file: &Stored<StoredFile>) -> Result<RelPath> {
        let row = &file.row;
        match address(&row.storage_path, row.digest.as_deref()) {
            Some(address) => on_place(address),
            None if file.is_deleted => on_place(&path::kept(self.row.id, file.id)),
            None if row.version_of.is_some() => on_place(&row.storage_path),
            None => seen_path(file),
        }
    }

    /// A file that is not deleted and may be read.
    pub(super) async fn find(&self, file: &FileRef) -> Result<Stored<StoredFile>> {
        match file {
            FileRef::Id(id) => {
                let found = self.row_of(*id).await?.filter(|file| !file.is_deleted);
                found.filter(|f| f.row.is_public || self.area_of(&f.row).is_some()).ok_or_else(|| self.missing(id))
            }
            FileRef::Path(path) => self.at(&Area::User(self.user), path).await,
            FileRef::AppPath { app_id, path } => self.at(&Area::App(app_id.clone()), path).await,
        }
    }

    async fn at(&self, area: &Area, path: &str) -> Result<Stored<StoredFile>> {
        let shown: String = path.chars().take(80).collect();
        let found = self.live_at(&self.layout.place(area, path)?).await?;
        found.ok_or_else(|| self.missing(shown.escape_debug()))
    }

    /// A file that this user may change, deleted or not. One that is only meant is not there.
    pub(super) async fn own(&self, file: &FileRef) -> Result<(Stored<StoredFile>, Area)> {
        let (found, name) = match file {
            FileRef::Id(id) => {
                let meant = "id = ?3 AND NOT (deleted_at IS NOT NULL AND id IN (SELECT id FROM quota_reservation \
                     WHERE tenant_id = ?1 AND volume_id = ?2 AND substr(owner, 66, 4) = 'put '))";
                (self.files(meant, [Value::Uuid(id.0)]).await?.pop(), id.to_string())
            }
            FileRef::Path(_) | FileRef::AppPath { .. } => (Some(self.find(file).await?), String::new()),
        };
        let found = found.ok_or_else(|| self.missing(&name))?;
        let area = self.area_of(&found.row).ok_or_else(|| self.missing(&name))?;
        Ok((found, area))
    }

    pub(super) async fn get(&self, file: &FileRef, offset: u64, length: Option<u64>) -> Result<Opened> {
        let mut looks = LOOKS;
        loop {
            looks -= 1;
            let found = self.find(file).await?;
            let size = found.row.size.unsigned_abs();
            if offset > size {
                return Err(Error::new(Code::Invalid, "read the file", found.id)
                    .because(format_args!("it has {size} bytes, and is asked for from {offset}")));
            }
            let path = self.content_path(&found)?;
            match self.content(&path, size).await {
                // It is being replaced, or was moved out of sight, between the look at the book and at the place.
                Err(e) if e.code() == Code::Stale && looks > 0 => tokio::time::sleep(PAUSE).await,
                Err(e) => return Err(e),
                Ok(node) => {
                    return Ok(self.place.read(&path, Some(&node), offset, length).await?.paced(&self.pace));
                }
            }
        }
    }

    /// What is at the path of a content of this size.
    pub(super) async fn content(&self, path: &RelPath, size: u64) -> Result<Node> {
        let wrong =
            |why| Err(Error::new(Code::Stale, "read", path).because(why).advise("it was changed beneath the volume"));
        match self.look(path).await? {
            None => wrong("it is gone"),
            Some(node) if node.kind != Kind::File => wrong("it is no file any more"),
            Some(node) if node.token.size != size => wrong("it has another size than it was put with"),
            Some(node) => Ok(node),
        }
    }

    pub(super) async fn look(&self, path: &RelPath) -> Result<Option<Node>> {
        let lost = || Error::new(Code::Internal, "look at", path);
        self.place.stat(vec![path.clone()]).await.pop().ok_or_else(lost)?
    }

    pub(super) async fn list(&self, filter: &FileFilter, after: Option<String>, limit: usize) -> Result<FilePage> {
        let area = match &filter.app_id {
            None => self.area(Namespace::Users, None)?,
            app => self.area(Namespace::Apps, app.as_ref())?,
        };
        let (limit, begin) = (limit.clamp(1, PAGE), self.layout.begin(&area, &filter.prefix)?);
        if begin.contains('\0') {
            return Ok(FilePage { files: Vec::new(), next: None });
        }
        let mut rest = "deleted_at IS NULL AND storage_path >= ?3".to_owned();
        let mut params = vec![Value::Text(begin.clone())];
        if let Some(end) = after_all(&begin) {
            params.push(Value::Text(end));
            rest.push_str(&format!(" AND storage_path < ?{}", params.len() + 2));
        }
        if let Some(after) = after {
            params.push(Value::Text(after));
            rest.push_str(&format!(" AND storage_path > ?{}", params.len() + 2));
        }
        params.push(Value::Int(limit as i64 + 1));
        rest.push_str(&format!(" ORDER BY storage_path LIMIT ?{}", params.len() + 2));
        let files = self.files(&rest, params).await?;
        Ok(page(files, limit, |file| file.row.storage_path.clone()))
    }

    pub(super) async fn list_deleted(&self, after: Option<String>, limit: usize) -> Result<FilePage> {
        let limit = limit.clamp(1, PAGE);
        let after = after.map_or(Ok(Uuid::nil()), |after| {
            let wrong =
                |_| Error::new(Code::Invalid, "go on with a list", "").because("this is not where a page ended");
            Uuid::try_parse(&after).map_err(wrong)
        })?;
        let rest = "deleted_at IS NOT NULL AND id > ?3 AND (user_id = ?4 OR namespace = 'apps') AND id NOT IN \
             (SELECT id FROM quota_reservation WHERE tenant_id = ?1 AND volume_id = ?2 AND substr(owner, 66, 4) = 'put ') \
             ORDER BY id LIMIT ?5";
        let params = [Value::Uuid(after), Value::Uuid(self.user.0), Value::Int(limit as i64 + 1)];
        Ok(page(self.files(rest, params).await?, limit, |file| file.id.to_string()))
    }
}

/// Where a file is while it is not deleted. A row that a host wrote by itself leads neither out of the place nor to what is
/// kept for another.
pub(super) fn seen_path(file: &Stored<StoredFile>) -> Result<RelPath> {
    let path = on_place(&file.row.storage_path)?;
    if path.components().any(is_reserved) {
        return Err(Error::new(Code::Corrupt, "find the file", file.id).because("its path is a reserved one"));
    }
    Ok(path)
}

fn page(mut files: Vec<Stored<StoredFile>>, limit: usize, key: impl Fn(&Stored<StoredFile>) -> String) -> FilePage {
    let more = files.len() > limit;
    files.truncate(limit);
    let next = files.last().filter(|_| more).map(key);
    FilePage { files, next }
}

/// The first text, in the order of bytes, after all that begin like this.
fn after_all(begin: &str) -> Option<String> {
    let mut chars: Vec<char> = begin.chars().collect();
    while let Some(last) = chars.pop() {
        // The numbers of surrogates are no characters.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(last as u32 + 1) };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}
