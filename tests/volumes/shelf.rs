//! Deleting, restoring and purging.

use portbook::model::StorageVolume;
use portbook::{Code, wait};

use crate::world::{World, claims, code, listed, put, read};

claims! {
    a_deleted_file_can_be_restored_until_it_is_purged
    a_path_that_is_taken_is_not_restored_over
    two_volumes_share_a_root
    what_is_kept_without_a_row_is_swept
}

fn a_deleted_file_can_be_restored_until_it_is_purged(world: &World) {
    let volume = world.volume();
    let made = put(&volume, "d/a", "content").unwrap();
    let deleted = wait(volume.delete("d/a")).unwrap();
    assert!(deleted.is_deleted);
    assert_eq!((listed(&volume), world.tree(), world.kept().len()), (vec![], vec![], 1));
    assert_eq!(code(wait(volume.stat(made.id))), Code::NotFound);
    assert_eq!(code(wait(volume.delete(made.id))), Code::NotFound);
    assert_eq!(world.used(&volume), 7, "it counts until it is purged");
    world.settled(&volume);
    std::fs::remove_dir_all(world.root().join("users")).unwrap();
    let restored = wait(volume.restore(made.id)).unwrap();
    assert_eq!((restored.id, restored.is_deleted), (made.id, false));
    assert_eq!(read(&volume, "d/a").unwrap(), "content");
    assert_eq!(code(wait(volume.restore(made.id))), Code::NotFound);
    world.settled(&volume);
    wait(volume.delete(made.id)).unwrap();
    wait(volume.purge(made.id)).unwrap();
    assert_eq!((world.used(&volume), world.kept().len()), (0, 0));
    assert_eq!(code(wait(volume.restore(made.id))), Code::NotFound);
    world.settled(&volume);
}

fn a_path_that_is_taken_is_not_restored_over(world: &World) {
    let volume = world.volume();
    let first = put(&volume, "a", "first").unwrap();
    wait(volume.delete("a")).unwrap();
    let second = put(&volume, "a", "second").unwrap();
    assert_ne!(first.id, second.id);
    assert_eq!(code(wait(volume.restore(first.id))), Code::Conflict);
    assert_eq!(read(&volume, "a").unwrap(), "second");
    wait(volume.delete("a")).unwrap();
    wait(volume.restore(first.id)).unwrap();
    assert_eq!(read(&volume, "a").unwrap(), "first");
    // Somebody put a file there beneath the volume.
    wait(volume.delete("a")).unwrap();
    std::fs::write(world.root().join(&first.row.storage_path), "foreign").unwrap();
    assert_eq!(code(wait(volume.restore(first.id))), Code::Conflict);
    assert_eq!(world.reservations(), []);
    std::fs::remove_file(world.root().join(&first.row.storage_path)).unwrap();
    wait(volume.restore(second.id)).unwrap();
    world.settled(&volume);
}

fn two_volumes_share_a_root(world: &World) {
    let row = |name: &str| StorageVolume { name: name.into(), default_prefix: Some(name.into()), ..world.row() };
    let (one, two) = (world.make(row("one")), world.make(row("two")));
    let first = put(&one, "a", "1").unwrap();
    put(&two, "a", "2").unwrap();
    assert_eq!(code(wait(two.stat(first.id))), Code::NotFound);
    wait(one.delete("a")).unwrap();
    wait(two.delete("a")).unwrap();
    wait(world.book.maintain()).unwrap();
    assert_eq!(world.kept().len(), 2, "what the other keeps is none of a volume's business");
    assert_eq!(code(wait(two.restore(first.id))), Code::NotFound);
    wait(one.restore(first.id)).unwrap();
    assert_eq!(read(&one, "a").unwrap(), "1");
}

fn what_is_kept_without_a_row_is_swept(world: &World) {
    let volume = world.volume();
    let made = put(&volume, "a", "1").unwrap();
    wait(volume.delete("a")).unwrap();
    let kept = world.root().join(".portbook/kept").join(volume.row().id.to_string()).join("00");
    std::fs::create_dir_all(&kept).unwrap();
    std::fs::write(kept.join(uuid::Uuid::now_v7().to_string()), "nobody's").unwrap();
    wait(world.session.maintain()).unwrap();
    assert_eq!(world.kept().len(), 1);
    wait(volume.restore(made.id)).unwrap();
    world.settled(&volume);
}
