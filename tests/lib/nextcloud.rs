//! A server that does what Nextcloud does and this library relies on: ids that survive a move, times and checksums that are
//! kept, and uploads in chunks (Nextcloud developer manual, "Chunked file upload v2"). Files and the rest of WebDAV are
//! another's (dav-server).

use std::convert::Infallible;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use dav_server::DavHandler;
use dav_server::fakels::FakeLs;
use dav_server::localfs::LocalFs;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use sha1::{Digest as _, Sha1};

const FILES: &str = "/remote.php/dav/files/user/";
const UPLOADS: &str = "/remote.php/dav/uploads/user/";
/// The least of a chunk that is not the last.
const LEAST: u64 = 5 << 20;

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// From this chunk on the server fails.
    pub fails_at_chunk: Option<u64>,
    /// The chunks are put together, and a proxy says that it took too long.
    pub is_slow: bool,
    /// It knows no uploads in chunks.
    pub has_no_uploads: bool,
    /// A bit of every file changes on the way to the disk, which its checksum shows.
    pub damages: bool,
}

pub struct Nextcloud {
    pub url: String,
    dir: tempfile::TempDir,
    shared: Arc<Shared>,
}

struct Shared {
    root: PathBuf,
    handler: DavHandler,
    trouble: Mutex<Trouble>,
    /// Method and path of what was asked, in order.
    asked: Mutex<Vec<(String, String)>>,
}

type Answer = Response<Full<Bytes>>;

impl Nextcloud {
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for part in [FILES, UPLOADS] {
            std::fs::create_dir_all(dir.path().join(&part[1..])).unwrap();
        }
        let handler = DavHandler::builder()
            .filesystem(LocalFs::new(dir.path(), false, false, false))
            .locksystem(FakeLs::new())
            .build_handler();
        let root = dir.path().to_owned();
        let shared = Arc::new(Shared { root, handler, trouble: Mutex::default(), asked: Mutex::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}{FILES}", listener.local_addr().unwrap());
        let serving = shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = serving.clone();
                let answer = service_fn(move |request| {
                    let shared = shared.clone();
                    async move { Ok::<_, Infallible>(shared.answer(request).await) }
                });
                let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
                tokio::spawn(served);
            }
        });
        Self { url, dir, shared }
    }

    /// Where the files of the account are.
    pub fn files(&self) -> PathBuf {
        self.dir.path().join(&FILES[1..])
    }

    /// The uploads that are under way.
    pub fn uploads(&self) -> Vec<PathBuf> {
        let uploads = std::fs::read_dir(self.dir.path().join(&UPLOADS[1..])).unwrap();
        uploads.map(|entry| entry.unwrap().path()).collect()
    }

    pub fn cause(&self, trouble: Trouble) {
        *self.shared.trouble.lock().unwrap() = trouble;
    }

    /// What was asked since the last time.
    pub fn asked(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.shared.asked.lock().unwrap())
    }
}

fn status(status: u16) -> Answer {
    Response::builder().status(status).body(Full::default()).unwrap()
}

fn text<'r>(request: &'r Request<Bytes>, name: &str) -> Option<&'r str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

/// Seconds since 1970 as the time of a file.
fn set_time(path: &Path, secs: u64) {
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(secs)).unwrap();
}

