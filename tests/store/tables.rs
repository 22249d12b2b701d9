//! What holds for every table that hosts write, on both engines. The rows are made from the declarations, so that a new
//! table is tested by being declared.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use portbook::model::{
    ColumnInfo, Deletion, FtpEndpoint, FtpProtocol, FtpsMode, Rule, Secret, TABLES, TableInfo, TenantId, User, UserId,
    ValueKind,
};
use portbook::table::{Filter, PageKey};
use portbook::vault::KeySource;
use portbook::{Code, Session};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::fixture::Book;

type Row = Map<String, Json>;

/// What a row needs beyond what its columns say: rules between columns.
fn particulars(table: &str) -> Json {
    match table {
        "storage_volumes" => json!({"path_delimiter": "/"}),
        "ftp_endpoints" => json!({"port": 2121, "protocol": "ftp", "ftps_mode": "explicit"}),
        "files" => json!({"digest": "5a".repeat(32), "version_no": 1}),
        "cloud_folders" => json!({"sync_frequency_minutes": 15}),
        "cloud_shared_links" => json!({
            "resource_type": "file", "file_id": "parent", "folder_id": null, "volume_file_id": null,
        }),
        "sync_definitions" => json!({"target_list_id": "parent", "target_table_id": null}),
        "field_mappings" => json!({"target_column_id": "parent", "target_table_column_id": null}),
        "introspection_runs" => json!({"status": "SUCCESS", "ended_at": "2026-01-02T03:04:05.000006Z"}),
        "sync_cursors" => json!({"cursor_scope": "SOURCE", "source_instance_id": "parent", "target_list_id": null}),
        _ => json!({}),
    }
}

/// The book with the key of its secrets.
pub(crate) fn keyed(book: &Book) -> portbook::BookOptions {
    portbook::BookOptions::store(book.store.clone()).key(KeySource::raw(vec![7; 32].into()).unwrap())
}

/// A session of a new tenant.
pub(crate) async fn session(book: &Arc<Book>) -> Session {
    let tenancy = book.tenancy().await;
    let opened = portbook::Book::open(keyed(book)).await.unwrap();
    opened.session(TenantId(tenancy.tenant.0), UserId::new(tenancy.user)).await.unwrap()
}

/// A value for a column, another for each `n`.
fn value(column: &ColumnInfo, n: usize) -> Json {
    if !column.words.is_empty() {
        return json!(column.words[n % column.words.len()]);
    }
    let most = column.rules.iter().find_map(|r| match r {
        Rule::MaxChars(most) => Some(*most),
        Rule::NotEmpty | Rule::Between(..) | Rule::NotNegative | Rule::Decimals(_) => None,
    });
    let least = column.rules.iter().find_map(|r| match r {
        Rule::Between(least, _) => Some(*least),
        Rule::NotEmpty | Rule::MaxChars(_) | Rule::NotNegative | Rule::Decimals(_) => None,
    });
    let least = least.unwrap_or(0);
    match column.kind {
        ValueKind::Flag => json!(false),
        ValueKind::Integer => json!(least + (n % 3) as i64),
        ValueKind::Number => json!(least as f64 + (n % 8) as f64 / 4.0),
        ValueKind::Text => {
            let text = format!("{n}-{}", column.name);
            json!(text.chars().take(most.unwrap_or(usize::MAX)).collect::<String>())
        }
        ValueKind::Json => json!({"n": n}),
        ValueKind::Bytes => json!(format!("{n:04x}")),
        ValueKind::Id => json!(Uuid::now_v7()),
        ValueKind::Time => json!(format!("2026-01-02T03:04:{:02}.000006Z", n % 60)),
        ValueKind::Secret => json!(format!("hush-{n}")),
    }
}

