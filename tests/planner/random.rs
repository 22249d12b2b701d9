//! Random worlds: an agreed state, edits on both sides, and now and then something strange.

use portbook::model::{ConflictPolicy, Kind, RelPath, Side, SyncMode};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use crate::world::{World, name, settings};

/// What failed once is kept beside the tests and tried first ever after. `PROPTEST_CASES` sets how many are tried.
pub fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    }
}

/// One edit on one side. Positions are taken modulo what is there.
#[derive(Clone, Debug)]
pub enum Edit {
    Write { dir: usize, name: usize, content: u8 },
    Overwrite { at: usize, content: u8 },
    MakeDir { dir: usize, name: usize },
    Link { dir: usize, name: usize, content: u8 },
    Delete { at: usize },
    Rename { at: usize, dir: usize, name: usize },
    MoveDir { at: usize, dir: usize, name: usize },
    Swap { a: usize, b: usize },
    Touch { at: usize },
    Chmod { at: usize, mode: u8 },
    Retype { at: usize },
}

pub const NAMES: [&str; 6] = ["a", "b", "c", "A", "d.txt", "e"];

/// Names that a side may refuse or not tell apart, in the places of [`NAMES`].
pub const HARD_NAMES: [&str; 6] = ["a", "A", "a:b", "con", "d.", "D."];

pub fn edit() -> impl Strategy<Value = Edit> {
    let n = || 0..64usize;
    let name = || 0..NAMES.len();
    prop_oneof![
        4 => (n(), name(), 0..8u8).prop_map(|(dir, name, content)| Edit::Write { dir, name, content }),
        3 => (n(), 0..8u8).prop_map(|(at, content)| Edit::Overwrite { at, content }),
        3 => (n(), name()).prop_map(|(dir, name)| Edit::MakeDir { dir, name }),
        1 => (n(), name(), 0..8u8).prop_map(|(dir, name, content)| Edit::Link { dir, name, content }),
        3 => n().prop_map(|at| Edit::Delete { at }),
        4 => (n(), n(), name()).prop_map(|(at, dir, name)| Edit::Rename { at, dir, name }),
        6 => (n(), n(), name()).prop_map(|(at, dir, name)| Edit::MoveDir { at, dir, name }),
        2 => (n(), n()).prop_map(|(a, b)| Edit::Swap { a, b }),
        1 => n().prop_map(|at| Edit::Touch { at }),
        1 => (n(), 0..4u8).prop_map(|(at, mode)| Edit::Chmod { at, mode }),
        1 => n().prop_map(|at| Edit::Retype { at }),
    ]
}

pub fn edits(most: usize) -> impl Strategy<Value = Vec<Edit>> {
    prop::collection::vec(edit(), 0..most)
}

/// Names in the content, so that equal contents occur and have equal sizes often.
pub fn content(number: u8) -> Vec<u8> {
    if number == 7 {
        Vec::new()
    } else {
        format!("content {number}{}", "+".repeat(usize::from(number / 4))).into_bytes()
    }
}

fn pick(items: &[RelPath], at: usize) -> Option<&RelPath> {
    (!items.is_empty()).then(|| &items[at % items.len()])
}

