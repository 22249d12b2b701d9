//! The contract on WebDAV servers.

use portbook::provider::WebAuth;
use portbook::provider::webdav::{WebDav, WebDavOptions};

use crate::contract;
pub use crate::in_process::webdav as in_process;
use crate::service::Service;

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
