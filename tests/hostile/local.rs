//! A simulated disk that fails in one way about a part of it.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use portbook::Code;
use portbook::conduit::Place;
use portbook::delta::{Expect, Metadata};
use portbook::model::{Kind, RelPath};
use portbook::provider::local::Local;
use portbook::provider::simulation::{FaultDisk, ModelDisk, Op};
use portbook::provider::{Listing, Provider as _};

use crate::contract::{path, put};
use crate::story::{Ground, Told, Tree, tell, told};

const EIO: i32 = 5;
const EACCES: i32 = 13;

/// What fails, of which name, and how.
type Fault = (Op, &'static [u8], i32);

struct Disk {
    disk: FaultDisk<ModelDisk>,
    fault: Fault,
}

impl Disk {
    fn local(&self) -> Local<FaultDisk<ModelDisk>> {
        Local::open_on(Arc::new(self.disk.clone()), Path::new("/")).unwrap()
    }
}

#[async_trait]
impl Ground for Disk {
    fn place(&self) -> Place {
        Place::Provider { key: "disk".into(), provider: Arc::new(self.local()) }
    }

    async fn put(&self, at: &str, content: &[u8]) {
        let local = self.local();
        let dir = path(at).parent().unwrap();
        if local.stat(vec![dir.clone()]).await.remove(0).unwrap().is_none() {
            local.make_dirs(vec![(dir, Metadata::default())]).await.remove(0).unwrap();
        }
        put(&local, at, content, Expect::Absent).await.unwrap();
    }

    async fn tree(&self) -> Tree {
        let local = self.local();
        let (mut found, mut dirs) = (Tree::new(), vec![RelPath::root()]);
        while let Some(dir) = dirs.pop() {
            let Listing::Complete(entries) = local.list(vec![dir.clone()]).await.remove(0) else { panic!("{dir}") };
            for entry in entries {
                let at = dir.join(&entry.name);
                let mut content = None;
                if entry.node.kind == Kind::File {
                    let opened = local.read(&at, Some(&entry.node), 0, None).await.unwrap();
                    content = Some(opened.bytes.try_collect::<Vec<_>>().await.unwrap().concat());
                } else {
                    dirs.push(at.clone());
                }
                found.insert(at.to_string(), content);
            }
        }
        found
    }

    fn misbehaves(&self, does: bool) {
        self.disk.heal();
        let (op, name, errno) = self.fault;
        if does {
            self.disk.fail_when(move |call| call.op == op && call.name == name, errno);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn local() {
    let cases: [(&str, Fault, Told); 3] = [
        ("a directory that may not be read", (Op::OpenDir, b"bad", EACCES), told(Code::Permission, "")),
        ("a directory that cannot be read", (Op::OpenDir, b"bad", EIO), told(Code::Storage, "")),
        ("an item that cannot be looked at", (Op::ReadEntry, b"c", EIO), told(Code::Storage, "")),
    ];
    crate::all(cases.into_iter().map(|(what, fault, expected)| async move {
        let disk = Disk { disk: FaultDisk::new(ModelDisk::default()), fault };
        tell(what, &disk, expected).await;
    }))
    .await;
}