/// A row that can be made, its parents made first. Every column has a value.
pub(crate) fn sample<'a>(
    session: &'a Session,
    table: &'static TableInfo,
    n: usize,
) -> std::pin::Pin<Box<dyn Future<Output = Row> + 'a>> {
    Box::pin(async move {
        let Json::Object(given) = particulars(table.name) else { unreachable!("an object") };
        let mut row = Row::new();
        for column in table.columns {
            let value = match (given.get(column.name), column.references) {
                (Some(Json::String(parent)), Some(_)) if parent == "parent" => {
                    json!(make(session, info(column.references.unwrap())).await)
                }
                (Some(value), _) => value.clone(),
                (None, Some(parent)) if parent == table.name => Json::Null,
                (None, Some(parent)) => json!(make(session, info(parent)).await),
                (None, None) => value(column, n),
            };
            row.insert(column.name.to_owned(), value);
        }
        row
    })
}

fn info(table: &str) -> &'static TableInfo {
    TABLES.iter().find(|t| t.name == table).unwrap_or_else(|| panic!("{table} is declared"))
}

/// Makes a row that is equal to no other and gives its id.
async fn make(session: &Session, table: &'static TableInfo) -> Uuid {
    static NEXT: AtomicUsize = AtomicUsize::new(1000);
    let row = sample(session, table, NEXT.fetch_add(1, Ordering::Relaxed)).await;
    let made = session.table(table.name).unwrap().create(row).await;
    id(&made.unwrap_or_else(|e| panic!("{}: {e}", table.name)))
}

fn id(row: &Row) -> Uuid {
    row["id"].as_str().unwrap().parse().unwrap()
}

fn seen(row: &Row) -> String {
    row["updated_at"].as_str().unwrap().to_owned()
}

fn code<T: std::fmt::Debug>(answer: portbook::Result<T>) -> Code {
    answer.unwrap_err().code()
}

/// Columns that rows of one test may not differ in, or that the book sets.
fn is_changeable(table: &TableInfo, column: &ColumnInfo) -> bool {
    column.references.is_none()
        && particulars(table.name).get(column.name).is_none()
        && matches!(column.kind, ValueKind::Text | ValueKind::Time | ValueKind::Json)
        && column.words.is_empty()
}

pub(crate) async fn a_row_comes_back_as_it_was_made(book: Arc<Book>) {
    let session = session(&book).await;
    for table in TABLES {
        let rows = session.table(table.name).unwrap();
        let given = sample(&session, table, 5).await;
        let made = rows.create(given.clone()).await.unwrap_or_else(|e| panic!("{}: {e}", table.name));
        for (column, value) in &given {
            let is_secret = table.column(column).unwrap().kind == ValueKind::Secret;
            let shown = if is_secret { &json!(true) } else { value };
            assert_eq!(&made[column], shown, "{}.{column}", table.name);
            let revealed = rows.reveal(id(&made), column).await;
            if is_secret {
                assert_eq!(revealed.unwrap().unwrap().expose_text().unwrap(), value.as_str().unwrap());
            } else {
                assert_eq!(code(revealed), Code::Invalid);
            }
        }
        assert_eq!(rows.get(id(&made)).await.unwrap(), made, "{}", table.name);
        assert_eq!(made["is_deleted"], json!(false));
        assert_eq!(made.contains_key("index_id"), table.order != "id", "{}", table.name);
    }
}

pub(crate) async fn what_may_be_left_out_is(book: Arc<Book>) {
    let session = session(&book).await;
    for table in TABLES {
        let rows = session.table(table.name).unwrap();
        let mut given = sample(&session, table, 3).await;
        let fixed = particulars(table.name);
        for column in table.columns.iter().filter(|c| c.nullable && fixed.get(c.name).is_none()) {
            given.remove(column.name);
        }
        let made = rows.create(given).await.unwrap_or_else(|e| panic!("{}: {e}", table.name));
        assert_eq!(rows.get(id(&made)).await.unwrap(), made);
    }
}

