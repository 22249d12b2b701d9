//! The file ledger on a real store.

use std::sync::Arc;

use portbook::identity::ContentHash;
use portbook::ledger::{IntentKind, Ledger, NewIntent};
use portbook::model::{Held, Ident, Kind, Name, Pair, PairId, PreviewId, Sides, Timestamp, Token};
use portbook::store::{Value, Written};

use crate::fixture::{Book, id};

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

fn pair(id: i64, parent: i64, text: &str, kind: Kind) -> Pair {
    let time = Timestamp { secs: 1_700_000_000 + id, nanos: 123_456_789 };
    let token = Token { size: 4096, mtime: Some(time), ctime: Some(time), mode: Some(0o644), revision: None };
    let left = Held { ident: Ident::File { id: id as u64, birth_ns: -5 }, token, ..Held::default() };
    let right =
        Held { ident: Ident::Provider((*b"01ABC").into()), alias: Some(name("other")), racy: true, ..left.clone() };
    let content = (kind == Kind::File).then(|| ContentHash::of(text.as_bytes()));
    Pair { id: PairId(id), parent: PairId(parent), name: name(text), kind, content, held: Sides::new(left, right) }
}

async fn ledger_of(book: &Arc<Book>) -> (Ledger, portbook::model::TenantId) {
    let t = book.tenancy().await;
    (Ledger::new(Arc::clone(&book.store), t.tenant, t.conduit), t.tenant)
}

pub(crate) async fn children_come_back_ordered_by_name_as_they_were_written(book: Arc<Book>) {
    let (ledger, tenant) = ledger_of(&book).await;
    assert!(ledger.is_empty().await.unwrap());
    let raw = Pair { name: Name::new(b"\xff\xfe").unwrap(), ..pair(5, 0, "x", Kind::File) };
    let pairs = [
        pair(1, 0, "b", Kind::Dir),
        pair(2, 0, "a", Kind::File),
        pair(3, 1, "deep", Kind::Symlink),
        pair(4, 0, "B", Kind::File),
        raw.clone(),
    ];
    book.store.write(tenant, vec![ledger.put(&pairs)]).await.unwrap();
    let found = ledger.children(&[PairId(1), PairId::ROOT, PairId(77)]).await.unwrap();
    assert_eq!(found[0], [pairs[2].clone()]);
    assert_eq!(found[1], [pairs[3].clone(), pairs[1].clone(), pairs[0].clone(), raw]);
    assert!(found[2].is_empty());
    assert_eq!(ledger.count().await.unwrap(), 5);
    assert_eq!(ledger.newest_pair().await.unwrap(), PairId(5));
    assert!(!ledger.is_empty().await.unwrap());
    let by_key =
        ledger.pair_by_key(&[(PairId(1), name("deep"), pairs[2].id), (PairId(1), name("b"), PairId(9))]).await.unwrap();
    assert_eq!(by_key, [Some(pairs[2].clone()), None]);
}

pub(crate) async fn rows_of_one_name_are_told_apart_by_their_ids(book: Arc<Book>) {
    let (ledger, tenant) = ledger_of(&book).await;
    let older = pair(1, 0, "a", Kind::File);
    let newer = pair(2, 0, "a", Kind::Dir);
    book.store.write(tenant, vec![ledger.put(&[older.clone(), newer.clone()])]).await.unwrap();
    assert_eq!(ledger.children(&[PairId::ROOT]).await.unwrap()[0], [older, newer.clone()]);
    let again = Pair { kind: Kind::Symlink, ..pair(1, 0, "a", Kind::File) };
    book.store.write(tenant, vec![ledger.put(std::slice::from_ref(&again))]).await.unwrap();
    assert_eq!(ledger.children(&[PairId::ROOT]).await.unwrap()[0], [again, newer.clone()]);
    let remove = |id| ledger.remove(&[(PairId::ROOT, name("a"), PairId(id))]);
    assert_eq!(book.store.write(tenant, remove(3)).await.unwrap(), [Written::Changed(0)]);
    assert_eq!(book.store.write(tenant, remove(1)).await.unwrap(), [Written::Changed(1)]);
    assert_eq!(ledger.children(&[PairId::ROOT]).await.unwrap()[0], [newer]);
}

