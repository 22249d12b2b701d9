//! Names that are not Unicode, and names that a terminal must not see as they are.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::world::{World, done};

#[test]
fn names_are_carried_as_bytes_and_shown_escaped() {
    let world = World::with(&[]);
    let odd: [&[u8]; 4] = [b"caf\xe9", b"line\nbreak", b"\x1b[31mred", "schön".as_bytes()];
    for name in odd {
        std::fs::write(world.path(OsStr::from_bytes(&[b"a/", name].concat())), name).expect("a file of any name");
    }
    let mut shown: Vec<String> = world.changes(&["preview", "a", "b"]).into_iter().map(|(_, path)| path).collect();
    shown.sort();
    assert_eq!(shown, ["\\u{1b}[31mred", "caf\\xe9", "line\\nbreak", "schön"]);
    let table = world.ends(0, &["preview", "a", "b"]);
    assert!(!table.out.contains('\x1b') && table.out.lines().count() == 7, "{table:?}");
    assert_eq!(done(&world.json(0, &["sync", "a", "b"]))[0], 4);
    for name in odd {
        let carried = std::fs::read(world.path(OsStr::from_bytes(&[b"b/", name].concat())));
        assert_eq!(carried.ok().as_deref(), Some(name));
    }
    assert_eq!(done(&world.json(0, &["sync", "a", "b"])), [0; 7]);
}

#[test]
fn roots_may_have_any_name_and_are_shown_escaped() {
    let world = World::new();
    let source = OsString::from(OsStr::from_bytes(b"so\xffurce\n\x1b[2J"));
    let target = OsString::from(OsStr::from_bytes(b"target\xfe"));
    let word = |text: &str| OsString::from(text);
    let missing = world.run(&[word("sync"), source.clone(), target.clone()]);
    missing.is_one_error("not_found");
    assert!(!missing.err.contains('\x1b'), "{missing:?}");
    missing.says("so\\xffurce\\n\\u{1b}[2J");

    std::fs::create_dir(world.path(&source)).expect("a directory of any name");
    std::fs::write(world.path(&source).join("x"), "x").expect("a file");
    let ran = world.run(&[word("sync"), source.clone(), target.clone()]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{ran:?}");
    assert_eq!(std::fs::read(world.path(&target).join("x")).ok().as_deref(), Some(&b"x"[..]));
    let history = world.ends(0, &["history"]);
    assert_eq!(history.out.lines().count(), 1, "{history:?}");
    assert!(!history.out.contains('\x1b') && history.out.contains("so\\xffurce\\n"), "{history:?}");
    world.json(0, &["history"]);
}
