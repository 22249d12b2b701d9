//! The contract on WebDAV servers.

use std::convert::Infallible;
use std::path::Path;

use dav_server::DavHandler;
use dav_server::fakels::FakeLs;
use dav_server::localfs::LocalFs;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use portbook::provider::WebAuth;
use portbook::provider::webdav::{WebDav, WebDavOptions};

use crate::contract;
use crate::service::Service;

/// A server in this process over a directory; answers its address.
pub async fn in_process(directory: &Path) -> String {
    let handler = DavHandler::builder()
        .filesystem(LocalFs::new(directory, false, false, false))
        .locksystem(FakeLs::new())
        .build_handler();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let handler = handler.clone();
            let answer = service_fn(move |request| {
                let handler = handler.clone();
                async move { Ok::<_, Infallible>(handler.handle(request).await) }
            });
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
            tokio::spawn(connection);
        }
    });
    address
}

pub fn open(url: &str, auth: WebAuth) -> WebDav {
    WebDav::open(WebDavOptions { url: url.to_owned(), auth, ..WebDavOptions::default() }).unwrap()
}

pub fn basic() -> WebAuth {
    WebAuth::Basic { user: "user".into(), password: "password".into() }
}

pub fn digest() -> WebAuth {
    WebAuth::Digest { user: "user".into(), password: "password".into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_in_this_process_keeps_the_contract() {
    let (left, right) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, other) = (in_process(left.path()).await, in_process(right.path()).await);
    contract::run(|| open(&one, WebAuth::None), || open(&other, WebAuth::None)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rclone_keeps_the_contract() {
    let words = ["webdav"];
    let (Some(one), Some(other)) = (Service::start("rclone", &words), Service::start("rclone", &words)) else { return };
    let url = |service: &Service| format!("http://127.0.0.1:{}/", service.port());
    contract::run(|| open(&url(&one), basic()), || open(&url(&other), basic())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn apache_keeps_the_contract() {
    for (how, auth) in [("basic", basic()), ("digest", digest())] {
        let (Some(one), Some(other)) = (Service::start("apache", &[how]), Service::start("apache", &[how])) else {
            return;
        };
        let url = |service: &Service| format!("http://127.0.0.1:{}/dav/", service.port());
        contract::run(|| open(&url(&one), auth.clone()), || open(&url(&other), auth.clone())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_keeps_the_contract() {
    let (Some(one), Some(other)) = (Service::start("nginx", &[]), Service::start("nginx", &[])) else { return };
    let url = |service: &Service| format!("http://127.0.0.1:{}/dav/", service.port());
    contract::run(|| open(&url(&one), basic()), || open(&url(&other), basic())).await;
}
