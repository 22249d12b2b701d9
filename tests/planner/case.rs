//! One world of the enumeration: what was agreed on under one or two names, what each side shows of them, and the rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use portbook::delta::{Scope, Settings};
use portbook::identity::ContentHash;
use portbook::model::{ConflictPolicy, Held, Kind, Pair, PairId, RelPath, Side, Sides, SyncMode};

use crate::expected::{Base, Expected, Filtered, Rules, STAMP, Seen, Shape};
use crate::oracle::Table;
use crate::world::{Item, World, path, settings};

/// What a side shows of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Absent,
    /// A file: `a` is the agreed content, `b` has its size, `c` has another.
    File(char),
    /// The agreed content with another time.
    Touched,
    Unhashable,
    Link(char),
    Dir,
    /// A directory with a file in it.
    With(char),
    /// With something in it that the filter leaves out.
    WithExcluded,
    /// With a directory in it that cannot be read.
    WithSealed,
    Sealed,
    Unlisted,
}

pub const BASES: [What; 5] = [What::Absent, What::File('a'), What::Link('a'), What::Dir, What::With('a')];
pub const SIDES: [What; 16] = [
    What::Absent,
    What::File('a'),
    What::Touched,
    What::File('b'),
    What::File('c'),
    What::Unhashable,
    What::Link('a'),
    What::Link('b'),
    What::Dir,
    What::With('a'),
    What::With('b'),
    What::With('c'),
    What::WithExcluded,
    What::WithSealed,
    What::Sealed,
    What::Unlisted,
];
/// For pairs of names.
pub const FEWER: [What; 9] = [
    What::Absent,
    What::File('a'),
    What::File('b'),
    What::File('c'),
    What::Dir,
    What::With('a'),
    What::With('b'),
    What::Link('a'),
    What::Unlisted,
];

/// The agreed state and both sides of one name.
pub type Triple = (What, What, What);

