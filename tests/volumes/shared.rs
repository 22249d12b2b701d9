//! Volumes whose paths are made of the content.

use std::sync::Arc;

use portbook::model::{AutoPathStrategy, StorageVolume, Stored, StoredFile, VersioningMode};
use portbook::volume::{NewFile, Volume};
use portbook::{Code, wait};

use crate::world::{World, bytes, claims, code, names, read};

claims! {
    equal_contents_are_stored_once
    a_content_goes_with_the_last_that_shares_it
    a_damaged_content_is_put_anew
    equal_contents_at_once_are_stored_once
}

fn hashed(world: &World) -> Volume {
    let versioning_mode = VersioningMode::Target;
    world.make(StorageVolume { auto_path_strategy: AutoPathStrategy::Hash, versioning_mode, ..world.row() })
}

fn put(volume: &Volume, name: &str, content: &str) -> Stored<StoredFile> {
    wait(volume.put(NewFile::named(name, bytes(content)))).unwrap()
}

fn equal_contents_are_stored_once(world: &World) {
    let volume = hashed(world);
    let (one, two, other) = (put(&volume, "1.txt", "same"), put(&volume, "2.html", "same"), put(&volume, "3", "other"));
    let hex = blake3::hash(b"same").to_hex().to_string();
    let address = format!("users/{}/{}/{}/{hex}", one.row.user_id.unwrap(), &hex[..2], &hex[2..4]);
    assert_eq!(one.row.storage_path, address);
    assert_eq!(two.row.storage_path, format!("{address}#{}", two.id.0.simple()));
    assert_eq!(names(world.tree()).len(), 2);
    for (file, content) in [(&one, "same"), (&two, "same"), (&other, "other")] {
        assert_eq!(read(&volume, file.id).unwrap(), content);
    }
    assert_eq!(two.row.mime_type.as_deref(), Some("text/html"));
    assert_eq!(world.used(&volume), 13, "each file counts");
    assert_eq!(code(wait(volume.put(NewFile::at("a/path", bytes("x"))))), Code::Invalid);
    // Another user's equal content is their own.
    let (session, _) = world.another("other");
    put(&wait(session.volume("v")).unwrap(), "4", "same");
    assert_eq!(names(world.tree()).len(), 3);
}

fn a_content_goes_with_the_last_that_shares_it(world: &World) {
    let volume = hashed(world);
    let files = ["1", "2", "3"].map(|name| put(&volume, name, "same"));
    wait(volume.delete(files[0].id)).unwrap();
    assert_eq!(read(&volume, files[1].id).unwrap(), "same");
    let fourth = put(&volume, "4", "same");
    assert_eq!(fourth.row.storage_path, files[0].row.storage_path, "the address is free again");
    let restored = wait(volume.restore(files[0].id)).unwrap();
    assert_ne!(restored.row.storage_path, fourth.row.storage_path);
    assert_eq!(read(&volume, restored.id).unwrap(), "same");
    world.settled(&volume);
    for id in [files[0].id, files[1].id, fourth.id] {
        wait(volume.delete(id)).unwrap();
        wait(volume.purge(id)).unwrap();
        assert_eq!(read(&volume, files[2].id).unwrap(), "same");
        world.settled(&volume);
    }
    // A deleted file holds its content, too.
    let fifth = put(&volume, "5", "same");
    wait(volume.delete(files[2].id)).unwrap();
    wait(volume.delete(fifth.id)).unwrap();
    wait(volume.purge(fifth.id)).unwrap();
    wait(volume.restore(files[2].id)).unwrap();
    assert_eq!(read(&volume, files[2].id).unwrap(), "same");
    wait(volume.delete(files[2].id)).unwrap();
    wait(volume.purge(files[2].id)).unwrap();
    assert_eq!((world.tree(), world.kept(), world.used(&volume)), (vec![], vec![], 0));
    world.settled(&volume);
}

fn a_damaged_content_is_put_anew(world: &World) {
    let volume = hashed(world);
    let first = put(&volume, "1", "same");
    std::fs::write(world.root().join(&first.row.storage_path), "SAME").unwrap();
    let second = put(&volume, "2", "same");
    assert_eq!((read(&volume, first.id).unwrap(), read(&volume, second.id).unwrap()), ("same".into(), "same".into()));
    assert_eq!(world.kept(), []);
    world.settled(&volume);
}

fn equal_contents_at_once_are_stored_once(world: &World) {
    let volume = Arc::new(hashed(world));
    let putting: Vec<_> = (0..8)
        .map(|i| {
            let volume = volume.clone();
            std::thread::spawn(move || put(&volume, &i.to_string(), "same").id)
        })
        .collect();
    let ids: Vec<_> = putting.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(names(world.tree()).len(), 1);
    assert!(ids.iter().all(|id| read(&volume, *id).unwrap() == "same"));
    world.settled(&volume);
}
