//! Where files go, what is refused, who sees what.

use portbook::model::{
    AutoPathStrategy, Driver, Json, LocalPath, Namespace, StorageVolume, StoredFile, VersioningMode,
};
use portbook::volume::{FileFilter, FileRef, NewFile};
use portbook::{Code, wait};
use serde_json::json;

use crate::world::{World, bytes, claims, code, listed, names, put, read};

claims! {
    a_file_comes_back_as_it_was_put
    files_lie_where_the_rules_say
    what_cannot_be_held_is_refused_and_leaves_nothing
    a_list_goes_through_its_area_in_pages
    a_user_sees_what_is_theirs_and_what_is_public
    a_volume_is_opened_by_name_or_id_where_it_is_approved
    what_no_row_knows_is_not_overwritten
    a_row_is_believed_only_with_its_content
}

fn a_file_comes_back_as_it_was_put(world: &World) {
    let volume = world.volume();
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR and more";
    let mut file = NewFile::at("photos/a.bin", bytes(png));
    file.metadata = Json(json!({ "project": "Alpha" }));
    file.filename = "holiday ☀.jpg".into();
    let made = wait(volume.put(file)).unwrap();
    let expected = StoredFile {
        volume_id: volume.row().id,
        user_id: made.row.user_id,
        app_id: None,
        namespace: Namespace::Users,
        filename: "holiday ☀.jpg".into(),
        storage_path: format!("users/{}/photos/a.bin", made.row.user_id.unwrap()),
        mime_type: Some("image/png".into()),
        size: png.len() as i64,
        digest: Some(blake3::hash(png).as_bytes().to_vec()),
        version_of: None,
        version_no: 1,
        metadata: Json(json!({ "project": "Alpha" })),
        is_public: false,
    };
    assert_eq!(made.row, expected);
    assert_eq!(wait(volume.stat("photos/a.bin")).unwrap(), made);
    assert_eq!(wait(volume.stat(made.id)).unwrap(), made);
    put(&volume, "notes.txt", "0123456789").unwrap();
    let part = |offset, length| {
        let opened = wait(volume.get("notes.txt", offset, length))?;
        let pieces: Vec<bytes::Bytes> = wait(futures_util::TryStreamExt::try_collect(opened.bytes))?;
        portbook::Result::Ok(String::from_utf8(pieces.concat()).unwrap())
    };
    assert_eq!(part(0, None).unwrap(), "0123456789");
    assert_eq!(part(2, Some(3)).unwrap(), "234");
    assert_eq!(part(8, Some(30)).unwrap(), "89");
    assert_eq!(part(10, None).unwrap(), "");
    assert_eq!(code(part(11, None)), Code::Invalid);
    put(&volume, "empty", "").unwrap();
    assert_eq!(read(&volume, "empty").unwrap(), "");
    world.settled(&volume);
}

fn files_lie_where_the_rules_say(world: &World) {
    let row =
        |name: &str| StorageVolume { name: name.into(), default_prefix: Some(format!("/{name}/")), ..world.row() };
    let folders = world.make(row("folders"));
    let user = put(&folders, "a/b.txt", "1").unwrap().row.user_id.unwrap();
    wait(folders.put(NewFile::at("c", bytes("2")).of_app("chat"))).unwrap();
    let colons =
        StorageVolume { path_delimiter: "::".into(), default_prefix: Some("colons::in".into()), ..row("colons") };
    put(&world.make(colons), "x::y", "3").unwrap();
    let flat = world.make(StorageVolume { enforce_hierarchy: false, ..row("flat") });
    put(&flat, "a/b", "4").unwrap();
    assert_eq!(listed(&flat), ["a/b"]);
    let ids = world.make(StorageVolume { auto_path_strategy: AutoPathStrategy::Uuid, ..row("ids") });
    let first = wait(ids.put(NewFile::named("n.txt", bytes("5")))).unwrap();
    put(&ids, "given", "6").unwrap();
    let mut expected = vec![
        format!("folders/users/{user}/a/b.txt"),
        "folders/apps/chat/c".to_owned(),
        format!("colons/in/users/{user}/x/y"),
        format!("%2Fflat%2F%2Fusers%2F{user}%2Fa%2Fb").replace("%2Fflat%2F%2F", "flat%2F"),
        first.row.storage_path.clone(),
        format!("ids/users/{user}/given"),
    ];
    expected.sort();
    assert_eq!(names(world.tree()), expected);
    assert!(first.row.storage_path.ends_with(&first.id.to_string()), "{}", first.row.storage_path);
    assert_eq!(first.row.mime_type.as_deref(), Some("text/plain"));
}

