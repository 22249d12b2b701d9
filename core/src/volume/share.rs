//! Links that open a file of a volume to anybody who has them, and the rows that say which there are
//! (`cloud_shared_links`). Only places whose service makes such links have any (S3).
//!
//! The row is in the book, its URL sealed, before the link is handed out. No service can take a presigned link back: a
//! row that is revoked says that it shall not be used, and the link opens the file until it expires.

use std::time::Duration;

use super::{FileLink, FileRef, Inner, LinkId};
use crate::error::{Code, Error, Result};
use crate::model::{CloudSharedLink, Id, Moment, Secret, ShareType, SharedResource, Stored, Table as _, Value};
use crate::store::{Statement, Write};
use crate::table::{self, Filter};

/// Links of a file that are listed at most.
const PAGE: usize = 1000;

impl Inner {
    pub(super) async fn share(&self, file: &FileRef, valid: Duration) -> Result<FileLink> {
        let (file, _) = self.own(file).await?;
        if file.is_deleted {
            return Err(self.missing(file.id));
        }
        let path = self.content_path(&file)?;
        let begun = self.now();
        // Nobody is given a link to what is not there.
        self.content(&path, file.row.size.unsigned_abs()).await?;
        let url = self.place.share(&path, valid).await?;
        let lives = i64::try_from(valid.as_micros()).unwrap_or(i64::MAX);
        let link = CloudSharedLink {
            created_by_user_id: Id::new(self.user.0),
            resource_type: SharedResource::File,
            file_id: None,
            folder_id: None,
            provider_share_id: None,
            share_url: Secret::Plain(url.clone()),
            share_type: ShareType::Download,
            password_protected: false,
            expires_at: Some(Moment(begun.saturating_add(lives))),
            access_count: 0,
            last_accessed_at: None,
            is_active: true,
            volume_file_id: Some(file.id),
        };
        let made = self.book.tables(self.tenant).create(&CloudSharedLink::INFO, vec![table::columns(&link)]).await?;
        let row = made.first().and_then(|rows| rows.first());
        let row = row.ok_or_else(|| Error::new(Code::Internal, "keep the link to", file.id))?;
        Ok(FileLink { link: table::stored(row)?, url })
    }

    pub(super) async fn shared_links(&self, file: &FileRef) -> Result<Vec<Stored<CloudSharedLink>>> {
        let (file, _) = self.own(file).await?;
        let ended = "UPDATE cloud_shared_links SET is_active = FALSE, updated_at = ?3 WHERE tenant_id = ?1 \
             AND volume_file_id = ?2 AND is_active AND expires_at <= ?3";
        let params = vec![Value::Uuid(self.tenant.0), Value::Uuid(file.id.0), Value::Time(self.now())];
        self.book.store.write(self.tenant, vec![Write::Execute(Statement::new(ended, params))]).await?;
        let of_file = Filter::all().equal("volume_file_id", &file.id);
        let listed = self.book.tables(self.tenant).list(&CloudSharedLink::INFO, of_file, None, PAGE).await?;
        listed.rows.iter().take(listed.count).map(table::stored).collect()
    }

    pub(super) async fn revoke_link(&self, id: LinkId) -> Result<Stored<CloudSharedLink>> {
        let tables = self.book.tables(self.tenant);
        let none = || Error::new(Code::NotFound, "find the link", id).because("the volume has none of this id");
        let link = async || -> Result<Stored<CloudSharedLink>> {
            let rows = tables.get(&CloudSharedLink::INFO, id.0).await.map_err(|e| match e.code() {
                Code::NotFound => none(),
                _ => e,
            })?;
            table::stored(rows.first().ok_or_else(none)?)
        };
        let known = link().await?;
        let file = match known.row.volume_file_id {
            Some(file) => self.row_of(file).await?,
            None => None,
        };
        if file.and_then(|file| self.area_of(&file.row)).is_none() {
            return Err(none());
        }
        if known.row.is_active {
            let ended = vec![("is_active", Value::Bool(false))];
            tables.update(&CloudSharedLink::INFO, id.0, known.updated_at, ended).await?;
        }
        link().await
    }
}
