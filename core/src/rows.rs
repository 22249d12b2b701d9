//! The rows of one table, as a session sees them: typed, or as JSON for hosts that name tables at run time.

use std::marker::PhantomData;
use std::sync::Arc;

use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::book::BookInner;
use crate::error::Result;
use crate::model::{Id, Moment, SecretBytes, Stored, Table, TableInfo};
use crate::table::{self, Filter, Listed, Page, PageKey, Tables, gone, json, only};

/// The rows of one table for one tenant; see [`Session::rows`](crate::Session::rows). Rows of other tenants are as if
/// they were not there.
pub struct Rows<T> {
    book: Arc<BookInner>,
    tables: Tables,
    table: PhantomData<fn() -> T>,
}

impl<T: Table> Rows<T> {
    const INFO: &'static TableInfo = &T::INFO;

    pub(crate) fn new(book: Arc<BookInner>, tables: Tables) -> Self {
        Self { book, tables, table: PhantomData }
    }

    /// Makes a row.
    ///
    /// # Errors
    /// `invalid` when a value breaks a rule of its column; `not_found` when it names a row that is not there; `conflict`
    /// when it repeats what has to be unique.
    pub async fn create(&self, row: T) -> Result<Stored<T>> {
        let made = self.create_all(vec![row]).await?;
        made.into_iter().next().ok_or_else(|| gone(T::NAME))
    }

    /// Makes many rows, all or none, in this order.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub async fn create_all(&self, rows: Vec<T>) -> Result<Vec<Stored<T>>> {
        let tables = self.tables.clone();
        self.book.run(async move { tables.make_all(&rows).await }).await
    }

    /// The row of that id.
    ///
    /// # Errors
    /// `not_found` when there is none, or it is deleted.
    pub async fn get(&self, id: Id<T>) -> Result<Stored<T>> {
        let tables = self.tables.clone();
        self.book.run(async move { tables.read(id).await }).await
    }

    /// The secret in a column of a row; none where the column is empty. Rows themselves hold secrets only sealed.
    ///
    /// ```
    /// use portbook::model::{FtpEndpoint, FtpProtocol, FtpsMode, Secret};
    /// use portbook::vault::KeySource;
    /// use portbook::{Book, BookOptions};
    ///
    /// # fn main() -> portbook::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let options = BookOptions::sqlite(dir.path().join("book.db"));
    /// let book = portbook::wait(Book::open(options.key(KeySource::raw(vec![7; 32].into())?)))?;
    /// let endpoints = portbook::wait(book.default_session())?.rows::<FtpEndpoint>();
    /// # let row = FtpEndpoint {
    /// #     host: "files.example".into(), port: None, protocol: FtpProtocol::Sftp, ftps_mode: FtpsMode::None,
    /// #     username: Some("ann".into()), password: Some(Secret::Plain("hush".into())), key_path: None, passphrase: None,
    /// #     host_key: None,
    /// # };
    /// let made = portbook::wait(endpoints.create(row))?;
    /// assert!(matches!(made.row.password, Some(Secret::Sealed(_))));
    /// let password = portbook::wait(endpoints.reveal(made.id, "password"))?;
    /// assert_eq!(password, Some("hush".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `wrong_key` when the book was opened without its key; `invalid` when the column holds no secrets; `not_found`.
    pub async fn reveal(&self, id: Id<T>, column: &'static str) -> Result<Option<SecretBytes>> {
        let tables = self.tables.clone();
        self.book.run(async move { tables.reveal(Self::INFO, id.0, column).await }).await
    }

    /// A page of the rows that the filter names, after the page that ended there; 1,000 rows at most.
    ///
    /// # Errors
    /// `invalid` when no index serves the filter, or `after` is of another list.
    pub async fn list(&self, filter: Filter, after: Option<PageKey>, limit: usize) -> Result<Page<T>> {
        let tables = self.tables.clone();
        let list = async move {
            let Listed { rows, count, next } = tables.list(Self::INFO, filter, after.as_ref(), limit).await?;
            Ok(Page { rows: rows.iter().take(count).map(table::stored).collect::<Result<_>>()?, next })
        };
        self.book.run(list).await
    }

    /// Writes a row back, unless it was changed since it was read.
    ///
    /// # Errors
    /// `stale` when it was; `not_found` when it is gone or deleted, else as [`create`](Self::create).
    pub async fn update(&self, row: Stored<T>) -> Result<Stored<T>> {
        let tables = self.tables.clone();
        self.book.run(async move { tables.write_back(&row).await }).await
    }

    /// Deletes a row. Where the table keeps deleted rows it is marked, and [`restore`](Self::restore) takes that back.
    ///
    /// # Errors
    /// `not_found` when there is none, or it is deleted already; `conflict` while other rows refer to it.
    pub async fn delete(&self, id: Id<T>) -> Result<()> {
        let tables = self.tables.clone();
        self.book.run(async move { tables.remove(Self::INFO, id.0).await }).await
    }

    /// Takes a deletion back.
    ///
    /// # Errors
    /// `unsupported` where deleted rows are gone; `not_found` when there is no deleted row of that id; `conflict` when
    /// another row has taken its place.
    pub async fn restore(&self, id: Id<T>) -> Result<Stored<T>> {
        let tables = self.tables.clone();
        self.book.run(async move { table::stored(only(&tables.restore(Self::INFO, id.0).await?, T::NAME)?) }).await
    }
}

