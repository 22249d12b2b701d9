//! A server in this process whose signatures others have written (s3s). Its store lists no ETags and takes directories for
//! objects, so that the contract is for the servers of `places`.

use futures_util::TryStreamExt as _;
use portbook::Code;
use portbook::delta::Expect;
use portbook::model::{Kind, RelPath};
use portbook::provider::s3::{S3, S3Options};
use portbook::provider::{Listing, Provider as _};

use crate::contract::{content, path, put, stat};

const ODD: [&str; 6] =
    ["plain", "odd + name%20 \u{fc}&<>'\"", "~tilde_under-dash.dot", "a=b;c,d:e@f!$(g)*", "deep/e/f", "\u{1f4be}"];

/// The options of a server with the bucket `bucket`, and where it keeps it.
async fn server() -> (S3Options, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let endpoint = crate::in_process::s3(dir.path()).await;
    (S3Options::new(endpoint, "bucket", "key", "secret-key"), dir)
}

/// As [`server`]; the bucket is a host.
async fn server_of_hosts() -> (S3Options, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let endpoint = crate::in_process::s3_of_hosts(dir.path()).await;
    let options = S3Options { path_style: false, ..S3Options::new(endpoint, "bucket", "key", "secret-key") };
    (options, dir)
}

#[tokio::test]
async fn every_kind_of_key_is_signed_as_others_compute_it() {
    let (options, _dir) = server().await;
    signs_every_kind_of_key(options).await;
}

#[tokio::test]
async fn every_kind_of_key_is_signed_for_the_host_of_its_bucket() {
    let (options, _dir) = server_of_hosts().await;
    signs_every_kind_of_key(options).await;
}

async fn signs_every_kind_of_key(options: S3Options) {
    let place = S3::open(options).unwrap();
    for name in ODD {
        let node = put(&place, name, name.as_bytes(), Expect::Absent).await.unwrap();
        assert_eq!(stat(&place, name).await, Some(node.clone()), "{name}");
        let opened = place.read(&path(name), Some(&node), 1, Some(3)).await.unwrap();
        assert_eq!(opened.bytes.try_collect::<Vec<_>>().await.unwrap().concat(), &name.as_bytes()[1..4]);
        assert_eq!(put(&place, name, b"other", Expect::Absent).await.unwrap_err().code(), Code::Stale, "{name}");
        put(&place, name, b"edited", Expect::Node(node)).await.unwrap();
        assert_eq!(content(&place, name).await, b"edited");
    }
    let Listing::Complete(entries) = place.list(vec![path("")]).await.remove(0) else { panic!() };
    let mut names: Vec<String> =
        entries.iter().map(|e| String::from_utf8(e.name.as_bytes().to_vec()).unwrap()).collect();
    names.sort();
    let mut expected = ODD.map(|name| name.split('/').next().unwrap().to_owned()).to_vec();
    expected.sort();
    assert_eq!(names, expected);
    // What is listed can be read in the version that was listed, though the listing showed no ETag.
    for entry in entries.iter().filter(|entry| entry.node.kind == Kind::File) {
        let at = RelPath::root().join(&entry.name);
        let opened = place.read(&at, Some(&entry.node), 0, None).await.unwrap();
        assert_eq!(opened.bytes.try_collect::<Vec<_>>().await.unwrap().concat(), b"edited", "{at}");
    }
}

#[tokio::test]
async fn what_is_not_signed_with_the_secret_is_refused() {
    let (options, _dir) = server().await;
    for wrong in [
        S3Options { secret_key: "wrong".into(), ..options.clone() },
        S3Options { access_key: "nobody".into(), ..options.clone() },
    ] {
        let error = S3::open(wrong).unwrap().root().await.unwrap_err();
        assert_eq!(error.code(), Code::Auth, "{error}");
    }
    let missing = S3Options { bucket: "missing".into(), ..options };
    assert_eq!(S3::open(missing).unwrap().root().await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_link_is_signed_as_others_compute_it() {
    for (options, _dir) in [server().await, server_of_hosts().await] {
        let place = S3::open(options.clone()).unwrap();
        put(&place, "a + b", b"shared", Expect::Absent).await.unwrap();
        let link = place.presigned_get(&path("a + b"), std::time::Duration::from_secs(60)).unwrap();
        let link = link.expose().to_owned();
        let host = if options.path_style { "127.0.0.1:" } else { "bucket.s3.localhost:" };
        assert!(link.starts_with(&format!("http://{host}")), "{link}");
        let forged = link.replace("a%20%2B%20b", "other");
        let ask = async |link: String| {
            let answer = anybody().get(link).send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        assert_eq!(ask(link).await, (200, "shared".to_owned()));
        assert_eq!(ask(forged).await.0, 403);
    }
}

/// A client of others, which asks nobody where `localhost` is.
fn anybody() -> reqwest::Client {
    let config =
        rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(config)
        .resolve("bucket.s3.localhost", ([127, 0, 0, 1], 0).into())
        .build()
        .unwrap()
}