pub(crate) async fn an_update_of_a_row_that_moved_on_is_stale(book: Arc<Book>) {
    let session = session(&book).await;
    for table in TABLES {
        let rows = session.table(table.name).unwrap();
        let made = rows.create(sample(&session, table, 1).await).await.unwrap();
        let Some(column) = table.columns.iter().find(|c| is_changeable(table, c)) else { continue };
        let change = |n| Row::from_iter([(column.name.to_owned(), value(column, n))]);
        let changed = rows.update(id(&made), &seen(&made), change(2)).await;
        let changed = changed.unwrap_or_else(|e| panic!("{}: {e}", table.name));
        assert_eq!(changed[column.name], value(column, 2));
        assert!(seen(&changed) > seen(&made), "{}", table.name);
        assert_eq!(code(rows.update(id(&made), &seen(&made), change(3)).await), Code::Stale, "{}", table.name);
        assert_eq!(rows.get(id(&made)).await.unwrap(), changed);
        assert_eq!(code(rows.update(Uuid::now_v7(), &seen(&made), change(3)).await), Code::NotFound);
    }
}

pub(crate) async fn a_secret_stays_in_its_row(book: Arc<Book>) {
    let session = session(&book).await;
    let endpoints = session.rows::<FtpEndpoint>();
    let row = FtpEndpoint {
        host: "files.example".into(),
        port: None,
        protocol: FtpProtocol::Sftp,
        ftps_mode: FtpsMode::None,
        username: None,
        password: Some(Secret::Plain("hush".into())),
        key_path: None,
        passphrase: None,
        host_key: None,
    };
    let made = endpoints.create(row.clone()).await.unwrap();
    // A row that is written back as it was read keeps its secret; one sealed elsewhere changes nothing.
    let other = endpoints.create(FtpEndpoint { password: Some(Secret::Plain("other".into())), ..row }).await.unwrap();
    let mut changed = made.clone();
    changed.row.host = "elsewhere.example".into();
    changed.row.password.clone_from(&other.row.password);
    let changed = endpoints.update(changed).await.unwrap();
    assert_eq!(changed.row.host, "elsewhere.example");
    assert_eq!(endpoints.reveal(made.id, "password").await.unwrap(), Some("hush".into()));
    assert_eq!(code(endpoints.create(other.row.clone()).await), Code::Invalid, "sealed for another row");
    let mut renewed = changed;
    renewed.row.password = Some(Secret::Plain("new".into()));
    renewed.row.passphrase = Some(Secret::Plain("open".into()));
    endpoints.update(renewed.clone()).await.unwrap();
    assert_eq!(endpoints.reveal(made.id, "password").await.unwrap(), Some("new".into()));
    assert_eq!(endpoints.reveal(made.id, "passphrase").await.unwrap(), Some("open".into()));
    assert_eq!(endpoints.reveal(other.id, "passphrase").await.unwrap(), None);
    // Without the key everything works but the secrets.
    let keyless = portbook::Book::open(portbook::BookOptions::store(book.store.clone())).await.unwrap();
    let users = session.rows::<User>().list(Filter::all(), None, 1).await.unwrap();
    let keyless = keyless.session(session.tenant(), users.rows[0].id).await.unwrap().rows::<FtpEndpoint>();
    assert_eq!(keyless.get(other.id).await.unwrap(), other);
    assert_eq!(code(keyless.reveal(other.id, "password").await), Code::WrongKey);
    assert_eq!(code(keyless.update(renewed).await), Code::WrongKey);
}

pub(crate) async fn secrets_of_every_table_move_to_a_new_data_key(book: Arc<Book>) {
    let session = session(&book).await;
    let mut kept = Vec::new();
    for table in TABLES.iter().filter(|t| t.columns.iter().any(|c| c.kind == ValueKind::Secret)) {
        let rows = session.table(table.name).unwrap();
        let given = sample(&session, table, 3).await;
        let made = rows.create(given.clone()).await.unwrap();
        kept.push((rows, id(&made), given));
    }
    let renewed = session.renew_data_key().await.unwrap();
    assert!(renewed >= kept.len() as u64, "{renewed}");
    for (rows, id, given) in &kept {
        for column in rows.info().columns.iter().filter(|c| c.kind == ValueKind::Secret) {
            let secret = rows.reveal(*id, column.name).await.unwrap().unwrap();
            assert_eq!(secret.expose_text().unwrap(), given[column.name].as_str().unwrap());
        }
    }
    assert_eq!(session.renew_data_key().await.unwrap(), renewed, "all of them, every time");
}

