//! Whole runs of the engine to and from servers.

use std::path::Path;
use std::sync::Arc;

use portbook::conduit::{ApplyOptions, ConduitOptions, Place, PreviewOptions};
use portbook::operation::RunReport;
use portbook::provider::http::{Http, HttpOptions};
use portbook::provider::{Provider, WebAuth};
use portbook::{Book, BookOptions, Session};

use crate::dav::{basic, in_process, open};
use crate::files::{self, tree};
use crate::service::Service;

async fn session(dir: &Path) -> (Book, Session) {
    let book = Book::open(BookOptions::sqlite(dir.join("book.db"))).await.unwrap();
    let session = book.default_session().await.unwrap();
    (book, session)
}

async fn sync(session: &Session, from: Place, to: Place) -> RunReport {
    let conduit = session.connect(from, to, ConduitOptions::default()).await.unwrap();
    conduit.sync(PreviewOptions::default(), ApplyOptions::default()).finish().await.unwrap()
}

fn place(key: &str, provider: impl Provider + 'static) -> Place {
    Place::Provider { key: key.to_owned(), provider: Arc::new(provider) }
}

fn write(path: &Path, content: &[u8]) {
    files::write(path, content, 3600);
}

/// There, quiet, an edit, a deletion and a move, quiet again, and back into another folder.
async fn there_and_back(url: &str, auth: WebAuth) {
    let dir = tempfile::tempdir().unwrap();
    let (book, session) = session(dir.path()).await;
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    for i in 0..40 {
        write(&a.join(format!("many/f{i:02}")), format!("file {i}").as_bytes());
    }
    write(&a.join("empty"), b"");
    write(&a.join("d/odd # % & ü.txt"), b"odd");
    write(&a.join("d/e/large"), &vec![7; 3 << 20]);
    let dav = || place(url, open(url, auth.clone()));
    let local = |path: &Path| Place::Local(path.to_owned());
    let first = sync(&session, local(&a), dav()).await;
    assert_eq!((first.counts.failed, first.counts.new), (0, 46), "{:?}", first.failures);
    let second = sync(&session, local(&a), dav()).await;
    assert!(second.counts.is_quiet() && second.bytes == 0, "{:?}", second.counts);
    write(&a.join("many/f00"), b"edited");
    std::fs::remove_file(a.join("many/f01")).unwrap();
    std::fs::rename(a.join("many/f02"), a.join("moved")).unwrap();
    let third = sync(&session, local(&a), dav()).await;
    assert_eq!((third.counts.failed, third.counts.updated, third.counts.deleted), (0, 1, 1), "{:?}", third.failures);
    assert!(sync(&session, local(&a), dav()).await.counts.is_quiet());
    let back = sync(&session, dav(), local(&b)).await;
    assert_eq!(back.counts.failed, 0, "{:?}", back.failures);
    assert_eq!(tree(&a), tree(&b));
    assert!(sync(&session, dav(), local(&b)).await.counts.is_quiet());
    book.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_goes_to_a_server_in_this_process_and_comes_back() {
    let data = tempfile::tempdir().unwrap();
    there_and_back(&in_process(data.path()).await, WebAuth::None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_goes_to_rclone_and_comes_back() {
    let Some(server) = Service::start("rclone", &["webdav"]) else { return };
    there_and_back(&format!("http://127.0.0.1:{}/", server.port()), basic()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_goes_to_apache_and_comes_back() {
    let Some(server) = Service::start("apache", &["digest"]) else { return };
    there_and_back(&format!("http://127.0.0.1:{}/dav/", server.port()), crate::dav::digest()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_goes_to_nginx_and_comes_back() {
    let Some(server) = Service::start("nginx", &[]) else { return };
    there_and_back(&format!("http://127.0.0.1:{}/dav/", server.port()), basic()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_an_http_server_come_here() {
    let Some(server) = Service::start("nginx", &[]) else { return };
    let data = server.directory().join("data");
    crate::http::fill(&data);
    let dir = tempfile::tempdir().unwrap();
    let (book, session) = session(dir.path()).await;
    let b = dir.path().join("b");
    let url = format!("http://127.0.0.1:{}/html/", server.port());
    let options = HttpOptions { url: url.clone(), auth: basic(), ..HttpOptions::default() };
    let http = || place(&url, Http::open(options.clone()).unwrap());
    let first = sync(&session, http(), Place::Local(b.clone())).await;
    assert_eq!(first.counts.failed, 0, "{:?}", first.failures);
    assert_eq!(tree(&data), tree(&b));
    assert!(sync(&session, http(), Place::Local(b.clone())).await.counts.is_quiet());
    std::fs::write(data.join("sub dir/deep/x"), b"longer").unwrap();
    std::fs::remove_file(data.join("nothing")).unwrap();
    let third = sync(&session, http(), Place::Local(b.clone())).await;
    assert_eq!((third.counts.updated, third.counts.deleted, third.counts.failed), (1, 1, 0), "{:?}", third.failures);
    assert_eq!(tree(&data), tree(&b));
    book.shutdown().await;
}
