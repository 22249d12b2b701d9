//! Places that are saved: what is read back is what was saved, and what lets one in is sealed.

use portbook::conduit::{ConduitOptions, Place};
use portbook::model::{FtpEndpoint, HttpEndpoint, S3Bucket, S3Credential, Table};
use portbook::provider::{Access, Address};
use portbook::table::Filter;
use portbook::{Code, Trust, wait};

use crate::world::{World, claims};

claims! {
    a_place_comes_back_as_it_was_saved
    what_cannot_be_saved_leaves_nothing
    a_directory_is_saved_once_it_is_there
    a_path_leads_out_of_no_volume
    directories_of_volumes_stay_apart_and_approved
}

fn access(user: Option<&str>, password: Option<&str>) -> Access {
    Access { user: user.map(Into::into), password: password.map(Into::into), ..Access::default() }
}

/// Addresses and what lets one in there, of each kind.
fn places() -> Vec<(&'static str, Access)> {
    let keys = || access(Some("id"), Some("secret"));
    vec![
        (
            "s3://bucket/photos",
            Access {
                endpoint: Some("http://127.0.0.1:9000".into()),
                region: Some("eu-central-1".into()),
                path_style: Some(true),
                token: Some("session".into()),
                ..keys()
            },
        ),
        (
            "sftp://me@host:2222/srv",
            Access {
                passphrase: Some("open sesame".into()),
                key_file: Some("/home/me/key".into()),
                host_key: Some("SHA256:abc".into()),
                known_hosts: Some("/home/me/hosts".into()),
                ..Access::default()
            },
        ),
        ("sftp://me@host/~/docs", access(None, Some("hunter2"))),
        ("ftp://me@host/pub", Access { plain: true, ..access(None, Some("hunter2")) }),
        ("ftp://me@host/pub", Access { trust: Trust::Certificate([7; 32]), ..access(None, Some("hunter2")) }),
        (
            "ftps://me@host/pub",
            Access { tls12_only: true, trust: Trust::Authorities("/ca.pem".into()), ..access(None, Some("hunter2")) },
        ),
        ("davs://host/dav/a%20b", access(Some("me"), Some("hunter2"))),
        ("dav://host/dav", Access { digest: true, ..access(Some("me"), Some("hunter2")) }),
        ("https://host/files", Access { token: Some("bearer".into()), ..Access::default() }),
        ("http://host/files", Access { header: Some(("X-Key".into(), "hunter2".into())), ..Access::default() }),
        (
            "http://host/files",
            Access { query_param: Some("id".into()), index: Some("i.json".into()), ..Access::default() },
        ),
    ]
}

/// What is not told by the address stands in the access after it was read back.
fn as_read(address: &Address, access: &Access) -> Access {
    let mut access = access.clone();
    if let Address::Sftp(_) | Address::Ftp(_) | Address::Ftps(_) = address {
        access.implicit = Some(matches!(address, Address::Ftps(_)));
        access.plain = access.plain || matches!(address, Address::Sftp(_));
    }
    access
}

fn a_place_comes_back_as_it_was_saved(world: &World) {
    for (number, (text, access)) in places().into_iter().enumerate() {
        let address: Address = text.parse().unwrap();
        let name = format!("volume {number}");
        let id = wait(world.session.save_volume(&name, address.clone(), access.clone())).unwrap();
        for called in [name, id.to_string()] {
            let Place::Volume { volume, path, at } = wait(world.session.place(called, "/a/b/")).unwrap() else {
                panic!()
            };
            let prefix = if text.starts_with("s3") { "photos/" } else { "" };
            assert_eq!((volume, path), (id, format!("{prefix}a/b")));
            assert_eq!(at.directory(), None);
            assert_eq!(at.remote(), Some(&(address.join("a/b"), as_read(&address, &access))), "{text}");
        }
    }
    let listed = wait(world.session.volumes()).unwrap();
    let named: Vec<_> = listed.iter().filter(|v| v.name.starts_with("volume ")).collect();
    assert_eq!(named.len(), places().len());
    assert!(!format!("{listed:?}").contains("hunter2"));
    assert!(named.iter().any(|v| v.place == "s3://bucket/photos") && named.iter().all(|v| v.is_active));
    for volume in named {
        wait(world.session.remove_volume(&volume.name)).unwrap();
    }
    assert_eq!(left::<S3Bucket>(world) + left::<S3Credential>(world), 0, "the rows of a volume go with it");
    assert_eq!(left::<FtpEndpoint>(world) + left::<HttpEndpoint>(world), 0);
}

