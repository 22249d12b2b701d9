//! What happens between two runs, each as a small story.

use portbook::conduit::{ConduitOptions, Filters};
use portbook::model::ConflictPolicy::{DestinationWins, KeepBoth, LatestWins, SourceWins};
use portbook::model::NameClash;
use portbook::model::SyncMode::{Bidirectional, Mirror, Selective};
use portbook::provider::local::Parts;
use portbook::provider::simulation::ModelOptions;

use crate::engine::{World, options};

/// The large file of the stories is one that is continued, in some ten parts.
pub const SMALL_PARTS: Parts = Parts { resumable_bytes: 1 << 20, part_bytes: 128 << 10 };

/// A state that both sides agreed on, what happens after it, and how it is synced.
#[derive(Clone)]
pub struct Scenario {
    pub name: &'static str,
    pub disk: ModelOptions,
    pub parts: Parts,
    /// The first run's options, and the second's.
    pub options: [ConduitOptions; 2],
    /// Agreed by a first run; none: the first run is the one that crashes.
    pub base: Option<fn(&World)>,
    pub edit: fn(&World),
}

fn tree(world: &World) {
    let left = world.left();
    for dir in ["docs", "docs/deep", "docs/deep/er", "pics", "void"] {
        left.dir(dir);
    }
    left.put("a.txt", b"a, agreed");
    left.put("b.txt", b"b, agreed");
    left.put("empty", b"");
    left.put("docs/one.md", b"one, agreed");
    left.put("docs/two.md", b"two, agreed");
    left.put("docs/deep/er/core", b"core, agreed");
    left.put("pics/large.raw", &large(1));
    left.put("script", b"#!/bin/sh");
    left.chmod("script", 0o750);
    left.link("link", "docs/one.md");
    left.link("docs/up", "../a.txt");
}

/// More than one read, one write and one page.
fn large(seed: u8) -> Vec<u8> {
    (0..1_200_000_u32).map(|i| (i / 7) as u8 ^ (i >> 11) as u8 ^ seed).collect()
}

fn one_large(world: &World) {
    let left = world.left();
    left.dir("pics");
    left.put("pics/large.raw", &large(3));
    left.put("pics/small.raw", b"small");
}

fn large_quarrel(world: &World) {
    world.left().put("pics/large.raw", &large(4));
    world.settle();
    world.right().put("pics/large.raw", &large(5));
}

fn many(world: &World) {
    let left = world.left();
    for d in 0..3 {
        left.dir(&format!("d{d}"));
        for f in 0..16 {
            left.put(&format!("d{d}/f{f}"), format!("file {d}/{f}").as_bytes());
        }
    }
}

fn updates(world: &World) {
    let left = world.left();
    left.put("a.txt", b"a, changed in place");
    left.replace("docs/one.md", b"one, saved anew");
    left.put("empty", b"no more");
    left.put("b.txt", b"");
    left.put("pics/large.raw", &large(2));
    left.chmod("script", 0o700);
    left.remove("link");
    left.link("link", "docs/two.md");
    left.put("docs/deep/new", b"new");
}

fn deletes(world: &World) {
    let left = world.left();
    left.remove("docs/deep");
    left.remove("a.txt");
    left.remove("void");
    left.remove("docs/up");
    left.remove("pics/large.raw");
}

fn moves(world: &World) {
    let left = world.left();
    left.rename("docs", "papers");
    left.rename("papers/deep/er", "er");
    left.rename("a.txt", "pics/a.txt");
    left.rename("pics/large.raw", "large.raw");
    left.put("papers/two.md", b"two, moved and edited");
    left.rename("empty", "void/empty");
}

fn swaps(world: &World) {
    let left = world.left();
    left.swap("a.txt", "b.txt");
    left.swap("docs", "pics");
    // A ring of three.
    left.rename("empty", "aside");
    left.rename("script", "empty");
    left.rename("link", "script");
    left.rename("aside", "link");
}

fn turned_inside_out(world: &World) {
    let left = world.left();
    left.rename("docs/deep", "deep");
    left.rename("docs", "deep/docs");
    left.rename("deep", "docs");
}

fn kinds(world: &World) {
    let left = world.left();
    left.remove("a.txt");
    left.dir("a.txt");
    left.put("a.txt/inside", b"where a file was");
    left.remove("docs/deep");
    left.put("docs/deep", b"where a directory was");
    left.remove("link");
    left.put("link", b"where a link was");
    left.remove("b.txt");
    left.link("b.txt", "a.txt/inside");
    left.remove("void");
    left.link("void", "docs");
}