/// The rows of one table as JSON objects; see [`Session::table`](crate::Session::table). Ids and times are text, bytes
/// hexadecimal. A field that is no column is refused. A secret is given as text, and read back as `true`: that there is
/// one.
pub struct JsonRows {
    book: Arc<BookInner>,
    tables: Tables,
    info: &'static TableInfo,
}

impl JsonRows {
    pub(crate) fn new(book: Arc<BookInner>, tables: Tables, info: &'static TableInfo) -> Self {
        Self { book, tables, info }
    }

    /// What the table is.
    #[must_use]
    pub fn info(&self) -> &'static TableInfo {
        self.info
    }

    /// Makes a row of the fields given; the others get their defaults.
    ///
    /// # Errors
    /// As [`Rows::create`].
    pub async fn create(&self, row: Map<String, Json>) -> Result<Map<String, Json>> {
        let (tables, info) = (self.tables.clone(), self.info);
        let create = async move {
            let made = tables.create(info, vec![json::columns_of(info, &row)?]).await?;
            json::row_of(info, only(made.first().ok_or_else(|| gone(info.name))?, info.name)?)
        };
        self.book.run(create).await
    }

    /// The row of that id.
    ///
    /// # Errors
    /// As [`Rows::get`].
    pub async fn get(&self, id: Uuid) -> Result<Map<String, Json>> {
        let (tables, info) = (self.tables.clone(), self.info);
        self.book.run(async move { json::row_of(info, only(&tables.get(info, id).await?, info.name)?) }).await
    }

    /// The secret in a column of a row, as [`Rows::reveal`].
    ///
    /// # Errors
    /// As [`Rows::reveal`].
    pub async fn reveal(&self, id: Uuid, column: &str) -> Result<Option<SecretBytes>> {
        let (tables, info, column) = (self.tables.clone(), self.info, column.to_owned());
        self.book.run(async move { tables.reveal(info, id, &column).await }).await
    }

    /// Only rows whose columns hold these values; `null` is nothing.
    ///
    /// # Errors
    /// `invalid` when a field is no column, or its value not of the column's kind.
    pub fn equal(&self, columns: &Map<String, Json>) -> Result<Filter> {
        let columns = json::columns_of(self.info, columns)?.into_iter();
        Ok(columns.fold(Filter::all(), |filter, (column, value)| filter.equal_value(column, value)))
    }

    /// A page of the rows that the filter names, and what to give for the next one.
    ///
    /// # Errors
    /// As [`Rows::list`].
    pub async fn list(
        &self,
        filter: Filter,
        after: Option<PageKey>,
        limit: usize,
    ) -> Result<(Vec<Map<String, Json>>, Option<PageKey>)> {
        let (tables, info) = (self.tables.clone(), self.info);
        let list = async move {
            let Listed { rows, count, next } = tables.list(info, filter, after.as_ref(), limit).await?;
            Ok((rows.iter().take(count).map(|row| json::row_of(info, row)).collect::<Result<_>>()?, next))
        };
        self.book.run(list).await
    }

    /// Changes the fields given of the row that was read with this `updated_at`.
    ///
    /// # Errors
    /// As [`Rows::update`].
    pub async fn update(&self, id: Uuid, updated_at: &str, fields: Map<String, Json>) -> Result<Map<String, Json>> {
        let (tables, info) = (self.tables.clone(), self.info);
        let seen = json::micros_of("updated_at", updated_at)?;
        let update = async move {
            tables.update(info, id, Moment(seen), json::columns_of(info, &fields)?).await?;
            json::row_of(info, only(&tables.get(info, id).await?, info.name)?)
        };
        self.book.run(update).await
    }

    /// Deletes a row, or marks it.
    ///
    /// # Errors
    /// As [`Rows::delete`].
    pub async fn delete(&self, id: Uuid) -> Result<()> {
        let (tables, info) = (self.tables.clone(), self.info);
        self.book.run(async move { tables.remove(info, id).await }).await
    }

    /// Takes a deletion back.
    ///
    /// # Errors
    /// As [`Rows::restore`].
    pub async fn restore(&self, id: Uuid) -> Result<Map<String, Json>> {
        let (tables, info) = (self.tables.clone(), self.info);
        self.book.run(async move { json::row_of(info, only(&tables.restore(info, id).await?, info.name)?) }).await
    }
}
