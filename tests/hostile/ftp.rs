//! FTP: a server of this test that lies in one way.

use std::sync::Arc;

use async_trait::async_trait;
use portbook::Code;
use portbook::conduit::Place;
use portbook::provider::ftp::{Ftp, FtpOptions, FtpSecurity};

use crate::liar::{Liar, Lie};
use crate::story::{Ground, Told, Tree, stops, tell, told};

struct Server {
    liar: Liar,
    ftp: Ftp,
    lie: Lie,
    about: &'static str,
}

#[async_trait]
impl Ground for Server {
    fn place(&self) -> Place {
        Place::Provider { key: self.liar.port.to_string(), provider: Arc::new(self.ftp.clone()) }
    }

    async fn put(&self, path: &str, content: &[u8]) {
        self.liar.put(&format!("/{path}"), content);
    }

    async fn tree(&self) -> Tree {
        let items = self.liar.items().into_iter().filter(|(path, _)| path.len() > 1 && !path.starts_with("/.portbook"));
        items.map(|(path, content)| (path.trim_start_matches('/').to_owned(), content)).collect()
    }

    fn misbehaves(&self, does: bool) {
        self.liar.lies(if does { self.lie } else { Lie::None }, self.about);
    }
}

fn cases() -> Vec<(&'static str, Lie, Told)> {
    const ODD: &str = "cannot be understood";
    vec![
        ("a listing that ends within a line", Lie::CutsLines, told(Code::Offline, "within a line")),
        ("a listing that breaks off", Lie::BreaksListings, told(Code::Offline, "426 broken off")),
        ("a listing that nobody confirms", Lie::ForgetsListings, told(Code::Offline, "")),
        ("a forbidden directory", Lie::Denies, told(Code::Permission, "550 no")),
        ("a way up", Lie::Lists("type=file;size=3; c\r\ntype=file;size=1; ../up\r\n"), told(Code::Storage, ODD)),
        ("an absolute path", Lie::Lists("type=file;size=1; /etc/passwd\r\n"), told(Code::Storage, ODD)),
        ("a NUL", Lie::Lists("type=file;size=1; c\0\r\n"), told(Code::Storage, ODD)),
        ("a line end", Lie::Adds("type=file;size=1; x\rDELE d\r\n"), told(Code::Invalid, "")),
        ("a line that says nothing", Lie::Lists("c\r\n"), told(Code::Storage, ODD)),
        ("a name twice", Lie::Lists("type=file;size=3; c\r\ntype=file;size=4; c\r\n"), told(Code::Storage, "twice")),
        ("a negative size", Lie::Lists("type=file;size=-1; c\r\n"), told(Code::Storage, ODD)),
        ("no size", Lie::Lists("type=file; c\r\n"), told(Code::Storage, ODD)),
        (
            "a size beyond all",
            Lie::Lists("type=file;size=18446744073709551615; c\r\n"),
            told(Code::Storage, "nothing can have"),
        ),
        ("a file that ends early", Lie::CutsDownloads, told(Code::Offline, "end early")),
        ("a file that breaks off", Lie::DropsDownloads, told(Code::Offline, "")),
        ("a file that nobody confirms", Lie::NeverConfirms, told(Code::Offline, "")),
        ("a file with more bytes", Lie::SendsMore, told(Code::Stale, "more bytes")),
        ("an upload that nobody confirms", Lie::DiesStoring, told(Code::Offline, "")),
        ("no room", Lie::IsFull, told(Code::Quota, "552 no space")),
        ("a name that is refused", Lie::RefusesNames, told(Code::Invalid, "553 no such names here")),
    ]
}

async fn told_of(what: &'static str, lie: Lie, about: &'static str, expected: Told) {
    let liar = Liar::start(Lie::None).await;
    let options = FtpOptions {
        port: Some(liar.port),
        security: FtpSecurity::None,
        ..FtpOptions::new("127.0.0.1", "user", "password")
    };
    let ftp = Ftp::open(options).await.unwrap();
    tell(what, &Server { liar, ftp, lie, about }, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ftp() {
    let about_bad = cases().into_iter().map(|(what, lie, expected)| told_of(what, lie, "/bad", expected));
    crate::all(about_bad).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ftp_as_a_whole() {
    let emptied = Lie::Lists("type=cdir;modify=20240102030405; .\r\n");
    told_of("an emptied root", emptied, "/", stops(Code::Guard, "")).await;
}

/// An upload is compared with what the server says to have; what it takes a byte away from is no version of anything.
#[tokio::test(flavor = "multi_thread")]
async fn ftp_that_stores_something_else() {
    told_of("something else that is stored", Lie::Shrinks, "/bad/.portbook-tmp-", told(Code::Storage, "")).await;
}
