//! Buckets that keep versions (moto): what is there is what is newest, and nothing that was is taken for an item.

use portbook::Code;
use portbook::delta::Expect;
use portbook::model::Timestamp;
use portbook::provider::s3::{S3, S3Options};
use portbook::provider::{Move, Provider as _, Trash};

use crate::contract::{self, content, listed, path, put, stat};
use crate::places::{Server, UNHELD_BY_MOTO, said};

#[tokio::test]
async fn a_bucket_with_versions_keeps_the_contract() {
    let Some(server) = Server::moto() else { return };
    let (left, right) = (server.versioned("left"), server.versioned("right"));
    let open = |options: &S3Options| S3::open(options.clone()).unwrap();
    contract::run_without(UNHELD_BY_MOTO, || open(&left), || open(&right)).await;
}

/// Keys with whether they are delete markers, of all that the server keeps.
fn kept(server: &Server, bucket: &str) -> Vec<(String, bool)> {
    let said = said(&server.address(), "GET", &format!("/{bucket}?versions"), b"");
    let of = |element: &'static str| {
        let parts: Vec<String> = said.split(&format!("<{element}>")).skip(1).map(str::to_owned).collect();
        parts.into_iter().map(move |part| {
            let (key, _) = part.split_once("<Key>").unwrap().1.split_once("</Key>").unwrap();
            (key.to_owned(), element == "DeleteMarker")
        })
    };
    of("Version").chain(of("DeleteMarker")).collect()
}

fn names(entries: &[portbook::model::Entry]) -> Vec<String> {
    let mut names: Vec<String> = entries.iter().map(|entry| entry.name.to_string()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_is_newest_is_what_is_there() {
    let Some(server) = Server::moto() else { return };
    let place = S3::open(server.versioned("bucket")).unwrap();
    let one = put(&place, "d/a", b"one", Expect::Absent).await.unwrap();
    let two = put(&place, "d/a", b"two", Expect::Node(one.clone())).await.unwrap();
    assert_eq!(listed(&place, "d").await.len(), 1, "the version before is no item");
    assert_eq!((stat(&place, "d/a").await, content(&place, "d/a").await), (Some(two.clone()), b"two".to_vec()));
    let late = put(&place, "d/a", b"three", Expect::Node(one.clone())).await;
    assert_eq!(late.unwrap_err().code(), Code::Stale, "the version before is not what is there");
    assert!(place.read(&path("d/a"), Some(&one), 0, None).await.is_err(), "it is not read either");
    // Deleted: nothing is there, and something can come.
    let trash = |node| Trash { path: path("d/a"), expect: Expect::Node(node), label: "run".into() };
    place.trash(vec![trash(two)]).await.remove(0).unwrap();
    assert_eq!((stat(&place, "d/a").await, listed(&place, "d").await.len()), (None, 0));
    let again = put(&place, "d/a", b"again", Expect::Absent).await.unwrap();
    assert_eq!(content(&place, "d/a").await, b"again");
    // Moved away and back over what says that it was deleted.
    for (from, to) in [("d/a", "d/b"), ("d/b", "d/a")] {
        let item = Move { from: path(from), to: path(to), expect: Expect::Node(again.clone()), through: None };
        place.move_items(vec![item]).await.remove(0).unwrap();
        assert_eq!(names(&listed(&place, "d").await), [to.trim_start_matches("d/")]);
    }
    place.trash(vec![trash(again)]).await.remove(0).unwrap();
    // The trash is as in any bucket; when it is emptied it is so to everybody who does not ask for versions.
    assert_eq!(place.empty_trash(Timestamp { secs: 1 << 40, nanos: 0 }).await.unwrap(), 2);
    assert_eq!(place.empty_trash(Timestamp { secs: 1 << 40, nanos: 0 }).await.unwrap(), 0);
    assert_eq!(names(&listed(&place, "").await), ["d"]);
    let all = kept(&server, "bucket");
    let of = |key: &str| all.iter().filter(|(k, marks)| k == key && !marks).count();
    assert_eq!((of("d/a"), of("d/b")), (4, 1), "the bucket keeps what a rule of it removes: {all:?}");
}

#[tokio::test]
async fn finding_out_what_a_server_honours_leaves_no_version() {
    let Some(server) = Server::moto() else { return };
    let place = S3::open(server.versioned("bucket")).unwrap();
    put(&place, "a", b"a", Expect::Absent).await.unwrap();
    assert_eq!(kept(&server, "bucket"), [("a".to_owned(), false)]);
}
