//! What tables look like.

use std::sync::Arc;

use portbook::Code;
use portbook::endpoint::{NewTable, TableName};
use portbook::model::{ConstraintType, DatumKind, DbType, TableType};

use crate::fixture::{At, Flavour, Store, integer, names, new_column, text, words};

pub(crate) async fn the_endpoint_answers(store: Arc<Store>) {
    let probe = store.endpoint.probe().await.unwrap();
    let product = match &store.at {
        At::File(_) => "SQLite 3",
        At::Postgres(_) => "PostgreSQL 1",
        At::MySql(Flavour::MariaDb, _) => "MariaDB 1",
        At::MySql(Flavour::MySql, _) => "MySQL ",
    };
    assert!(probe.product.starts_with(product), "{}", probe.product);
    assert!(probe.clock.seconds > 1_700_000_000);
    assert_eq!(store.endpoint.tables().await.unwrap(), []);
}

pub(crate) async fn a_table_that_is_not_there_is_not_found(store: Arc<Store>) {
    let table = TableName::new("", "nowhere");
    assert_eq!(store.endpoint.describe(&table).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(store.endpoint.count(&table).await.unwrap_err().code(), Code::NotFound);
}

pub(crate) async fn a_made_table_looks_as_it_was_asked_for(store: Arc<Store>) {
    use DatumKind as K;
    let kinds = [
        K::Integer,
        K::Boolean,
        K::Decimal,
        K::Float,
        K::Text,
        K::Bytes,
        K::Uuid,
        K::Date,
        K::Time,
        K::Timestamp,
        K::Instant,
        K::Json,
    ];
    // MySQL has no type of its own for these.
    let has = |kind| store.product != DbType::MySql || !matches!(kind, K::Boolean | K::Uuid);
    let kinds: Vec<_> = kinds.into_iter().filter(|kind| has(*kind)).collect();
    let mut columns: Vec<_> = kinds.iter().map(|kind| new_column(&format!("c_{kind}"), *kind)).collect();
    columns.push(new_column("id", K::Integer));
    columns[0].is_indexed = true;
    let mut marker = new_column("marker", K::Text);
    (marker.is_unique, marker.like.max_length) = (true, Some(64));
    columns.push(marker);
    let table =
        NewTable { name: TableName::new("", "made"), description: "it's made".into(), columns, key: names(&["id"]) };
    let made = store.endpoint.create(table.clone()).await.unwrap();
    assert_eq!(store.endpoint.describe(&table.name).await.unwrap(), made);
    assert_eq!((made.table_type, made.primary_key()), (TableType::Base, &names(&["id"])[..]));
    for kind in kinds {
        let column = made.column(&format!("c_{kind}")).unwrap();
        assert_eq!((column.kind, column.is_nullable, column.is_computed), (Some(kind), true, false), "{column:?}");
    }
    assert_eq!(made.column("c_decimal").unwrap().digits, Some((38, 10)));
    assert_eq!(made.column("marker").unwrap().max_length, Some(64));
    assert!(!made.column("id").unwrap().is_nullable);
    let unique =
        |column: &str| made.indexes.iter().any(|index| index.is_unique && index.is_plain && index.columns == [column]);
    assert!(unique("marker") && !unique("c_integer"));
    assert!(made.indexes.iter().any(|index| index.columns == ["c_integer"]));
    assert_eq!(store.endpoint.create(table).await.unwrap_err().code(), Code::Conflict);
    let listed = store.endpoint.tables().await.unwrap();
    assert_eq!(listed.iter().map(|entry| entry.name.name.as_str()).collect::<Vec<_>>(), ["made"]);
}

pub(crate) async fn keys_references_and_indexes_are_described(store: Arc<Store>) {
    store
        .run(
            "CREATE TABLE parent (a INTEGER NOT NULL, b INTEGER NOT NULL, PRIMARY KEY (b, a));
             CREATE TABLE child (id INTEGER PRIMARY KEY, pa INTEGER, pb INTEGER, n VARCHAR(9) NOT NULL DEFAULT 'x',
                 UNIQUE (n, pa), FOREIGN KEY (pb, pa) REFERENCES parent (b, a));
             CREATE INDEX child_n ON child (n);
             CREATE VIEW seen AS SELECT n FROM child;",
        )
        .await;
    let parent = store.endpoint.describe(&TableName::new("", "parent")).await.unwrap();
    assert_eq!(parent.primary_key(), names(&["b", "a"]), "in the order of the key");
    let child = store.endpoint.describe(&TableName::new("", "child")).await.unwrap();
    let of = |constraint_type| child.constraints.iter().find(move |c| c.constraint_type == constraint_type).unwrap();
    assert_eq!(of(ConstraintType::Unique).columns, names(&["n", "pa"]));
    assert_eq!(of(ConstraintType::ForeignKey).columns, names(&["pb", "pa"]));
    assert_eq!(of(ConstraintType::ForeignKey).referenced_table.as_ref().unwrap().name, "parent");
    assert!(child.indexes.iter().any(|index| index.name == "child_n" && !index.is_unique && index.is_plain));
    let column = child.column("n").unwrap();
    assert_eq!((column.max_length, column.is_nullable), (Some(9), false));
    assert!(column.default_value.as_deref().is_some_and(|default| default.contains('x')));
    let view = store.endpoint.describe(&TableName::new("", "seen")).await.unwrap();
    assert_eq!((view.table_type, view.columns[0].kind), (TableType::View, Some(DatumKind::Text)));
}

pub(crate) async fn odd_names_are_names(store: Arc<Store>) {
    let odd = ["sel\"ect `from` [x]", "two words; --", "größe 名前", "'quoted'"];
    for name in odd {
        let mut columns = vec![new_column("id", DatumKind::Integer)];
        columns.extend(odd.map(|name| new_column(name, DatumKind::Text)));
        let name = TableName::new("", name);
        let table = NewTable { name: name.clone(), description: "o'dd".into(), columns, key: names(&["id"]) };
        store.endpoint.create(table).await.unwrap();
        let columns = [&["id"], &odd[..]].concat();
        let row = [vec![integer(1)], odd.map(text).to_vec()].concat();
        assert_eq!(words(&store.insert(&name, &columns, std::slice::from_ref(&row)).await), ["written"], "{name}");
        assert_eq!(store.rows(&name, &columns).await.0, [row]);
        assert_eq!(store.endpoint.count(&name).await.unwrap(), 1);
    }
    assert_eq!(store.endpoint.tables().await.unwrap().len(), odd.len());
}

/// A column of each collation that has an á, beside what the server itself takes for the same.
pub(crate) async fn collations_are_what_the_server_makes_of_them(store: Arc<Store>) {
    use mysql_async::prelude::Queryable as _;
    let At::MySql(flavour, url) = &store.at else { panic!("on MySQL and MariaDB only") };
    let mut conn = mysql_async::Conn::from_url(url).await.unwrap();
    // Some of MariaDB's go with several character sets, and have another name with each.
    let name = match flavour {
        Flavour::MariaDb => "FULL_COLLATION_NAME",
        Flavour::MySql => "COLLATION_NAME",
    };
    let all = format!(
        "SELECT {name}, CHARACTER_SET_NAME FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY \
         WHERE CHARACTER_SET_NAME IN ('utf8mb4', 'utf8mb3', 'utf16', 'latin1', 'latin2', 'cp1250') ORDER BY 1"
    );
    let all: Vec<(String, String)> = conn.query(all).await.unwrap();
    assert!(all.len() > 100);
    for (at, some) in all.chunks(200).enumerate() {
        let declared = |(name, set): &(String, String)| format!("{name} VARCHAR(1) CHARACTER SET {set} COLLATE {name}");
        let columns: Vec<_> = some.iter().map(declared).collect();
        let values = vec!["'a'"; some.len()].join(", ");
        store.run(&format!("CREATE TABLE t{at} ({}); INSERT INTO t{at} VALUES ({values})", columns.join(", "))).await;
        let same = |(name, _): &(String, String)| format!("{name} = 'A', {name} = 'á', {name} = 'a '");
        let same: Vec<_> = some.iter().map(same).collect();
        let row: mysql_async::Row =
            conn.query_first(format!("SELECT {} FROM t{at}", same.join(", "))).await.unwrap().unwrap();
        let shape = store.endpoint.describe(&TableName::new("", format!("t{at}"))).await.unwrap();
        for (place, (name, _)) in some.iter().enumerate() {
            let found = &shape.column(name).unwrap().collation;
            let server: Vec<bool> = (0..3).map(|question| row.get(place * 3 + question).unwrap()).collect();
            let ours = [found.ignores_case, found.ignores_accents, found.ignores_trailing_spaces];
            assert_eq!((name, &server[..]), (&found.name, &ours[..]));
        }
    }
    conn.disconnect().await.unwrap();
}

pub(crate) async fn domains_enums_and_collations_are_seen_through(store: Arc<Store>) {
    store
        .run(
            "CREATE DOMAIN short AS varchar(3) NOT NULL; CREATE DOMAIN shorter AS short;
             CREATE TYPE mood AS ENUM ('glad', 'sad');
             CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
             CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, s shorter, m mood, c text COLLATE ci UNIQUE,
                 p char(5), d int GENERATED ALWAYS AS (1) STORED, n serial, x money, a numeric(6,2)[]);",
        )
        .await;
    let table = TableName::new("public", "t");
    let shape = store.endpoint.describe(&table).await.unwrap();
    let column = |name: &str| shape.column(name).unwrap();
    assert_eq!((column("s").kind, column("s").max_length), (Some(DatumKind::Text), Some(3)));
    assert!(!column("s").is_nullable, "the domain says so");
    assert_eq!(column("m").traits.choices, ["glad", "sad"]);
    assert!(column("c").collation.ignores_case && !column("c").collation.ignores_accents);
    assert!(column("p").traits.pads && column("d").is_computed && column("n").is_identity && column("id").is_identity);
    assert_eq!(column("x").kind, None);
    assert_eq!((column("a").kind, column("a").member), (Some(DatumKind::List), Some(DatumKind::Decimal)));
    // The length of a domain refuses and does not cut, and a number of an identity column can be given.
    let row = |id: i128, s: &str| vec![integer(id), text(s), text("glad")];
    let outcomes = store.insert(&table, &["id", "s", "m"], &[row(70, "abc"), row(71, "abcd")]).await;
    assert_eq!(words(&outcomes), ["written", "refused"]);
    assert_eq!(store.rows(&table, &["id", "s", "m"]).await.0, [row(70, "abc")]);
}
