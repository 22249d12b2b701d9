//! A place that has no room for what is large: everything else goes on, and not everything large is tried in vain.

use portbook::Code;

use crate::files;
use crate::proxy::{Act, failure};
use crate::s3::{Bucket, Rule};
use crate::service::Service;
use crate::story::{Ground as _, Story};

/// The smallest file that is sent in parts, each in a batch of its own.
const LARGE: u64 = 16 << 20;
const FILES: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn what_finds_no_room_stops_nothing_else_and_is_not_tried_for_ever() {
    let Some(service) = Service::start("moto", &[]) else { return };
    let full: Rule = Box::new(|asked| match asked.is("POST", "uploads") {
        true => Act::Answer(failure("507 Insufficient Storage", "XMinioStorageFull", &[])),
        false => Act::Forward,
    });
    let ground = Bucket::of(service.port(), full);
    let story = Story::begin(&ground).await;
    let here = |name: &str| story.here().join(name);
    for name in ["stays", "goes"] {
        files::write(&here(name), name.as_bytes(), 3600);
    }
    assert!(story.sync().await.unwrap().is_in_step());

    let large = |number: usize| here(&format!("large-{number}"));
    for number in 0..FILES {
        files::write(&large(number), b"large", 60);
        std::fs::File::options().write(true).open(large(number)).unwrap().set_len(LARGE).unwrap();
    }
    files::write(&here("small"), b"small", 60);
    files::write(&here("zero/empty"), b"", 60);
    std::fs::remove_file(here("goes")).unwrap();
    ground.put("theirs", b"from there").await;
    ground.misbehaves(true);
    let report = story.sync().await.unwrap();
    ground.misbehaves(false);

    let told: Vec<(&str, Code)> = report.failures.iter().map(|f| (f.path.as_str(), f.error.code())).collect();
    let expected = ["large-0", "large-1", "large-2", "large-3"].map(|path| (path, Code::Quota));
    assert_eq!(told, expected, "{report:?}");
    assert!(report.failures[0].error.to_string().contains("XMinioStorageFull: told"), "{report:?}");
    let last = &report.failures[3].error;
    assert!(last.to_string().contains("no room for it, nor for 4 more"), "{last}");
    assert!(!last.advice().is_empty(), "{last}");
    assert_eq!((report.counts.failed, report.counts.deleted), (FILES as u64, 1), "{report:?}");
    let tried = ground.proxy.count("POST", "uploads");
    assert!((3..FILES).contains(&tried), "{tried}");
    let there = ground.tree().await;
    assert_eq!(there.keys().collect::<Vec<_>>(), ["small", "stays", "theirs", "zero", "zero/empty"]);
    assert!(story.tree().contains_key("theirs"), "what goes the other way goes on");

    for number in 1..FILES {
        std::fs::remove_file(large(number)).unwrap();
    }
    let after = story.sync().await.unwrap();
    assert!(after.is_in_step() && after.counts.new == 1, "{after:?}");
    assert_eq!(story.tree(), ground.tree().await);
    story.book.shutdown().await;
}
