//! Servers in this process over a directory; they end with the runtime.

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use dav_server::DavHandler;
use dav_server::fakels::FakeLs;
use dav_server::localfs::LocalFs;
use dav_server::ls::DavLockSystem;
use dav_server::memls::MemLs;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

/// A WebDAV server; answers its address.
pub async fn webdav(directory: &Path) -> String {
    webdav_with(directory, FakeLs::new()).await
}

/// A WebDAV server whose locks hold.
pub async fn locking_webdav(directory: &Path) -> String {
    webdav_with(directory, MemLs::new()).await
}

async fn webdav_with(directory: &Path, locks: Box<dyn DavLockSystem>) -> String {
    let handler = DavHandler::builder()
        .filesystem(LocalFs::new(directory, false, false, false))
        .locksystem(locks)
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

/// An FTP server; answers its port. Anybody is let in.
pub async fn ftp(directory: &Path) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let data = directory.to_path_buf();
    let storage = Box::new(move || unftp_sbe_fs::Filesystem::new(data.clone()).unwrap());
    let server = libunftp::ServerBuilder::new(storage).passive_ports(49152..=65535).build().unwrap();
    tokio::spawn(server.listen(format!("127.0.0.1:{port}")));
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    port
}

/// A server of S3 that verifies signatures (s3s), with the bucket `bucket`; answers its endpoint. The keys are `key` and
/// `secret-key`.
pub async fn s3(directory: &Path) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    serve_s3(directory, listener, None);
    address
}

/// As [`s3`], of a server whose buckets are hosts beneath its own.
pub async fn s3_of_hosts(directory: &Path) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("s3.localhost:{}", listener.local_addr().unwrap().port());
    serve_s3(directory, listener, Some(&host));
    format!("http://{host}")
}

fn serve_s3(directory: &Path, listener: tokio::net::TcpListener, host: Option<&str>) {
    std::fs::create_dir(directory.join("bucket")).unwrap();
    let mut builder = s3s::service::S3ServiceBuilder::new(s3s_fs::FileSystem::new(directory).unwrap());
    builder.set_auth(s3s::auth::SimpleAuth::from_single("key", "secret-key"));
    if let Some(host) = host {
        builder.set_host(s3s::host::SingleDomain::new(host).unwrap());
    }
    let service = builder.build();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let served =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service.clone());
            tokio::spawn(served);
        }
    });
}