fn what_cannot_be_held_is_refused_and_leaves_nothing(world: &World) {
    let volume = world.volume();
    let (long, longer) = ("n".repeat(256), "a/".repeat(2000) + "b");
    let paths = [
        "",
        "/etc/passwd",
        "../x",
        "a/../../x",
        ".",
        "a//b",
        "a/",
        "a\0",
        ".portbook/kept/x",
        ".portbook-tmp-put-1",
        &long,
        &longer,
    ];
    for path in paths {
        let mut file = NewFile::at(path, bytes("x"));
        file.filename = "x".into();
        assert_eq!(code(wait(volume.put(file))), Code::Invalid, "{path:?}");
        assert!(matches!(code(wait(volume.stat(path))), Code::Invalid | Code::NotFound), "{path:?}");
    }
    let valid = || NewFile::at("x", bytes("x"));
    let cases = [
        NewFile { path: None, ..valid() },
        NewFile { filename: String::new(), ..valid() },
        NewFile { filename: "f".repeat(1025), ..valid() },
        NewFile { filename: "a\0".into(), ..valid() },
        NewFile { metadata: Json(json!([1])), ..valid() },
        NewFile { metadata: Json(json!({ "a": "\0" })), ..valid() },
        NewFile { namespace: Namespace::Apps, ..valid() },
        valid().of_app("../users"),
        valid().of_app(""),
        valid().of_app("a".repeat(101)),
        valid().of_app(".portbook"),
    ];
    for (i, file) in cases.into_iter().enumerate() {
        assert_eq!(code(wait(volume.put(file))), Code::Invalid, "{i}");
    }
    assert_eq!(world.tree(), []);
    world.settled(&volume);
}

fn a_list_goes_through_its_area_in_pages(world: &World) {
    let volume = world.make(StorageVolume { default_prefix: Some("p".into()), ..world.row() });
    for name in ["b/2", "a", "b/1", "c", "b-", "ä/x"] {
        put(&volume, name, name).unwrap();
    }
    wait(volume.put(NewFile::at("app", bytes("x")).of_app("chat"))).unwrap();
    let all = |filter: FileFilter| {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = wait(volume.list(filter.clone(), after, 2)).unwrap();
            found.extend(page.files.iter().map(|f| volume.path_of(&f.row).unwrap()));
            after = page.next;
            if after.is_none() {
                return found;
            }
        }
    };
    assert_eq!(all(FileFilter::default()), ["a", "b-", "b/1", "b/2", "c", "ä/x"]);
    assert_eq!(all(FileFilter { prefix: "b/".into(), ..Default::default() }), ["b/1", "b/2"]);
    assert_eq!(all(FileFilter { prefix: "ä".into(), ..Default::default() }), ["ä/x"]);
    assert_eq!(all(FileFilter { app_id: Some("chat".into()), ..Default::default() }), ["app"]);
    assert_eq!(all(FileFilter { app_id: Some("cha".into()), ..Default::default() }), [""; 0]);
    wait(volume.delete("b/1")).unwrap();
    assert_eq!(all(FileFilter { prefix: "b".into(), ..Default::default() }), ["b-", "b/2"]);
}

fn a_user_sees_what_is_theirs_and_what_is_public(world: &World) {
    let volume = world.volume();
    let private = put(&volume, "private", "1").unwrap();
    let public = wait(volume.put(NewFile { is_public: true, ..NewFile::at("public", bytes("2")) })).unwrap();
    let (other, _) = world.another("other");
    let other = wait(other.volume("v")).unwrap();
    assert_eq!(code(wait(other.stat("private"))), Code::NotFound);
    assert_eq!(code(wait(other.stat(private.id))), Code::NotFound);
    assert_eq!(code(wait(other.get(private.id, 0, None)).map(drop)), Code::NotFound);
    assert_eq!(read(&other, public.id).unwrap(), "2");
    for id in [private.id, public.id] {
        assert_eq!(code(wait(other.delete(id))), Code::NotFound);
        assert_eq!(code(wait(other.versions(id))), Code::NotFound);
        assert_eq!(code(wait(other.purge(id))), Code::NotFound);
    }
    wait(volume.delete("private")).unwrap();
    assert_eq!(code(wait(other.restore(private.id))), Code::NotFound);
    assert_eq!(wait(other.list_deleted(None, 10)).unwrap().files, []);
    assert_eq!(wait(volume.list_deleted(None, 10)).unwrap().files.len(), 1);
    put(&other, "public", "theirs").unwrap();
    assert_eq!(read(&volume, "public").unwrap(), "2", "each user has a part of their own");
    wait(volume.put(NewFile::at("shared", bytes("of the app")).of_app("chat"))).unwrap();
    let shared = FileRef::AppPath { app_id: "chat".into(), path: "shared".into() };
    assert_eq!(read(&other, shared).unwrap(), "of the app");
}

