//! Buckets behind TLS, in the path and in the host, on servers that nobody here wrote; and whom nobody vouches for.

use portbook::delta::Expect;
use portbook::provider::s3::{S3, S3Options};
use portbook::provider::{Listing, Provider as _};
use portbook::{Code, Trust};

use crate::contract::{content, path, put};
use crate::places::{Server, UNHELD_BY_MOTO, keeps_the_contract};
use crate::secured::Secured;

#[tokio::test]
async fn moto_keeps_the_contract_behind_tls() {
    let Some(server) = Server::moto() else { return };
    keeps_the_contract(&server.secured(), "", UNHELD_BY_MOTO).await;
}

#[tokio::test]
async fn moto_keeps_the_contract_where_buckets_are_hosts() {
    let Some(server) = Server::moto() else { return };
    keeps_the_contract(&server.secured().hosted(), "odd + prefix/\u{fc}%20", UNHELD_BY_MOTO).await;
}

#[tokio::test]
async fn rclone_keeps_the_contract_where_buckets_are_hosts() {
    let Some(server) = Server::rclone_of_hosts() else { return };
    keeps_the_contract(&server.secured(), "", &[]).await;
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_sent_nothing() {
    let Some(server) = Server::moto() else { return };
    let server = server.secured();
    let options = server.bucket("bucket");
    let stranger = Secured::before("127.0.0.1:1", &["127.0.0.1"]);
    for trust in [Trust::Authorities(stranger.authority()), Trust::Certificate([7; 32]), Trust::System] {
        let place = S3::open(S3Options { trust: trust.clone(), ..options.clone() }).unwrap();
        let error = place.root().await.unwrap_err();
        assert_eq!(error.code(), Code::Auth, "{trust:?}: {error}");
        assert!(error.advice().contains("authority"), "{trust:?}: {}", error.advice());
        let listed = place.list(vec![path("")]).await.remove(0);
        assert!(matches!(&listed, Listing::Unknown(e) if e.code() == Code::Auth), "{trust:?}: {listed:?}");
        let refused = put(&place, "a", b"secret", Expect::Absent).await;
        assert_eq!(refused.unwrap_err().code(), Code::Auth, "{trust:?}");
    }
    let place = S3::open(options).unwrap();
    put(&place, "a", b"a", Expect::Absent).await.unwrap();
    assert_eq!(content(&place, "a").await, b"a", "it is believed where its authority is named");
}

#[tokio::test]
async fn a_certificate_is_for_one_name_beneath_the_server() {
    let Some(server) = Server::moto() else { return };
    let server = server.secured();
    let path_style = server.options("my.bucket");
    let endpoint = path_style.endpoint.replace("127.0.0.1", "s3.localhost");
    // The wildcard of a certificate stands for one label (RFC 6125, section 6.4.3).
    let deep = S3::open(S3Options { endpoint, path_style: false, ..path_style.clone() }).unwrap();
    let error = deep.root().await.unwrap_err();
    assert_eq!((error.code(), error.advice()), (Code::Auth, "name the bucket in the path (path_style)"), "{error}");
    // Nobody has said that the certificate is for this name.
    let endpoint = path_style.endpoint.replace("127.0.0.1", "other.localhost");
    let misnamed = S3::open(S3Options { endpoint, ..path_style }).unwrap();
    let error = misnamed.root().await.unwrap_err();
    assert_eq!((error.code(), error.advice()), (Code::Auth, "name the server as its certificate does"), "{error}");
}