/// One world of the enumeration.
#[derive(Clone, Debug)]
pub struct Case {
    pub names: Vec<(&'static str, Triple)>,
    pub rules: Rules,
    /// The names lie in an agreed directory.
    pub deep: bool,
    /// On these sides the two names have changed places, as far as identities tell.
    pub swapped: Sides<bool>,
    /// Equal contents under both names, so that content can tell a move.
    pub shared: bool,
}

pub fn text(what: char, tag: &str) -> String {
    match what {
        'a' => format!("agreed {tag}"),
        'b' => format!("edited {tag}"),
        _ => format!("longer edit {tag}"),
    }
}

pub fn dir(children: impl IntoIterator<Item = (&'static str, Seen)>, sealed: bool) -> Seen {
    Seen::Dir { children: children.into_iter().collect(), sealed }
}

/// `of`: the side, so that edits of both differ, unless they are `b`, which is what both may have done alike.
pub fn seen(what: What, tag: &str, of: Side) -> Seen {
    let file = |c: char| {
        let side = if c == 'c' && of == Side::Right { " there" } else { "" };
        Seen::leaf(Kind::File, format!("{}{side}", text(c, tag)))
    };
    match what {
        What::Absent => Seen::Absent,
        What::File(c) => file(c),
        What::Touched => Seen::Leaf { kind: Kind::File, content: text('a', tag), unhashable: false, touched: true },
        What::Unhashable => Seen::Leaf { kind: Kind::File, content: text('b', tag), unhashable: true, touched: false },
        What::Link(c) => Seen::leaf(Kind::Symlink, text(c, tag)),
        What::Dir => dir([], false),
        What::With(c) => dir([("k", file(c))], false),
        What::WithExcluded => dir([("k", file('a')), ("x", file('b'))], false),
        What::WithSealed => dir([("k", file('a')), ("u", dir([("v", file('b'))], true))], false),
        What::Sealed => dir([("k", file('a'))], true),
        What::Unlisted => Seen::Unlisted(Box::new(file('b'))),
    }
}

pub fn base(what: What, tag: &str) -> Base {
    match what {
        What::Absent => Base::Absent,
        What::File(c) => Base::Leaf { kind: Kind::File, content: text(c, tag) },
        What::Link(c) => Base::Leaf { kind: Kind::Symlink, content: text(c, tag) },
        What::Dir => Base::Dir(BTreeMap::new()),
        What::With(c) => Base::Dir([("k", Base::Leaf { kind: Kind::File, content: text(c, tag) })].into()),
        other => panic!("never agreed on: {other:?}"),
    }
}

pub struct Filter(Rules);
impl Scope for Filter {
    fn includes(&self, path: &RelPath, is_dir: bool) -> bool {
        let name = path.name().expect("not the root");
        !self.0.excludes(std::str::from_utf8(name.as_bytes()).expect("ours"), is_dir)
    }
    fn selects(&self, _: &RelPath) -> bool {
        true
    }
}

pub const AGREED_AT: i64 = 1_000_000;

impl Case {
    pub fn settings(&self) -> Settings {
        let mut s = settings(self.rules.mode, self.rules.policy);
        s.exact = self.rules.exact;
        s.scope = Arc::new(Filter(self.rules));
        s.stamp = STAMP.into();
        s
    }

    fn tag(&self, name: &'static str) -> &'static str {
        if self.shared { "one" } else { name }
    }

    fn at(&self, name: &str) -> String {
        if self.deep { format!("d/{name}") } else { name.to_owned() }
    }

    pub fn world(&self) -> World {
        let mut world = World { clock: 2 * AGREED_AT, next_ident: 1000, ..World::new() };
        let mut parent = PairId::ROOT;
        if self.deep {
            parent = PairId(1);
            world.agree("d", &Base::Dir(BTreeMap::new()), PairId::ROOT);
            for side in Side::BOTH {
                world.place(side, "d", &dir([], false), &Base::Dir(BTreeMap::new()), self.changed_at(side), false);
            }
        }
        for (name, (agreed, ..)) in &self.names {
            world.agree(&self.at(name), &base(*agreed, self.tag(name)), parent);
        }
        for (name, (agreed, left, right)) in &self.names {
            for (side, what) in [(Side::Left, left), (Side::Right, right)] {
                let seen = seen(*what, self.tag(name), side);
                let base = base(*agreed, self.tag(name));
                world.place(side, &self.at(name), &seen, &base, self.changed_at(side), *what == What::Touched);
            }
        }
        for side in Side::BOTH {
            if self.swapped[side] {
                world.swap_idents(side, &path(&self.at("n")), &path(&self.at("m")), self.changed_at(side));
            }
        }
        world
    }

    fn changed_at(&self, side: Side) -> i64 {
        AGREED_AT
            + match (side, self.rules.later) {
                (Side::Left, _) => 100,
                (Side::Right, Some(Side::Right)) => 200,
                (Side::Right, Some(Side::Left)) => 50,
                (Side::Right, None) => 101,
            }
    }

    pub fn expected(&self) -> Expected {
        let mut out = Expected::default();
        if self.deep {
            for side in Side::BOTH {
                out.trees[side].insert("d".into(), (Kind::Dir, String::new()));
            }
            out.rows.insert("d".into());
        }
        let table = Table { rules: &self.rules };
        for (name, (agreed, left, right)) in &self.names {
            let tag = self.tag(name);
            let mut is = Sides::new(seen(*left, tag, Side::Left), seen(*right, tag, Side::Right));
            for side in Side::BOTH {
                // Where one name is not listed, nothing is known of the others that are not there.
                let partial = self.names.iter().any(|(_, t)| [t.1, t.2][side as usize] == What::Unlisted);
                if partial && is[side] == Seen::Absent {
                    is[side] = Seen::Unlisted(Box::new(Seen::Absent));
                }
            }
            table.item(&self.at(name), &base(*agreed, tag), is.as_ref(), &mut out);
        }
        out.left_alone |= self.names.iter().any(|(_, t)| t.1 == What::Unlisted || t.2 == What::Unlisted);
        out.trash.sort();
        out
    }

    /// The same with the sides exchanged and the policy mirrored.
    pub fn flipped(&self) -> Case {
        let mut flipped = self.clone();
        for (_, triple) in &mut flipped.names {
            *triple = (triple.0, triple.2, triple.1);
        }
        flipped.swapped = Sides::new(self.swapped.right, self.swapped.left);
        flipped.rules.later = self.rules.later.map(Side::other);
        flipped.rules.policy = match self.rules.policy {
            ConflictPolicy::SourceWins => ConflictPolicy::DestinationWins,
            ConflictPolicy::DestinationWins => ConflictPolicy::SourceWins,
            other => other,
        };
        flipped
    }
}

impl World {
    fn agree(&mut self, at: &str, base: &Base, parent: PairId) {
        let (kind, content) = match base {
            Base::Absent => return,
            Base::Leaf { kind, content } => (*kind, Some(content)),
            Base::Dir(_) => (Kind::Dir, None),
        };
        let id = PairId(self.ledger.len() as i64 + 1);
        let at_path = path(at);
        let held = |ident: u64| {
            let content = content.cloned().unwrap_or_default().into_bytes();
            let node = item(kind, content, ident, AGREED_AT).node();
            Held { ident: node.ident, token: node.token, ..Held::default() }
        };
        let row = Pair {
            id,
            parent,
            name: at_path.name().expect("not the root"),
            kind,
            content: content.map(|c| ContentHash::of(c.as_bytes())),
            held: Sides::new(held(agreed_ident(&at_path, Side::Left)), held(agreed_ident(&at_path, Side::Right))),
        };
        self.ledger.insert(id, row);
        if let Base::Dir(children) = base {
            for (name, child) in children {
                self.agree(&format!("{at}/{name}"), child, id);
            }
        }
    }

    fn place(&mut self, side: Side, at: &str, seen: &Seen, base: &Base, changed_at: i64, touched: bool) {
        let at_path = path(at);
        let (kind, content) = match seen {
            Seen::Absent => return,
            Seen::Unlisted(real) => {
                self.trees[side].unlisted.push(at_path);
                return self.place(side, at, real, base, changed_at, false);
            }
            Seen::Leaf { kind, content, unhashable, .. } => {
                if *unhashable {
                    self.trees[side].unhashable.push(at_path.clone());
                }
                (*kind, content.clone())
            }
            Seen::Dir { sealed, .. } => {
                if *sealed {
                    self.trees[side].unreadable.push(at_path.clone());
                }
                (Kind::Dir, String::new())
            }
        };
        let (was, agreed) = match base {
            Base::Absent => (None, false),
            Base::Leaf { kind: k, content: c } => (Some(*k), *k == kind && *c == content && !touched),
            Base::Dir(_) => (Some(Kind::Dir), kind == Kind::Dir),
        };
        let fresh = self.next_ident;
        self.next_ident += 1;
        let ident = if was == Some(kind) { agreed_ident(&at_path, side) } else { fresh };
        let time = if agreed { AGREED_AT } else { changed_at };
        self.trees[side].items.insert(at_path, item(kind, content.into_bytes(), ident, time));
        if let Seen::Dir { children, .. } = seen {
            for (name, child) in children {
                let below = match base {
                    Base::Dir(children) => children.get(name).unwrap_or(&Base::Absent),
                    Base::Absent | Base::Leaf { .. } => &Base::Absent,
                };
                self.place(side, &format!("{at}/{name}"), child, below, changed_at, false);
            }
        }
    }

    /// Each is what the other was, as far as both are of the other's agreed kind.
    fn swap_idents(&mut self, side: Side, n: &RelPath, m: &RelPath, changed_at: i64) {
        let kind_of = |world: &World, at: &RelPath| {
            world.ledger.values().find(|row| agreed_ident(at, side) == ident_number(&row.held[side])).map(|r| r.kind)
        };
        let (n_was, m_was) = (kind_of(self, n), kind_of(self, m));
        for (at, other, was) in [(n, m, m_was), (m, n, n_was)] {
            for (i, (below, item)) in self.trees[side].items.iter_mut().filter(|(p, _)| p.is_within(at)).enumerate() {
                let is_moved = below == at && was == Some(item.kind);
                item.ident = if is_moved { agreed_ident(other, side) } else { self.next_ident + i as u64 };
                (item.mtime, item.ctime) = (changed_at, changed_at);
            }
            self.next_ident += 10;
        }
    }

    pub fn shape_text(&self, side: Side) -> Shape {
        let text = |c: &[u8]| String::from_utf8(c.to_vec()).expect("ours");
        self.trees[side].items.iter().map(|(p, i)| (p.to_string(), (i.kind, text(&i.content)))).collect()
    }

    pub fn row_path(&self, row: &Pair) -> Option<String> {
        let mut at = row.name.to_string();
        let mut parent = row.parent;
        while parent != PairId::ROOT {
            let up = self.ledger.get(&parent)?;
            at = format!("{}/{at}", up.name);
            parent = up.parent;
        }
        Some(at)
    }
}

pub fn item(kind: Kind, content: Vec<u8>, ident: u64, time: i64) -> Item {
    let mode = if kind == Kind::Dir { 0o755 } else { 0o644 };
    Item { kind, content, ident, mtime: time, ctime: time, mode }
}

/// An identity for each agreed place.
pub fn agreed_ident(at: &RelPath, side: Side) -> u64 {
    let n = at.to_string().bytes().fold(7u64, |n, b| n * 31 % 973 + u64::from(b));
    10_000 + n * 2 + side as u64
}

pub fn ident_number(held: &Held) -> u64 {
    match held.ident {
        portbook::model::Ident::File { id, .. } => id,
        portbook::model::Ident::None | portbook::model::Ident::Provider(_) => 0,
    }
}

pub fn every_rule() -> Vec<Rules> {
    let plain = Rules {
        mode: SyncMode::Bidirectional,
        exact: false,
        policy: ConflictPolicy::KeepBoth,
        later: None,
        excluded: [Filtered::No; 2],
    };
    let latest = |later| Rules { policy: ConflictPolicy::LatestWins, later, ..plain };
    vec![
        plain,
        Rules { policy: ConflictPolicy::SourceWins, ..plain },
        Rules { policy: ConflictPolicy::DestinationWins, ..plain },
        latest(None),
        latest(Some(Side::Left)),
        latest(Some(Side::Right)),
        Rules { mode: SyncMode::Mirror, policy: ConflictPolicy::SourceWins, ..plain },
        Rules { mode: SyncMode::Mirror, policy: ConflictPolicy::SourceWins, exact: true, ..plain },
        Rules { mode: SyncMode::Selective, policy: ConflictPolicy::SourceWins, ..plain },
    ]
}