fn a_volume_is_opened_by_name_or_id_where_it_is_approved(world: &World) {
    let volume = world.volume();
    assert_eq!(wait(world.session.volume("v")).unwrap().row(), volume.row());
    assert_eq!(wait(world.session.volume(volume.row().id.to_string())).unwrap().row(), volume.row());
    for name in ["w", "", "0190a000-0000-7000-8000-000000000000", "a\0b"] {
        assert_eq!(code(wait(world.session.volume(name))), Code::NotFound, "{name:?}");
    }
    let outside = world.dir.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, world.root().join("link")).unwrap();
    std::fs::create_dir(world.root().join("sub")).unwrap();
    let id = volume.row().row.config.0["local_path_id"].clone();
    let path = |path: &std::path::Path| Json(json!({ "path": path }));
    let cases = [
        ("outside", path(&outside), Err(Code::Permission)),
        ("up", path(&world.root().join("..")), Err(Code::Permission)),
        ("link", path(&world.root().join("link")), Err(Code::Permission)),
        ("relative", Json(json!({ "path": "sub" })), Err(Code::Invalid)),
        ("nothing", Json(json!({})), Err(Code::Invalid)),
        ("list", Json(json!([])), Err(Code::Invalid)),
        ("number", Json(json!({ "local_path_id": 7 })), Err(Code::Invalid)),
        ("unknown", Json(json!({ "local_path_id": uuid::Uuid::nil() })), Err(Code::Invalid)),
        ("sub", path(&world.root().join("sub")), Ok(())),
        ("both", Json(json!({ "local_path_id": id, "path": "sub" })), Ok(())),
        ("climbing", Json(json!({ "local_path_id": id, "path": "../outside" })), Err(Code::Permission)),
        ("missing", path(&world.root().join("missing")), Err(Code::NotFound)),
    ];
    for (name, config, expected) in cases {
        wait(world.session.rows().create(StorageVolume { name: name.into(), config, ..world.row() })).unwrap();
        let opened = wait(world.session.volume(name)).map(drop).map_err(|e| e.code());
        assert_eq!(opened, expected, "{name}");
    }
    wait(world.session.rows().create(StorageVolume { name: "s3".into(), driver: Driver::S3, ..world.row() })).unwrap();
    assert!(wait(world.session.volume("s3")).is_err(), "its config names no bucket");
    // One that is closed while it is open refuses what would change it.
    put(&volume, "a", "a").unwrap();
    let mut row = wait(world.session.rows::<StorageVolume>().get(volume.row().id)).unwrap();
    row.row.is_active = false;
    wait(world.session.rows().update(row)).unwrap();
    assert_eq!(code(put(&volume, "b", "b")), Code::Invalid);
    assert_eq!(code(wait(volume.delete("a"))), Code::Invalid);
    assert_eq!(code(wait(world.session.volume("v"))), Code::Invalid);
    let paths = wait(world.session.rows::<LocalPath>().list(portbook::table::Filter::all(), None, 10)).unwrap().rows;
    assert_eq!(paths.len(), 1);
}

fn what_no_row_knows_is_not_overwritten(world: &World) {
    for mode in VersioningMode::ALL {
        let name = mode.as_str();
        let volume = world.make(StorageVolume {
            name: name.into(),
            default_prefix: Some(name.into()),
            versioning_mode: *mode,
            ..world.row()
        });
        let made = put(&volume, "a", "a").unwrap();
        let dir = world.root().join(made.row.storage_path).parent().unwrap().to_owned();
        std::fs::write(dir.join("foreign"), "foreign").unwrap();
        std::fs::create_dir(dir.join("folder")).unwrap();
        for path in ["foreign", "folder", "a/b", "foreign/x"] {
            assert_eq!(code(put(&volume, path, "mine")), Code::Conflict, "{path}");
        }
        assert_eq!(std::fs::read(dir.join("foreign")).unwrap(), b"foreign");
        std::fs::remove_file(dir.join("foreign")).unwrap();
        put(&volume, "foreign", "mine").unwrap();
    }
    assert_eq!(world.reservations(), []);
}

fn a_row_is_believed_only_with_its_content(world: &World) {
    let volume = world.versioned(VersioningMode::Target);
    let made = put(&volume, "a", "what was put").unwrap();
    let at = world.root().join(&made.row.storage_path);
    std::fs::write(&at, "something else").unwrap();
    assert_eq!(code(read(&volume, "a")), Code::Stale);
    std::fs::remove_file(&at).unwrap();
    assert_eq!(code(read(&volume, "a")), Code::Stale);
    // A row that a host writes by itself leads neither out of the volume nor to what is kept.
    let kept = format!(".portbook/kept/{}/00/x", volume.row().id);
    for path in ["../../etc/passwd", "/etc/passwd", kept.as_str(), "a\u{1}/../b"] {
        let row = StoredFile { storage_path: path.into(), digest: None, ..made.row.clone() };
        let forged = wait(world.session.rows::<StoredFile>().create(row)).unwrap();
        assert_eq!(code(read(&volume, forged.id)), Code::Corrupt, "{path}");
        assert_eq!(code(wait(volume.delete(forged.id))), Code::Corrupt, "{path}");
        assert_eq!(world.reservations(), []);
        wait(world.session.rows::<StoredFile>().delete(forged.id)).unwrap();
    }
    // What is gone is no version of anything; putting it again heals it.
    put(&volume, "a", "again").unwrap();
    assert_eq!(wait(volume.versions(made.id)).unwrap(), []);
}