/// Both sides change the same things differently; left at first, right ten seconds later.
fn quarrel(world: &World) {
    let left = world.left();
    left.put("a.txt", b"a, by the left");
    left.put("docs/one.md", b"one, by the left");
    left.remove("b.txt");
    left.put("new", b"new, by the left");
    left.remove("link");
    left.link("link", "left");
    left.put("docs/two.md", b"two, by both");
    left.remove("docs/deep");
    left.remove("pics/large.raw");
    world.settle();
    let right = world.right();
    right.put("a.txt", b"a, by the right");
    right.put("b.txt", b"b, by the right");
    right.put("new", b"new, by the right");
    right.remove("docs/one.md");
    right.remove("link");
    right.link("link", "right");
    right.put("docs/two.md", b"two, by both");
    right.put("docs/deep/er/core", b"core, by the right");
    right.put("docs/deep/added", b"added by the right");
    right.remove("pics/large.raw");
    right.chmod("script", 0o700);
}

/// Both sides move things.
fn moved_apart(world: &World) {
    let (left, right) = (world.left(), world.right());
    left.rename("docs", "papers");
    left.rename("a.txt", "pics/a.txt");
    left.put("b.txt", b"b, by the left");
    left.rename("empty", "void/empty");
    right.rename("pics", "images");
    right.rename("a.txt", "alpha.txt");
    right.rename("b.txt", "docs/b.txt");
    right.put("docs/one.md", b"one, by the right");
}

fn kinds_apart(world: &World) {
    let (left, right) = (world.left(), world.right());
    left.remove("a.txt");
    left.dir("a.txt");
    left.put("a.txt/inside", b"where a file was");
    right.put("a.txt", b"a, by the right");
    left.remove("docs");
    left.put("docs", b"where a directory was");
    right.put("docs/one.md", b"one, by the right");
    right.remove("pics");
    right.put("pics", b"pics, by the right");
}

fn right_alone(world: &World) {
    let right = world.right();
    right.put("a.txt", b"a, by the right");
    right.put("docs/new", b"new, by the right");
    right.remove("b.txt");
    right.rename("pics", "images");
    right.dir("only");
    right.put("only/here", b"only here");
}

/// Both sides have a tree before they ever met.
fn strangers(world: &World) {
    tree(world);
    let right = world.right();
    right.dir("docs");
    right.put("docs/one.md", b"one, a stranger's");
    right.put("docs/three.md", b"three, a stranger's");
    right.put("a.txt", b"a, agreed");
    right.link("link", "elsewhere");
}

/// … and the same names are other things there.
fn strange(world: &World) {
    strangers(world);
    let right = world.right();
    right.put("pics", b"no directory");
    right.dir("script");
    right.put("script/inside", b"inside");
}

fn many_change(world: &World) {
    let left = world.left();
    for f in 0..16 {
        left.put(&format!("d0/f{f}"), format!("changed {f}").as_bytes());
        left.put(&format!("d1/g{f}"), format!("new {f}").as_bytes());
        left.remove(&format!("d2/f{f}"));
    }
    left.rename("d1", "moved");
}

/// Names that the right side cannot hold or tell apart.
fn hard_names(world: &World) {
    let left = world.left();
    for dir in ["d?", "d?/con", "D"] {
        left.dir(dir);
    }
    for name in ["a:b", "Name", "name", "NAME", "d?/e*", "d?/con/f.", "D/plain"] {
        left.put(name, format!("{name}, agreed").as_bytes());
    }
}

/// … are renamed, moved, edited, replaced.
fn hard_moves(world: &World) {
    let left = world.left();
    left.rename("a:b", "d?/con/a:b");
    left.rename("name", "nAMe");
    left.rename("d?", "e?");
    left.put("NAME", b"NAME, edited");
    left.swap("D/plain", "e?/e*");
    left.remove("e?/con/f.");
    left.put("e?/con/F.", b"another f");
    left.put("x|y", b"new");
    left.put("c:d", b"new too");
    left.put("X|Y", b"new as well");
}

fn nothing(_: &World) {}

fn choose(patterns: &[&str]) -> ConduitOptions {
    let include = patterns.iter().map(|p| (*p).to_owned()).collect();
    ConduitOptions { filters: Filters { include, ..Filters::default() }, ..options(Selective, None) }
}

