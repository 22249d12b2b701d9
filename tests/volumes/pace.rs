//! How fast bytes pass to and from a volume.

use std::time::Instant;

use portbook::model::{Json, StorageVolume};
use portbook::{Code, wait};
use serde_json::json;

use crate::world::{World, claims, code, put, read};

claims! {
    a_volume_has_a_limit_of_its_own
    a_half_done_copy_does_not_stand_in_the_way
}

fn a_volume_has_a_limit_of_its_own(world: &World) {
    let volume = world.volume();
    put(&volume, "a", &"x".repeat(4096)).unwrap();
    wait(world.session.limit_volume("v", Some("8k".parse().unwrap()))).unwrap();
    let row = wait(world.session.rows::<StorageVolume>().get(volume.row().id)).unwrap();
    assert_eq!(row.row.config.0["bandwidth"], "8k");
    let (one, other) = (wait(world.session.volume("v")).unwrap(), wait(world.session.volume("v")).unwrap());
    let begun = Instant::now();
    // The first piece goes at once; all others wait for those before them, whoever carried them.
    for volume in [&one, &other, &one] {
        read(volume, "a").unwrap();
    }
    assert!(begun.elapsed().as_millis() >= 1000, "8 KiB of 12 passed at 8 KiB a second: {:?}", begun.elapsed());
    wait(world.session.limit_volume("v", None)).unwrap();
    let row = wait(world.session.rows::<StorageVolume>().get(volume.row().id)).unwrap();
    assert!(row.row.config.0.get("bandwidth").is_none());
    for config in [json!({ "bandwidth": "fast" }), json!({ "bandwidth": 7 })] {
        let mut own = world.row();
        own.config.0.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
        let row = StorageVolume { name: config.to_string(), config: Json(own.config.0), ..own };
        let made = wait(world.session.rows().create(row)).unwrap();
        assert_eq!(code(wait(world.session.volume(made.row.name)).map(drop)), Code::Invalid);
    }
    assert_eq!(code(wait(world.session.limit_volume("none", None))), Code::NotFound);
}

/// A place that moves by a copy and a removal may have died between the two.
fn a_half_done_copy_does_not_stand_in_the_way(world: &World) {
    let volume = world.volume();
    let made = put(&volume, "a", "content").unwrap();
    let id = made.id.0.to_string();
    let kept = world.root().join(".portbook/kept").join(volume.row().id.to_string()).join(&id[34..36]).join(&id);
    std::fs::create_dir_all(kept.parent().unwrap()).unwrap();
    std::fs::write(&kept, "content").unwrap();
    assert_eq!(code(wait(volume.delete("a"))), Code::Stale);
    wait(volume.delete("a")).unwrap();
    // And on the way back.
    let seen = world.root().join(&made.row.storage_path);
    std::fs::write(&seen, "content").unwrap();
    assert_eq!(code(wait(volume.restore(made.id))), Code::Conflict);
    wait(volume.restore(made.id)).unwrap();
    assert_eq!(read(&volume, "a").unwrap(), "content");
    wait(volume.tidy()).unwrap();
    world.settled(&volume);
}
