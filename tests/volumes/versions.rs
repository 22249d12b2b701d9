//! What is kept of files that are overwritten.

use portbook::model::{StorageVolume, VersioningMode};
use portbook::{Code, wait};

use crate::world::{World, claims, code, names, put, read};

claims! {
    without_versions_the_former_content_is_in_the_trash
    the_target_keeps_what_would_be_overwritten
    the_source_keeps_every_state
    a_version_is_restored_by_a_new_one
    versions_are_purged_alone_or_with_their_file
    room_of_what_is_not_kept_is_given_back
}

fn without_versions_the_former_content_is_in_the_trash(world: &World) {
    let volume = world.versioned(VersioningMode::None);
    let first = put(&volume, "a", "one").unwrap();
    let second = put(&volume, "a", "three").unwrap();
    assert_eq!((first.id, second.row.version_no), (second.id, 1));
    assert!(second.updated_at > first.updated_at);
    assert_eq!(read(&volume, "a").unwrap(), "three");
    assert_eq!(wait(volume.versions(first.id)).unwrap(), []);
    let trash = names(crate::world::trash(world));
    assert_eq!(trash.len(), 1, "{trash:?}");
    world.settled(&volume);
}

fn the_target_keeps_what_would_be_overwritten(world: &World) {
    let volume = world.versioned(VersioningMode::Target);
    let made = put(&volume, "d/a", "one").unwrap();
    put(&volume, "d/a", "two").unwrap();
    put(&volume, "d/a", "two").unwrap();
    let last = put(&volume, "d/a", "three").unwrap();
    assert_eq!((last.id, last.row.version_no), (made.id, 3));
    let versions = wait(volume.versions(made.id)).unwrap();
    let seen: Vec<_> = versions.iter().map(|v| (v.row.version_no, read(&volume, v.id).unwrap())).collect();
    assert_eq!(seen, [(2, "two".to_owned()), (1, "one".to_owned())]);
    assert!(versions.iter().all(|v| v.row.version_of == Some(made.id) && v.row.filename == "a"));
    assert_eq!(names(world.tree()).len(), 1, "versions are out of sight");
    world.settled(&volume);
}

fn the_source_keeps_every_state(world: &World) {
    let volume = world.versioned(VersioningMode::Source);
    let made = put(&volume, "a", "one").unwrap();
    put(&volume, "a", "one").unwrap();
    put(&volume, "a", "two").unwrap();
    let versions = wait(volume.versions(made.id)).unwrap();
    let seen: Vec<_> = versions.iter().map(|v| (v.row.version_no, read(&volume, v.id).unwrap())).collect();
    assert_eq!(seen, [(2, "one".to_owned()), (1, "one".to_owned())]);
    world.settled(&volume);
}

fn a_version_is_restored_by_a_new_one(world: &World) {
    let volume = world.versioned(VersioningMode::Target);
    let made = put(&volume, "a.txt", "one").unwrap();
    put(&volume, "a.txt", "two").unwrap();
    let first = wait(volume.versions(made.id)).unwrap().remove(0);
    let restored = wait(volume.restore_version(first.id)).unwrap();
    assert_eq!((restored.id, restored.row.version_no), (made.id, 3));
    assert_eq!(read(&volume, "a.txt").unwrap(), "one");
    assert_eq!(wait(volume.versions(made.id)).unwrap().len(), 2);
    assert_eq!(code(wait(volume.restore_version(made.id))), Code::NotFound, "it is no version");
    wait(volume.delete(made.id)).unwrap();
    assert_eq!(code(wait(volume.restore_version(first.id))), Code::NotFound, "its file is deleted");
    assert_eq!(read(&volume, first.id).unwrap(), "one", "versions outlive the file until it is purged");
    world.settled(&volume);
}

fn versions_are_purged_alone_or_with_their_file(world: &World) {
    let volume = world.versioned(VersioningMode::Target);
    let made = put(&volume, "a", "1").unwrap();
    for content in ["22", "333", "4444"] {
        put(&volume, "a", content).unwrap();
    }
    assert_eq!(world.used(&volume), 10);
    let versions = wait(volume.versions(made.id)).unwrap();
    assert_eq!(code(wait(volume.delete(versions[1].id))), Code::Invalid);
    wait(volume.purge(versions[1].id)).unwrap();
    assert_eq!(world.used(&volume), 8);
    world.settled(&volume);
    assert_eq!(code(wait(volume.purge(made.id))), Code::Conflict);
    wait(volume.delete(made.id)).unwrap();
    wait(volume.purge(made.id)).unwrap();
    assert_eq!((world.used(&volume), world.kept(), world.tree()), (0, vec![], vec![]));
    assert_eq!(code(wait(volume.purge(made.id))), Code::NotFound);
    world.settled(&volume);
}

fn room_of_what_is_not_kept_is_given_back(world: &World) {
    let row = |name: &str, mode| StorageVolume {
        name: name.into(),
        default_prefix: Some(name.into()),
        versioning_mode: mode,
        quota_limit: Some(10),
        ..world.row()
    };
    let none = world.make(row("none", VersioningMode::None));
    put(&none, "a", "12345678").unwrap();
    put(&none, "a", "1234567890").unwrap();
    assert_eq!(code(put(&none, "b", "1")), Code::Quota);
    put(&none, "a", "1").unwrap();
    assert_eq!(world.used(&none), 1);
    let target = world.make(row("target", VersioningMode::Target));
    put(&target, "a", "123456").unwrap();
    assert_eq!(code(put(&target, "a", "12345")), Code::Quota, "both would count");
    put(&target, "a", "1234").unwrap();
    assert_eq!(world.used(&target), 10);
}