fn left<T: Table>(world: &World) -> usize {
    wait(world.session.rows::<T>().list(Filter::all(), None, 100)).unwrap().rows.len()
}

fn what_cannot_be_saved_leaves_nothing(world: &World) {
    let save = |name: &str| {
        let address = "s3://bucket/photos".parse().unwrap();
        wait(world.session.save_volume(name, address, access(Some("id"), Some("secret"))))
    };
    save("taken").unwrap();
    assert_eq!(save("taken").unwrap_err().code(), Code::Conflict);
    assert_eq!(save("").unwrap_err().code(), Code::Invalid);
    assert_eq!((left::<S3Bucket>(world), left::<S3Credential>(world)), (1, 1));
    assert_eq!(wait(world.session.remove_volume("none")).unwrap_err().code(), Code::NotFound);
    assert_eq!(wait(world.session.place("none", "")).err().unwrap().code(), Code::NotFound);
}

fn a_directory_is_saved_once_it_is_there(world: &World) {
    let path = world.dir.path().canonicalize().unwrap().join("photos");
    assert_eq!(wait(world.session.save_directory("photos", &path)).unwrap_err().code(), Code::NotFound);
    std::fs::create_dir(&path).unwrap();
    let id = wait(world.session.save_directory("photos", &path)).unwrap();
    wait(world.session.save_directory("the same", &path)).unwrap();
    let Place::Volume { volume, path: within, at } = wait(world.session.place("photos", "/2026/")).unwrap() else {
        panic!()
    };
    assert_eq!((volume, within.as_str()), (id, "2026"));
    assert_eq!((at.directory(), at.remote()), (Some(&*path.join("2026")), None));
    wait(world.session.remove_volume("photos")).unwrap();
    assert!(wait(world.session.place("the same", "")).is_ok());
}

fn a_path_leads_out_of_no_volume(world: &World) {
    let address: Address = "sftp://me@host/srv".parse().unwrap();
    wait(world.session.save_volume("server", address, access(None, Some("hunter2")))).unwrap();
    for path in ["..", "a/../b", "a//b", "./a"] {
        assert_eq!(wait(world.session.place("server", path)).err().unwrap().code(), Code::Invalid, "{path}");
    }
    let Place::Volume { at, .. } = wait(world.session.place("server", "")).unwrap() else { panic!() };
    assert_eq!(at.to_string(), "sftp://me@host/srv");
}

/// Directories of volumes and bare ones are held against each other, links resolved.
fn directories_of_volumes_stay_apart_and_approved(world: &World) {
    let root = world.dir.path().canonicalize().unwrap().join("shared");
    let outside = world.dir.path().canonicalize().unwrap().join("outside");
    for dir in [&root, &root.join("a"), &outside] {
        std::fs::create_dir(dir).unwrap();
    }
    std::os::unix::fs::symlink(&outside, root.join("out")).unwrap();
    std::os::unix::fs::symlink(root.join("a"), root.join("in")).unwrap();
    wait(world.session.save_directory("one", &root)).unwrap();
    wait(world.session.save_directory("two", &root)).unwrap();
    let place = |volume: &str, path: &str| wait(world.session.place(volume, path)).unwrap();
    let connect = |source: Place, target: Place| {
        wait(world.session.connect(source, target, ConduitOptions::default())).map(|_| ()).map_err(|e| e.code())
    };
    let local = |path: &str| Place::Local(root.join(path));
    let together = [
        (place("one", ""), local("a")),
        (local("a"), place("one", "")),
        (place("one", "a"), place("two", "a")),
        (place("one", ""), place("two", "a")),
        (place("one", "in"), local("a")),
        (place("one", "a/b"), place("one", "a")),
    ];
    for (source, target) in together {
        assert_eq!(connect(source, target), Err(Code::Invalid));
    }
    assert_eq!(connect(place("one", "out"), place("one", "a")), Err(Code::Permission), "a link leads out of it");
    connect(place("one", "in"), place("two", "b")).unwrap();
    connect(place("one", "a"), Place::Local(outside)).unwrap();
}
