//! SFTP: another's implementation (russh-sftp) over a directory, which misbehaves in one way.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use portbook::Code;
use portbook::conduit::Place;
use portbook::provider::sftp::Sftp;

use crate::files;
use crate::sftp_server::{Twist, Twisted, start_twisted};
use crate::story::{Ground, Told, Tree, tell, told};

struct Server {
    dir: tempfile::TempDir,
    sftp: Arc<Sftp>,
    twisted: Twisted,
    twist: Twist,
}

impl Server {
    async fn start(twist: Twist) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let twisted = Twisted::default();
        let options = start_twisted(dir.path(), Arc::clone(&twisted)).await;
        let sftp = Arc::new(Sftp::connect(options("left")).await.unwrap());
        Self { dir, sftp, twisted, twist }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("left")
    }
}

#[async_trait]
impl Ground for Server {
    fn place(&self) -> Place {
        Place::Provider { key: self.dir.path().display().to_string(), provider: self.sftp.clone() }
    }

    async fn put(&self, path: &str, content: &[u8]) {
        files::write(&self.data().join(path), content, 600);
    }

    async fn tree(&self) -> Tree {
        files::tree(&self.data())
    }

    fn misbehaves(&self, does: bool) {
        *self.twisted.lock().unwrap() = if does { self.twist } else { Twist::None };
    }
}

fn cases() -> Vec<(&'static str, Twist, Told)> {
    const ODD: &str = "an impossible name";
    vec![
        ("a listing that ends half-way", Twist::FailsListing, told(Code::Storage, "bad sector")),
        ("a listing without an end", Twist::NeverEnds, told(Code::Storage, "twice")),
        ("a listing without a word", Twist::SaysNothing, told(Code::Storage, "does not end")),
        ("a forbidden directory", Twist::Denies, told(Code::Permission, "keep out")),
        ("a way up", Twist::Lists(&["c", "../up"], Some(3)), told(Code::Storage, ODD)),
        ("a NUL", Twist::Lists(&["c\0"], Some(3)), told(Code::Storage, ODD)),
        ("a name of nothing", Twist::Lists(&[""], Some(3)), told(Code::Storage, ODD)),
        ("a line end", Twist::Adds("x\r\ny"), told(Code::Stale, "gone")),
        ("a name twice", Twist::Lists(&["c", "c"], Some(3)), told(Code::Storage, "twice")),
        ("an item that is not there", Twist::Lists(&["no"], None), told(Code::Storage, "said not to be there")),
        ("a size beyond all", Twist::Lists(&["c", "d"], Some(u64::MAX)), told(Code::Storage, "nothing can have")),
        ("no room", Twist::IsFull("write: No space left on device"), told(Code::Quota, "No space left")),
        ("no quota", Twist::IsFull("Disc quota exceeded"), told(Code::Quota, "quota")),
        ("something else that is stored", Twist::Shrinks, told(Code::Storage, "13 of its 14 bytes")),
        ("a name that is refused", Twist::RefusesNames, told(Code::Storage, "no such names")),
        ("a file that ends early", Twist::EndsEarly, told(Code::Stale, "")),
        ("more bytes than were asked for", Twist::SendsMore, told(Code::Storage, "")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn sftp() {
    crate::all(cases().into_iter().map(|(what, twist, expected)| async move {
        tell(what, &Server::start(twist).await, expected).await;
    }))
    .await;
}