pub(crate) async fn a_deleted_row_is_gone_or_can_be_restored(book: Arc<Book>) {
    let session = session(&book).await;
    for table in TABLES {
        let rows = session.table(table.name).unwrap();
        let made = rows.create(sample(&session, table, 1).await).await.unwrap();
        let restorable = table.deletion != Deletion::Hard;
        rows.delete(id(&made)).await.unwrap_or_else(|e| panic!("{}: {e}", table.name));
        assert_eq!(code(rows.get(id(&made)).await), Code::NotFound, "{}", table.name);
        assert_eq!(code(rows.delete(id(&made)).await), Code::NotFound, "{}", table.name);
        assert_eq!(code(rows.update(id(&made), &seen(&made), Row::new()).await), Code::NotFound, "{}", table.name);
        let is_listed =
            async |filter: Filter| rows.list(filter, None, 1000).await.unwrap().0.iter().any(|r| r["id"] == made["id"]);
        assert!(!is_listed(Filter::all()).await, "{}", table.name);
        assert_eq!(is_listed(Filter::all().with_deleted()).await, restorable, "{}", table.name);
        if restorable {
            let restored = rows.restore(id(&made)).await.unwrap();
            assert_eq!(restored["id"], made["id"]);
            assert_eq!(code(rows.restore(id(&made)).await), Code::NotFound, "{}", table.name);
        } else {
            assert_eq!(code(rows.restore(id(&made)).await), Code::Unsupported, "{}", table.name);
        }
    }
}

pub(crate) async fn pages_go_through_a_list_once(book: Arc<Book>) {
    let session = session(&book).await;
    for table in TABLES {
        let rows = session.table(table.name).unwrap();
        let (before, _) = rows.list(Filter::all(), None, 1000).await.unwrap();
        let mut made = Vec::new();
        for n in 0..5 {
            made.push(id(&rows.create(sample(&session, table, n * 11 + 2).await).await.unwrap()));
        }
        let (mut found, mut after): (Vec<Uuid>, Option<PageKey>) = (Vec::new(), None);
        loop {
            let (page, next) = rows.list(Filter::all(), after.take(), 2).await.unwrap();
            assert!(page.len() <= 2);
            found.extend(page.iter().map(id));
            let Some(next) = next else { break };
            after = Some(next.to_string().parse().unwrap());
        }
        // Making the rows may have made others of the table: their parents' parents.
        assert!(found.len() >= before.len() + 5, "{}", table.name);
        let in_order: Vec<_> = found.iter().filter(|id| made.contains(id)).copied().collect();
        assert_eq!(in_order, made, "{}", table.name);
        let mut once = found.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), found.len(), "{}", table.name);
    }
}

pub(crate) async fn every_list_finds_its_rows(book: Arc<Book>) {
    let session = session(&book).await;
    for table in TABLES {
        let rows = session.table(table.name).unwrap();
        let made = rows.create(sample(&session, table, 4).await).await.unwrap();
        for list in table.lists {
            let equal: Row = list.by.iter().map(|c| ((*c).to_owned(), made[*c].clone())).collect();
            let (found, _) = rows
                .list(rows.equal(&equal).unwrap(), None, 1000)
                .await
                .unwrap_or_else(|e| panic!("{}: {e}", table.name));
            assert!(found.contains(&made), "{} by {:?}", table.name, list.by);
        }
        let unserved = table.columns.iter().find(|c| table.lists.iter().all(|l| l.by.first() != Some(&c.name)));
        if let Some(column) = unserved {
            let equal = Row::from_iter([(column.name.to_owned(), made[column.name].clone())]);
            assert_eq!(
                code(rows.list(rows.equal(&equal).unwrap(), None, 10).await),
                Code::Invalid,
                "{}.{}",
                table.name,
                column.name
            );
        }
    }
}