/// All of them.
pub fn all() -> Vec<Scenario> {
    let mirror = || options(Mirror, None);
    let both = || options(Bidirectional, None);
    let disk = ModelOptions::default();
    let mut out = Vec::new();
    let mut tell = |name, base: Option<fn(&World)>, edit: fn(&World), how: ConduitOptions| {
        out.push(Scenario { name, disk, parts: Parts::default(), options: [how.clone(), how], base, edit });
    };
    tell("mirror: first run", None, tree, mirror());
    tell("mirror: updates", Some(tree), updates, mirror());
    tell("mirror: deletes", Some(tree), deletes, mirror());
    tell("mirror: moves", Some(tree), moves, mirror());
    tell("mirror: swaps", Some(tree), swaps, mirror());
    tell("mirror: inside out", Some(tree), turned_inside_out, mirror());
    tell("mirror: kinds", Some(tree), kinds, mirror());
    tell("mirror: the target was edited", Some(tree), right_alone, mirror());
    tell("mirror: quarrel", Some(tree), quarrel, mirror());
    tell("mirror: strangers", None, strangers, mirror());
    tell("mirror: many", Some(many), many_change, mirror());
    tell("exact: strangers", None, strange, ConduitOptions { exact: true, ..mirror() });
    tell("exact: the target was edited", Some(tree), right_alone, ConduitOptions { exact: true, ..mirror() });
    tell("both: updates", Some(tree), updates, both());
    tell("both: deletes", Some(tree), deletes, both());
    tell("both: moves", Some(tree), moves, both());
    tell("both: swaps", Some(tree), swaps, both());
    tell("both: kinds", Some(tree), kinds, both());
    tell("both: the right alone", Some(tree), right_alone, both());
    tell("both: moved apart", Some(tree), moved_apart, both());
    tell("both: kinds apart, keep both", Some(tree), kinds_apart, both());
    tell("both: kinds apart, latest wins", Some(tree), kinds_apart, options(Bidirectional, Some(LatestWins)));
    tell("both: quarrel, keep both", Some(tree), quarrel, both());
    tell("both: quarrel, source wins", Some(tree), quarrel, options(Bidirectional, Some(SourceWins)));
    tell("both: quarrel, destination wins", Some(tree), quarrel, options(Bidirectional, Some(DestinationWins)));
    tell("both: quarrel, latest wins", Some(tree), quarrel, options(Bidirectional, Some(LatestWins)));
    tell("both: strangers, keep both", None, strange, both());
    tell("both: strangers, latest wins", None, strange, options(Bidirectional, Some(LatestWins)));
    tell("mirror: quarrel, keep both", Some(tree), quarrel, options(Mirror, Some(KeepBoth)));
    tell("both: many", Some(many), many_change, both());
    tell("selective: first run", None, tree, choose(&["docs/**"]));
    let plain = mirror();
    out.push(Scenario {
        name: "selective: release",
        disk,
        parts: Parts::default(),
        options: [choose(&["**"]), choose(&["docs/**", "*.txt"])],
        base: Some(tree),
        edit: nothing,
    });
    let poor = ModelOptions { rename_flags: false, links: false, sync_all: false, ..disk };
    let poorer = |name, edit: fn(&World), how: &ConduitOptions| Scenario {
        name,
        disk: poor,
        parts: Parts::default(),
        options: [how.clone(), how.clone()],
        base: Some(tree),
        edit,
    };
    let narrow = ModelOptions { case_insensitive: true, windows_names: true, ..disk };
    let aliased = |how: ConduitOptions| ConduitOptions { name_clash: NameClash::Alias, ..how };
    for (first, later, how) in [
        ("aliases, mirror: first run", "aliases, mirror: moves", aliased(mirror())),
        ("aliases, both: first run", "aliases, both: moves", aliased(both())),
    ] {
        let options = [how.clone(), how];
        let tell = |name, base, edit| Scenario {
            name,
            disk: narrow,
            options: options.clone(),
            parts: Parts::default(),
            base,
            edit,
        };
        out.push(tell(first, None, hard_names as fn(&World)));
        out.push(tell(later, Some(hard_names as fn(&World)), hard_moves as fn(&World)));
    }
    out.push(poorer("poor disk, mirror: quarrel", quarrel, &plain));
    out.push(poorer("poor disk, mirror: swaps", swaps, &plain));
    out.push(poorer("poor disk, mirror: updates", updates, &plain));
    let in_parts = |name, disk, base, edit, how: &ConduitOptions| Scenario {
        name,
        disk,
        parts: SMALL_PARTS,
        options: [how.clone(), how.clone()],
        base,
        edit,
    };
    let anew: fn(&World) = one_large;
    out.push(in_parts("in parts, mirror: first run", disk, None, anew, &plain));
    out.push(in_parts("in parts, mirror: updates", disk, Some(tree), updates, &plain));
    out.push(in_parts("in parts, both: quarrel", disk, Some(tree), large_quarrel, &both()));
    out.push(in_parts("in parts, poor disk, mirror: first run", poor, None, anew, &plain));
    out
}
