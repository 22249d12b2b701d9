//! The contract on the kernel's file systems and on simulated disks of every temper.

use std::path::Path;
use std::sync::Arc;

use portbook::Code;
use portbook::provider::Provider as _;
use portbook::provider::local::{Local, PortableDisk};
use portbook::provider::simulation::{FaultDisk, ModelDisk, ModelOptions};

use crate::contract;

#[tokio::test]
async fn a_directory_of_this_machine_keeps_the_contract() {
    let (left, right) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    contract::run(|| Local::open(left.path()).unwrap(), || Local::open(right.path()).unwrap()).await;
}

#[tokio::test]
async fn a_directory_by_the_standard_library_alone_keeps_the_contract() {
    let (left, right) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let open = |dir: &Path| Local::open_on(Arc::new(PortableDisk), dir).unwrap();
    contract::run(|| open(left.path()), || open(right.path())).await;
}

fn on(disk: &FaultDisk<ModelDisk>) -> Local<FaultDisk<ModelDisk>> {
    Local::open_on(Arc::new(disk.clone()), Path::new("/")).unwrap()
}

#[tokio::test]
async fn simulated_disks_of_every_temper_keep_the_contract() {
    let plain = ModelOptions::default();
    let cases = [
        ("plain", plain),
        ("no rename flags", ModelOptions { rename_flags: false, ..plain }),
        ("no links", ModelOptions { links: false, ..plain }),
        ("neither", ModelOptions { rename_flags: false, links: false, ..plain }),
        ("no syncfs", ModelOptions { sync_all: false, ..plain }),
        ("folding case", ModelOptions { case_insensitive: true, ..plain }),
        ("folding normal forms", ModelOptions { unicode_insensitive: true, ..plain }),
        ("names of Windows", ModelOptions { windows_names: true, ..plain }),
        ("recycled inodes", ModelOptions { recycle_inodes: true, ..plain }),
    ];
    for (what, options) in cases {
        println!("{what}");
        let (left, right) = (FaultDisk::new(ModelDisk::new(options)), FaultDisk::new(ModelDisk::new(options)));
        contract::run(|| on(&left), || on(&right)).await;
    }
}

#[tokio::test]
async fn a_root_is_locked_once() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (Local::open(dir.path()).unwrap(), Local::open(dir.path()).unwrap());
    let lock = portbook::wait(one.lock(true)).unwrap();
    assert_eq!(portbook::wait(two.lock(true)).err().unwrap().code(), Code::Busy);
    drop(lock);
    assert!(portbook::wait(two.lock(true)).is_ok());
}
