//! Links to files of a volume on S3: made, used by somebody without any key, listed, revoked.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use portbook::model::{CloudSharedLink, Secret, StorageVolume};
use portbook::provider::s3::{S3, S3Options};
use portbook::table::Filter;
use portbook::volume::{FileLink, LinkId, Volume};
use portbook::{Code, wait};
use uuid::Uuid;

use crate::in_process;
use crate::world::{World, claims, code, put};

claims! {
    a_link_opens_its_file_and_nothing_else
    links_are_rows_that_are_listed_and_revoked
    a_link_goes_with_its_file
    nobody_else_sees_a_link
    places_without_links_make_none
}

const HOUR: Duration = Duration::from_secs(3600);

/// A volume on a server of this process that verifies signatures.
struct Bucket {
    volume: Volume,
    endpoint: String,
    data: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
}

fn bucket(world: &World) -> Bucket {
    let data = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let endpoint = runtime.block_on(in_process::s3(data.path()));
    let options = S3Options::new(endpoint.clone(), "bucket", "key", "secret-key");
    let row = StorageVolume { name: "bucket".into(), ..world.row() };
    let made = wait(world.session.rows().create(row)).unwrap();
    let volume = wait(world.session.volume_on(made.row.name, Arc::new(S3::open(options).unwrap()))).unwrap();
    Bucket { volume, endpoint, data, _runtime: runtime }
}

/// What anybody is answered at a URL.
fn fetched(url: &str) -> String {
    let (address, target) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let ask = format!("GET /{target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn url(made: &FileLink) -> String {
    made.url.expose_text().unwrap().to_owned()
}

fn a_link_opens_its_file_and_nothing_else(world: &World) {
    let bucket = bucket(world);
    let file = put(&bucket.volume, "d/a + b.txt", "for everybody").unwrap();
    // The server's store takes directories for objects: a second file is not put by it.
    let stored = bucket.data.path().join("bucket").join(&file.row.storage_path);
    std::fs::write(stored.with_file_name("other"), "for nobody").unwrap();
    let made = wait(bucket.volume.share(file.id, HOUR)).unwrap();
    let url = url(&made);
    assert!(url.starts_with(&bucket.endpoint));
    let given = fetched(&url);
    assert!(given.starts_with("HTTP/1.1 200") && given.ends_with("for everybody"), "{given}");
    let altered = [
        ("a%20%2B%20b.txt", "other"),
        ("X-Amz-Expires=3600", "X-Amz-Expires=360000"),
        ("X-Amz-Signature=", "X-Amz-Signature=0"),
    ];
    for (from, to) in altered {
        assert!(url.contains(from), "{url}");
        let refused = fetched(&url.replace(from, to));
        assert!(refused.starts_with("HTTP/1.1 4"), "{to}: {refused}");
        assert!(!refused.contains("for nobody") && !refused.contains("for everybody"));
    }
    for wrong in [Duration::ZERO, Duration::from_millis(999), 7 * 24 * HOUR + Duration::from_secs(1)] {
        assert_eq!(code(wait(bucket.volume.share(file.id, wrong))), Code::Invalid, "{wrong:?}");
    }
    assert_eq!(wait(bucket.volume.shared_links(file.id)).unwrap().len(), 1, "what was refused has no row");
    std::fs::write(stored, "changed").unwrap();
    assert!(fetched(&url).ends_with("changed"), "it opens what is there");
}

fn links_are_rows_that_are_listed_and_revoked(world: &World) {
    let bucket = bucket(world);
    let file = put(&bucket.volume, "a", "shared").unwrap();
    let (short, long) = (
        wait(bucket.volume.share("a", Duration::from_secs(60))).unwrap(),
        wait(bucket.volume.share("a", 7 * 24 * HOUR)).unwrap(),
    );
    let row = &long.link.row;
    assert!(row.is_active && row.volume_file_id == Some(file.id) && row.file_id.is_none());
    let lives = row.expires_at.unwrap().0 - long.link.created_at.0;
    assert!((lives - 7 * 24 * 3_600_000_000).abs() < 60_000_000, "{lives}");
    // The URL is in the book, sealed, and shows nowhere.
    let Secret::Sealed(sealed) = &row.share_url else { panic!("in the open") };
    assert!(!String::from_utf8_lossy(sealed).contains("X-Amz"));
    assert!(!format!("{long:?}").contains("X-Amz"));
    let revealed = wait(world.session.rows::<CloudSharedLink>().reveal(long.link.id, "share_url")).unwrap().unwrap();
    assert_eq!(revealed, long.url);
    let listed = || wait(bucket.volume.shared_links(file.id)).unwrap();
    let states = || listed().iter().map(|link| (link.id, link.row.is_active)).collect::<Vec<_>>();
    assert_eq!(states(), [(short.link.id, true), (long.link.id, true)]);
    // What has expired is not active.
    world.clock.advance(61);
    assert_eq!(states(), [(short.link.id, false), (long.link.id, true)]);
    let revoked = wait(bucket.volume.revoke_link(long.link.id)).unwrap();
    assert!(!revoked.row.is_active);
    assert_eq!(wait(bucket.volume.revoke_link(long.link.id)).unwrap(), revoked, "once is enough");
    assert_eq!(states(), [(short.link.id, false), (long.link.id, false)]);
    assert!(fetched(&url(&long)).ends_with("shared"), "a service cannot take it back");
    assert_eq!(code(wait(bucket.volume.revoke_link(LinkId::new(Uuid::now_v7())))), Code::NotFound);
}

fn a_link_goes_with_its_file(world: &World) {
    let bucket = bucket(world);
    let file = put(&bucket.volume, "a", "shared").unwrap();
    let made = wait(bucket.volume.share("a", HOUR)).unwrap();
    wait(bucket.volume.delete("a")).unwrap();
    assert!(fetched(&url(&made)).starts_with("HTTP/1.1 404"), "it opens nothing any more");
    assert_eq!(code(wait(bucket.volume.share(file.id, HOUR))), Code::NotFound);
    assert_eq!(wait(bucket.volume.shared_links(file.id)).unwrap().len(), 1);
    wait(bucket.volume.purge(file.id)).unwrap();
    let all = Filter::all().with_deleted();
    assert_eq!(wait(world.session.rows::<CloudSharedLink>().list(all, None, 10)).unwrap().rows, []);
}

fn nobody_else_sees_a_link(world: &World) {
    let bucket = bucket(world);
    let file = put(&bucket.volume, "a", "mine").unwrap();
    let made = wait(bucket.volume.share("a", HOUR)).unwrap();
    let (session, _) = world.another("other");
    let options = S3Options::new(bucket.endpoint.clone(), "bucket", "key", "secret-key");
    let theirs = wait(session.volume_on("bucket", Arc::new(S3::open(options).unwrap()))).unwrap();
    assert_eq!(code(wait(theirs.share(file.id, HOUR))), Code::NotFound);
    assert_eq!(code(wait(theirs.shared_links(file.id))), Code::NotFound);
    assert_eq!(code(wait(theirs.revoke_link(made.link.id))), Code::NotFound);
    assert!(wait(bucket.volume.shared_links(file.id)).unwrap()[0].row.is_active);
}

fn places_without_links_make_none(world: &World) {
    let volume = world.volume();
    put(&volume, "a", "here").unwrap();
    assert_eq!(code(wait(volume.share("a", HOUR))), Code::Unsupported);
    assert_eq!(wait(volume.shared_links("a")).unwrap(), []);
}