pub(crate) async fn values_that_break_a_rule_are_refused_by_name(book: Arc<Book>) {
    let session = session(&book).await;
    for table in TABLES {
        let rows = session.table(table.name).unwrap();
        let good = sample(&session, table, 1).await;
        let refused = async |column: &ColumnInfo, value: Json| {
            let row = Row::from_iter(good.clone().into_iter().chain([(column.name.to_owned(), value)]));
            let error = rows.create(row).await.expect_err(column.name);
            assert_eq!(error.code(), Code::Invalid, "{error}");
            assert!(error.to_string().contains(&format!("{}.{}", table.name, column.name)), "{error}");
            assert!(!error.to_string().contains("hush"), "{error}");
        };
        for column in table.columns {
            if !column.nullable {
                refused(column, Json::Null).await;
            }
            if !column.words.is_empty() {
                refused(column, json!("hush")).await;
            }
            for rule in column.rules {
                match rule {
                    Rule::MaxChars(most) => refused(column, json!("hush".repeat(most / 4 + 1))).await,
                    Rule::NotEmpty => refused(column, json!("")).await,
                    Rule::Between(_, high) => refused(column, json!(high + 1)).await,
                    Rule::NotNegative => refused(column, json!(-1)).await,
                    Rule::Decimals(_) => {}
                }
            }
            match column.kind {
                ValueKind::Text | ValueKind::Secret => refused(column, json!(["hush"])).await,
                ValueKind::Flag | ValueKind::Integer | ValueKind::Number | ValueKind::Id | ValueKind::Time => {
                    refused(column, json!("hush")).await;
                }
                ValueKind::Bytes => refused(column, json!("hush")).await,
                ValueKind::Json => {}
            }
        }
        let strange = Row::from_iter(good.clone().into_iter().chain([("no_such_column".to_owned(), json!(1))]));
        assert_eq!(code(rows.create(strange).await), Code::Invalid);
    }
}

pub(crate) async fn rows_of_another_tenant_are_not_there(book: Arc<Book>) {
    let (ours, theirs) = (session(&book).await, session(&book).await);
    for table in TABLES {
        let (our_rows, their_rows) = (ours.table(table.name).unwrap(), theirs.table(table.name).unwrap());
        let made = our_rows.create(sample(&ours, table, 1).await).await.unwrap();
        let id = id(&made);
        assert_eq!(code(their_rows.get(id).await), Code::NotFound, "{}", table.name);
        assert_eq!(code(their_rows.update(id, &seen(&made), Row::new()).await), Code::NotFound, "{}", table.name);
        assert_eq!(code(their_rows.delete(id).await), Code::NotFound, "{}", table.name);
        for column in table.columns.iter().filter(|c| c.kind == ValueKind::Secret) {
            assert_eq!(code(their_rows.reveal(id, column.name).await), Code::NotFound, "{}", table.name);
        }
        if table.deletion != Deletion::Hard {
            assert_eq!(code(their_rows.restore(id).await), Code::NotFound, "{}", table.name);
        }
        assert!(their_rows.list(Filter::all(), None, 1000).await.unwrap().0.iter().all(|r| r["id"] != made["id"]));
        for list in table.lists {
            let equal: Row = list.by.iter().map(|c| ((*c).to_owned(), made[*c].clone())).collect();
            let (found, _) = their_rows.list(their_rows.equal(&equal).unwrap(), None, 1000).await.unwrap();
            assert!(found.iter().all(|r| r["id"] != made["id"]), "{}", table.name);
        }
        // A reference to a row of ours is as one to a row that does not exist.
        for column in table.columns.iter().filter(|c| c.references.is_some() && !made[c.name].is_null()) {
            let mut row = sample(&theirs, table, 2).await;
            row.insert(column.name.to_owned(), made[column.name].clone());
            let foreign = their_rows.create(row.clone()).await.expect_err(column.name);
            row.insert(column.name.to_owned(), json!(Uuid::now_v7()));
            let missing = their_rows.create(row).await.expect_err(column.name);
            assert_eq!((foreign.code(), foreign.to_string()), (Code::NotFound, missing.to_string()), "{}", table.name);
        }
        assert_eq!(our_rows.get(id).await.unwrap(), made);
    }
}
