//! A server that answers as a test says, and remembers what it was asked.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

/// What was asked: method, path, and whether it proved who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub authorized: bool,
}

pub struct Mock {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

pub type Answer = Response<Full<Bytes>>;

impl Mock {
    pub async fn start(answer: impl Fn(&Asked, &[u8]) -> Answer + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/dav/", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (answer, all) = (Arc::new(answer), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, all) = (Arc::clone(&answer), Arc::clone(&all));
                let answer = service_fn(move |request: Request<Incoming>| {
                    let (answer, all) = (Arc::clone(&answer), Arc::clone(&all));
                    async move {
                        let asked = Asked {
                            method: request.method().to_string(),
                            path: request.uri().path().to_owned(),
                            authorized: request.headers().contains_key("authorization"),
                        };
                        let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                        all.lock().unwrap().push(asked.clone());
                        Ok::<_, Infallible>(answer(&asked, &body))
                    }
                });
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
                tokio::spawn(connection);
            }
        });
        Self { url, asked }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

pub fn answer(status: u16, body: &str) -> Answer {
    Response::builder().status(status).body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap()
}

pub fn with(mut answer: Answer, name: &'static str, value: &str) -> Answer {
    answer.headers_mut().insert(name, value.parse().unwrap());
    answer
}

/// A multistatus of a directory with these files of five bytes.
pub fn listing(dir: &str, files: &[&str]) -> String {
    let item = |href: &str, kind: &str| {
        format!(
            "<d:response><d:href>{href}</d:href><d:propstat><d:prop>{kind}<d:getetag>\"v1\"</d:getetag></d:prop>\
             <d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
        )
    };
    let file = "<d:resourcetype/><d:getcontentlength>5</d:getcontentlength>";
    let items: String = files.iter().map(|name| item(&format!("{dir}{name}"), file)).collect();
    let itself = item(dir, "<d:resourcetype><d:collection/></d:resourcetype>");
    format!("<d:multistatus xmlns:d=\"DAV:\">{itself}{items}</d:multistatus>")
}

/// A multistatus of one file of five bytes.
pub fn one(path: &str) -> String {
    listing(path, &[]).replace(
        "<d:resourcetype><d:collection/></d:resourcetype>",
        "<d:resourcetype/><d:getcontentlength>5</d:getcontentlength>",
    )
}