impl World {
    pub fn edit(&mut self, side: Side, edit: &Edit) {
        let all: Vec<RelPath> = self.trees[side].items.keys().cloned().collect();
        let of = |kind: Kind| -> Vec<RelPath> {
            all.iter().filter(|p| self.trees[side].items[*p].kind == kind).cloned().collect()
        };
        let files = of(Kind::File);
        let only_dirs = of(Kind::Dir);
        let mut dirs = only_dirs.clone();
        dirs.insert(0, RelPath::root());
        let hard = self.limits.left.is_some() || self.limits.right.is_some();
        let names = if hard { HARD_NAMES } else { NAMES };
        let place = |dir: &usize, n: &usize| pick(&dirs, *dir).expect("the root").join(&name(names[*n]));
        match edit {
            Edit::Write { dir, name, content: number } => {
                let at = place(dir, name);
                if self.is_free(side, &at) {
                    self.put_item(side, &at, Kind::File, &content(*number));
                }
            }
            Edit::Overwrite { at, content: number } => {
                if let Some(at) = pick(&files, *at) {
                    self.put_item(side, at, Kind::File, &content(*number));
                }
            }
            Edit::MakeDir { dir, name } => {
                let at = place(dir, name);
                if self.is_free(side, &at) {
                    self.put_item(side, &at, Kind::Dir, b"");
                }
            }
            Edit::Link { dir, name, content: number } => {
                let at = place(dir, name);
                if self.is_free(side, &at) {
                    self.put_item(side, &at, Kind::Symlink, &content(*number));
                }
            }
            Edit::Delete { at } => {
                if let Some(at) = pick(&all, *at) {
                    self.trees[side].remove(at);
                }
            }
            Edit::Rename { at, dir, name } => {
                if let Some(at) = pick(&all, *at) {
                    self.rename_over(side, at, &place(dir, name));
                }
            }
            Edit::MoveDir { at, dir, name } => {
                if let Some(at) = pick(&only_dirs, *at) {
                    self.rename_over(side, at, &place(dir, name));
                }
            }
            Edit::Swap { a, b } => {
                if let (Some(a), Some(b)) = (pick(&all, *a), pick(&all, *b))
                    && !a.is_within(b)
                    && !b.is_within(a)
                {
                    let aside = RelPath::parse(b"aside").expect("a path");
                    self.trees[side].rename(a, &aside);
                    self.trees[side].rename(b, a);
                    self.trees[side].rename(&aside, b);
                }
            }
            Edit::Touch { at } => {
                let now = self.tick();
                if let Some(at) = pick(&files, *at) {
                    let item = self.trees[side].items.get_mut(at).expect("picked");
                    item.mtime = now;
                    item.ctime = now;
                }
            }
            Edit::Chmod { at, mode } => {
                let now = self.tick();
                if let Some(at) = pick(&all, *at) {
                    let item = self.trees[side].items.get_mut(at).expect("picked");
                    item.mode = 0o700 + u32::from(*mode);
                    item.ctime = now;
                }
            }
            Edit::Retype { at } => {
                if let Some(at) = pick(&all, *at) {
                    let was = self.trees[side].items[at].kind;
                    self.trees[side].remove(at);
                    let kind = if was == Kind::Dir { Kind::File } else { Kind::Dir };
                    self.put_item(side, at, kind, if kind == Kind::Dir { b"" } else { b"retyped" });
                }
            }
        }
    }

    fn is_free(&self, side: Side, at: &RelPath) -> bool {
        !self.is_taken(side, at) && self.admits(side, at)
    }

    /// As rename(2): replaces a file, never a directory with something in it.
    fn rename_over(&mut self, side: Side, from: &RelPath, to: &RelPath) {
        let tree = &self.trees[side];
        let is_file = |p: &RelPath| tree.items.get(p).is_some_and(|i| i.kind != Kind::Dir);
        let free = !tree.items.contains_key(to) || (is_file(to) && is_file(from) && from != to);
        let free = free && self.admits(side, to) && (!self.is_taken(side, to) || tree.items.contains_key(to));
        let tree = &mut self.trees[side];
        if free && !to.is_within(from) {
            tree.items.remove(to);
            tree.rename(from, to);
        }
    }
}

/// An agreed state and what was done to both sides since.
#[derive(Clone, Debug)]
pub struct Story {
    pub before: Vec<Edit>,
    pub left: Vec<Edit>,
    pub right: Vec<Edit>,
    pub policy: ConflictPolicy,
    pub idents: (bool, bool),
}

pub fn policy() -> impl Strategy<Value = ConflictPolicy> {
    prop::sample::select(ConflictPolicy::ALL)
}

pub fn story() -> impl Strategy<Value = Story> {
    let idents = prop_oneof![4 => Just((true, true)), 1 => Just((true, false)), 1 => Just((false, false))];
    (edits(14), edits(5), edits(5), policy(), idents).prop_map(|(before, left, right, policy, idents)| Story {
        before,
        left,
        right,
        policy,
        idents,
    })
}

impl Story {
    pub fn agreed(&self) -> World {
        let mut world = World::new();
        world.gives_ident = portbook::model::Sides::new(self.idents.0, self.idents.1);
        for edit in &self.before {
            world.edit(Side::Left, edit);
        }
        let s = settings(SyncMode::Bidirectional, ConflictPolicy::KeepBoth);
        world.sync(&s);
        world
    }

    pub fn world(&self) -> World {
        let mut world = self.agreed();
        for edit in &self.left {
            world.edit(Side::Left, edit);
        }
        for edit in &self.right {
            world.edit(Side::Right, edit);
        }
        world.trash.clear();
        world
    }
}