fn sha1(content: &[u8]) -> String {
    Sha1::digest(content).iter().map(|b| format!("{b:02x}")).collect()
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await else { return status(400) };
        let request = Request::from_parts(head, body.to_bytes());
        let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
        self.asked.lock().unwrap().push((method.clone(), path.clone()));
        if path.starts_with(UPLOADS) { self.upload(&method, &path, request).await } else { self.file(request).await }
    }

    /// The path on the disk of a path or an address.
    fn on_disk(&self, address: &str) -> PathBuf {
        let path = address.split_once("://").map_or(address, |(_, rest)| &rest[rest.find('/').unwrap()..]);
        self.root.join(percent_decode_str(path.trim_matches('/')).decode_utf8().unwrap().as_ref())
    }

    async fn dav(&self, request: Request<Bytes>) -> (hyper::http::response::Parts, Bytes) {
        let (head, body) = request.into_parts();
        let answer = self.handler.handle(Request::from_parts(head, Full::new(body))).await;
        let (head, body) = answer.into_parts();
        (head, body.collect().await.unwrap().to_bytes())
    }

    async fn file(&self, request: Request<Bytes>) -> Answer {
        let (method, at) = (request.method().to_string(), self.on_disk(request.uri().path()));
        let asked = String::from_utf8_lossy(request.body()).into_owned();
        if method == "PROPPATCH" {
            let wanted = asked.split("lastmodified>").nth(1).and_then(|rest| rest.split('<').next()?.parse().ok());
            let Some(secs) = wanted else { return status(403) };
            set_time(&at, secs);
            return status(207);
        }
        let (time, sum) =
            (text(&request, "x-oc-mtime").map(str::to_owned), text(&request, "oc-checksum").map(str::to_owned));
        let own = format!("SHA1:{}", sha1(request.body()));
        if method == "PUT" && sum.is_some_and(|sum| sum != own) {
            return status(400);
        }
        let (mut head, mut body) = self.dav(request).await;
        if method == "PUT" && head.status.is_success() {
            self.damage(&at);
            if let Some(secs) = time.and_then(|time| time.parse().ok()) {
                set_time(&at, secs);
            }
        }
        if method == "PROPFIND" && head.status == 207 {
            body = self.with_ids(std::str::from_utf8(&body).unwrap(), asked.contains("checksums")).into();
            head.headers.remove("content-length");
        }
        Response::from_parts(head, Full::new(body))
    }

    fn damage(&self, at: &Path) {
        if self.trouble.lock().unwrap().damages {
            let mut content = std::fs::read(at).unwrap();
            content[0] ^= 1;
            std::fs::write(at, content).unwrap();
        }
    }

    /// Adds what Nextcloud says of each item.
    fn with_ids(&self, xml: &str, wants_sums: bool) -> String {
        let mut whole = String::new();
        for piece in xml.split_inclusive("</D:href>") {
            whole.push_str(piece);
            let Some(href) = piece.strip_suffix("</D:href>").and_then(|before| before.rsplit('>').next()) else {
                continue;
            };
            let at = self.on_disk(href);
            let Ok(seen) = std::fs::metadata(&at) else { continue };
            let sums = match wants_sums && seen.is_file() {
                true => format!(
                    "<oc:checksums><oc:checksum>SHA1:{}</oc:checksum></oc:checksums>",
                    sha1(&std::fs::read(&at).unwrap())
                ),
                false => String::new(),
            };
            whole.push_str(&format!(
                "<D:propstat><D:prop xmlns:oc=\"http://owncloud.org/ns\"><oc:fileid>{}</oc:fileid>{sums}</D:prop>\
                 <D:status>HTTP/1.1 200 OK</D:status></D:propstat>",
                seen.ino()
            ));
        }
        whole
    }

    async fn upload(&self, method: &str, path: &str, request: Request<Bytes>) -> Answer {
        let trouble = *self.trouble.lock().unwrap();
        if trouble.has_no_uploads {
            return status(404);
        }
        let name = path.trim_end_matches('/').rsplit('/').next().unwrap().to_owned();
        let has_destination = text(&request, "destination").is_some_and(|to| to.contains(FILES));
        match method {
            "MOVE" if !has_destination => status(400),
            "PUT" => {
                // Version 1, which other clients still speak: any name, put together in their order.
                let number = if has_destination { name.parse().unwrap_or(0) } else { 1 };
                if !(1..=10_000_u64).contains(&number) {
                    return status(400);
                }
                if trouble.fails_at_chunk.is_some_and(|from| number >= from) {
                    return status(500);
                }
                Response::from_parts(self.dav(request).await.0, Full::default())
            }
            "MOVE" if name == ".file" => self.join(&path[..path.len() - name.len()], &request, trouble),
            "MKCOL" | "PROPFIND" | "DELETE" => {
                let (head, body) = self.dav(request).await;
                Response::from_parts(head, Full::new(body))
            }
            _ => status(405),
        }
    }

    fn join(&self, upload: &str, request: &Request<Bytes>, trouble: Trouble) -> Answer {
        let dir = self.on_disk(upload);
        let Ok(entries) = std::fs::read_dir(&dir) else { return status(404) };
        let mut chunks: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        chunks.sort();
        let parts: Vec<Vec<u8>> = chunks.iter().map(|chunk| std::fs::read(chunk).unwrap()).collect();
        if parts.iter().rev().skip(1).any(|part| (part.len() as u64) < LEAST) {
            return status(400);
        }
        let content = parts.concat();
        if text(request, "oc-total-length").is_some_and(|total| total != content.len().to_string()) {
            return status(400);
        }
        if text(request, "oc-checksum").is_some_and(|sum| sum != format!("SHA1:{}", sha1(&content))) {
            return status(400);
        }
        let to = self.on_disk(text(request, "destination").unwrap());
        let joined = dir.join(".file");
        std::fs::write(&joined, content).unwrap();
        if let Some(secs) = text(request, "x-oc-mtime").and_then(|secs| secs.parse().ok()) {
            set_time(&joined, secs);
        }
        let is_new = !to.exists();
        if std::fs::rename(joined, &to).is_err() {
            return status(409);
        }
        self.damage(&to);
        std::fs::remove_dir_all(dir).unwrap();
        if trouble.is_slow { status(504) } else { status(if is_new { 201 } else { 204 }) }
    }
}