pub(crate) async fn a_directory_has_the_path_of_its_ancestors(book: Arc<Book>) {
    let (ledger, tenant) = ledger_of(&book).await;
    let pairs = [pair(1, 0, "a", Kind::Dir), pair(2, 1, "b", Kind::Dir), pair(3, 99, "lost", Kind::Dir)];
    book.store.write(tenant, vec![ledger.put(&pairs)]).await.unwrap();
    assert_eq!(ledger.path_of(PairId(2)).await.unwrap().unwrap().to_string(), "a/b");
    assert!(ledger.path_of(PairId::ROOT).await.unwrap().unwrap().is_root());
    assert_eq!(ledger.path_of(PairId(3)).await.unwrap(), None);
    assert_eq!(ledger.path_of(PairId(4)).await.unwrap(), None);
    let cycle = [pair(5, 6, "x", Kind::Dir), pair(6, 5, "y", Kind::Dir)];
    book.store.write(tenant, vec![ledger.put(&cycle)]).await.unwrap();
    assert_eq!(ledger.path_of(PairId(5)).await.unwrap(), None);
}

pub(crate) async fn rows_that_hang_nowhere_go_with_those_beneath_them(book: Arc<Book>) {
    let (ledger, tenant) = ledger_of(&book).await;
    let (other, another) = ledger_of(&book).await;
    let kept = [pair(1, 0, "a", Kind::Dir), pair(2, 1, "b", Kind::Dir), pair(3, 2, "c", Kind::File)];
    // The one directory is gone, the other became a file; the last is of another conduit's.
    let lost = [
        pair(4, 99, "lost", Kind::Dir),
        pair(5, 4, "beneath", Kind::Dir),
        pair(6, 5, "deep", Kind::File),
        pair(7, 3, "in a file", Kind::File),
    ];
    book.store.write(tenant, vec![ledger.put(&kept), ledger.put(&lost)]).await.unwrap();
    book.store.write(another, vec![other.put(&lost[1..2])]).await.unwrap();
    ledger.remove_orphans().await.unwrap();
    assert_eq!(ledger.count().await.unwrap(), 3);
    assert_eq!(ledger.children(&[PairId(2)]).await.unwrap()[0], kept[2..]);
    assert_eq!(other.count().await.unwrap(), 1, "another conduit's row is its own concern");
}

pub(crate) async fn an_intent_is_open_until_it_is_removed(book: Arc<Book>) {
    let (ledger, tenant) = ledger_of(&book).await;
    let batch = NewIntent {
        generation: 7,
        preview_id: Some(PreviewId(id())),
        kind: IntentKind::Batch,
        range: Some((3, 9)),
        detail: vec![0, 255],
        created_at: 1_700_000_000_123_456,
    };
    let single = NewIntent { preview_id: None, range: None, kind: IntentKind::Create, ..batch.clone() };
    let parts = vec![ledger.put_intent(&batch), ledger.put_intent(&single)];
    let written = book.store.write(tenant, parts).await.unwrap();
    let open = ledger.open_intents().await.unwrap();
    assert_eq!(open.iter().map(|i| &i.what).collect::<Vec<_>>(), [&batch, &single]);
    assert_eq!(open[0].id, Ledger::intent_id(&written[0]).unwrap());
    let done = vec![ledger.put(&[pair(1, 0, "a", Kind::File)]), ledger.remove_intent(open[0].id)];
    book.store.write(tenant, done).await.unwrap();
    assert_eq!(ledger.open_intents().await.unwrap(), open[1..]);
}

pub(crate) async fn a_conduit_takes_its_ledger_along(book: Arc<Book>) {
    let (ledger, tenant) = ledger_of(&book).await;
    let (other, other_tenant) = ledger_of(&book).await;
    book.store.write(tenant, vec![ledger.put(&[pair(1, 0, "a", Kind::Dir)])]).await.unwrap();
    book.store.write(other_tenant, vec![other.put(&[pair(1, 0, "a", Kind::Dir)])]).await.unwrap();
    book.act_as(tenant);
    book.execute("DELETE FROM sync_conduit WHERE id = ?1", vec![Value::Int(ledger.conduit())]).await.unwrap();
    assert!(ledger.is_empty().await.unwrap());
    assert_eq!(other.count().await.unwrap(), 1);
}
