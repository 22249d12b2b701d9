//! The small world, enumerated completely (test 2.7): every agreed state and every state of both sides of one name,
//! under every mode and policy, and all pairs of names. What must be there afterwards is said by `oracle`.
//!
//! By default the pairs are sampled; `PORTBOOK_EXHAUSTIVE=1` runs them all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portbook::delta::{Change, ChangeKind, Scope, Settings};
use portbook::identity::ContentHash;
use portbook::model::{ConflictPolicy, Held, Kind, Pair, PairId, RelPath, Side, Sides, SyncMode};

use crate::oracle::{Base, Expected, Filtered, Rules, STAMP, Seen, Shape, Table};
use crate::world::{Item, World, describe, effects, path, settings};

/// What a side shows of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
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

const BASES: [What; 5] = [What::Absent, What::File('a'), What::Link('a'), What::Dir, What::With('a')];
const SIDES: [What; 16] = [
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
const FEWER: [What; 9] = [
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
type Triple = (What, What, What);

/// One world of the enumeration.
#[derive(Clone, Debug)]
struct Case {
    names: Vec<(&'static str, Triple)>,
    rules: Rules,
    /// The names lie in an agreed directory.
    deep: bool,
    /// On these sides the two names have changed places, as far as identities tell.
    swapped: Sides<bool>,
    /// Equal contents under both names, so that content can tell a move.
    shared: bool,
}

fn text(what: char, tag: &str) -> String {
    match what {
        'a' => format!("agreed {tag}"),
        'b' => format!("edited {tag}"),
        _ => format!("longer edit {tag}"),
    }
}

fn dir(children: impl IntoIterator<Item = (&'static str, Seen)>, sealed: bool) -> Seen {
    Seen::Dir { children: children.into_iter().collect(), sealed }
}

/// `of`: the side, so that edits of both differ, unless they are `b`, which is what both may have done alike.
fn seen(what: What, tag: &str, of: Side) -> Seen {
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

fn base(what: What, tag: &str) -> Base {
    match what {
        What::Absent => Base::Absent,
        What::File(c) => Base::Leaf { kind: Kind::File, content: text(c, tag) },
        What::Link(c) => Base::Leaf { kind: Kind::Symlink, content: text(c, tag) },
        What::Dir => Base::Dir(BTreeMap::new()),
        What::With(c) => Base::Dir([("k", Base::Leaf { kind: Kind::File, content: text(c, tag) })].into()),
        other => panic!("never agreed on: {other:?}"),
    }
}

struct Filter(Rules);
impl Scope for Filter {
    fn includes(&self, path: &RelPath, is_dir: bool) -> bool {
        let name = path.name().expect("not the root");
        !self.0.excludes(std::str::from_utf8(name.as_bytes()).expect("ours"), is_dir)
    }
    fn selects(&self, _: &RelPath) -> bool {
        true
    }
}

const AGREED_AT: i64 = 1_000_000;

impl Case {
    fn settings(&self) -> Settings {
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

    fn world(&self) -> World {
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

    fn expected(&self) -> Expected {
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
    fn flipped(&self) -> Case {
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

    fn shape_text(&self, side: Side) -> Shape {
        let text = |c: &[u8]| String::from_utf8(c.to_vec()).expect("ours");
        self.trees[side].items.iter().map(|(p, i)| (p.to_string(), (i.kind, text(&i.content)))).collect()
    }

    fn row_path(&self, row: &Pair) -> Option<String> {
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

fn item(kind: Kind, content: Vec<u8>, ident: u64, time: i64) -> Item {
    let mode = if kind == Kind::Dir { 0o755 } else { 0o644 };
    Item { kind, content, ident, mtime: time, ctime: time, mode }
}

/// An identity for each agreed place.
fn agreed_ident(at: &RelPath, side: Side) -> u64 {
    let n = at.to_string().bytes().fold(7u64, |n, b| n * 31 % 973 + u64::from(b));
    10_000 + n * 2 + side as u64
}

fn ident_number(held: &Held) -> u64 {
    match held.ident {
        portbook::model::Ident::File { id, .. } => id,
        portbook::model::Ident::None | portbook::model::Ident::Provider(_) => 0,
    }
}

fn every_rule() -> Vec<Rules> {
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

/// What a check found, for a message that shows the case.
type Checked = Result<(), String>;

fn ensure(holds: bool, words: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(words()) }
}

/// What the worlds of a case went through.
struct Applied {
    before: World,
    after: World,
    changes: Vec<Change>,
    moved: bool,
    skipped: bool,
    kinds: [u64; 4],
}

/// What holds whatever the table says: no change is stale without a cause, what is unknown or left out is not touched,
/// nothing that the ledger did not know is lost, applying again does nothing, and the next run finds nothing to do.
fn lawful(case: &Case) -> Result<Applied, String> {
    let s = case.settings();
    let before = case.world();
    let plan = before.plan(&s);
    let mut after = before.clone();
    let outcome = after.apply(&plan.changes);
    ensure(outcome.stale.is_empty(), || format!("stale:\n{}", describe(&plan, &outcome)))?;
    ensure(!after.has_twins(), || "two rows for one place".into())?;
    let known: BTreeSet<_> = before.ledger.values().filter_map(|p| p.content).collect();
    let everything: BTreeSet<&[u8]> = Side::BOTH
        .iter()
        .flat_map(|s| after.trees[*s].items.values().map(|i| &i.content[..]))
        .chain(after.trash.iter().map(|c| &c[..]))
        .collect();
    for side in Side::BOTH {
        for (at, item) in &before.trees[side].items {
            ensure(
                item.kind == Kind::Dir
                    || known.contains(&ContentHash::of(&item.content))
                    || everything.contains(&item.content[..]),
                || format!("lost {at} of {side:?}"),
            )?;
            let name = at.name().expect("not the root").to_string();
            let tree = &before.trees[side];
            let unseen = tree.unlisted.contains(at) || tree.unreadable.iter().any(|u| at.is_within(u) && at != u);
            if unseen || case.rules.excludes(&name, item.kind == Kind::Dir) {
                // A directory that holds it may be moved with it.
                let is_there = after.trees[side].items.values().any(|i| i == item);
                ensure(is_there, || format!("touched {at} of {side:?}"))?;
            }
        }
    }
    for row in after.ledger.values() {
        let at = after.row_path(row).ok_or_else(|| format!("a row without its parent's: {}", row.name))?;
        let content =
            |side: Side| after.trees[side].items.get(&path(&at)).map(|i| (i.kind, ContentHash::of(&i.content)));
        let is_old = before.ledger.get(&row.id).is_some_and(|old| old.content == row.content && old.kind == row.kind);
        let agreed = content(Side::Left) == content(Side::Right) && content(Side::Left).is_some();
        ensure(is_old || agreed, || format!("the row of {at} is not what both sides have"))?;
    }
    let mut twice = after.clone();
    twice.apply(&plan.changes);
    // The ledger may let go of a row again (what is restored is forgotten first); it claims nothing anew.
    let claims_nothing = twice.ledger.iter().all(|(id, row)| after.ledger.get(id) == Some(row));
    let same = twice.trees == after.trees && twice.trash == after.trash && claims_nothing;
    ensure(same, || format!("applied twice: {:#?}\nonce: {:#?}", twice.trees, after.trees))?;
    let again = after.plan(&s);
    ensure(effects(&again).is_empty(), || format!("not quiet: {:#?}", effects(&again)))?;
    let skipped = plan.tally.skipped > 0 || plan.tally.count(ChangeKind::Skipped) > 0;
    ensure(skipped || again.changes.is_empty(), || format!("not quiet: {:#?}", again.changes))?;
    let count = |kind| plan.tally.count(kind);
    Ok(Applied {
        moved: count(ChangeKind::Moved) > 0 || plan.rounds > 1,
        skipped,
        kinds: [ChangeKind::New, ChangeKind::Updated, ChangeKind::Deleted, ChangeKind::Conflict].map(count),
        changes: plan.changes,
        before,
        after,
    })
}

/// What the table says is what is there.
fn as_the_table_says(case: &Case, applied: &Applied) -> Checked {
    let expected = case.expected();
    let after = &applied.after;
    let rows: BTreeSet<String> = after.ledger.values().filter_map(|r| after.row_path(r)).collect();
    let mut trash: Vec<String> = after.trash.iter().map(|c| String::from_utf8_lossy(c).into_owned()).collect();
    trash.sort();
    for side in Side::BOTH {
        let shape = after.shape_text(side);
        ensure(shape == expected.trees[side], || format!("{side:?}: {shape:#?}\nnot {:#?}", expected.trees[side]))?;
    }
    ensure(rows == expected.rows, || format!("rows {rows:?}\nnot {:?}", expected.rows))?;
    ensure(trash == expected.trash, || format!("trash {trash:?}\nnot {:?}", expected.trash))?;
    let kinds = [expected.new, expected.updated, expected.deleted, expected.conflicts];
    ensure(applied.kinds == kinds, || {
        format!("counted {:?}\nnot {kinds:?} (new, updated, deleted, conflicts)", applied.kinds)
    })?;
    ensure(applied.skipped == expected.left_alone, || format!("skipped {}", applied.skipped))
}

/// Invariant I8. Which of two versions keeps the plain name is the source's privilege (it stands for the tie that
/// neither policy nor time decides), so the copies of one name are compared as a set.
fn symmetric(case: &Case, applied: &Applied) -> Checked {
    if case.rules.mode != SyncMode::Bidirectional {
        return Ok(());
    }
    let mut before = applied.before.clone();
    let flip = |w: &mut World| {
        std::mem::swap(&mut w.trees.left, &mut w.trees.right);
        for row in w.ledger.values_mut() {
            std::mem::swap(&mut row.held.left, &mut row.held.right);
        }
    };
    flip(&mut before);
    let plan = before.plan(&case.flipped().settings());
    let moved = applied.moved || plan.rounds > 1;
    // Where neither policy nor time names a side, the source's move is kept (the contract's "Moves and names").
    if moved && case.rules.winner().is_none() {
        return Ok(());
    }
    let outcome = before.apply(&plan.changes);
    let show = |words: String| format!("{words}\nmirrored plan:\n{}", describe(&plan, &outcome));
    flip(&mut before);
    let canonical = |shape: Shape| {
        let mut sets: BTreeMap<String, BTreeSet<(Kind, String)>> = BTreeMap::new();
        for (at, item) in shape {
            let plain =
                ["left", "right"].iter().fold(at, |at, side| at.replace(&format!(" (conflict {side} {STAMP})"), ""));
            sets.entry(plain).or_default().insert(item);
        }
        sets
    };
    for side in Side::BOTH {
        let (one, other) = (canonical(applied.after.shape_text(side)), canonical(before.shape_text(side)));
        ensure(one == other, || show(format!("mirrored {side:?}: {other:#?}\nnot {one:#?}")))?;
    }
    let counts = ChangeKind::ALL.map(|k| plan.tally.count(k));
    ensure(
        counts[..5]
            == ChangeKind::ALL.map(|k| applied.changes.iter().filter(|c| c.kind == k && !c.follows).count() as u64)
                [..5],
        || format!("mirrored counts {counts:?}"),
    )
}

/// Runs the checks over all cases and shows examples of each way in which they fail.
fn all(cases: impl Iterator<Item = Case>, check: impl Fn(&Case) -> Checked) {
    let mut failures: BTreeMap<String, (u64, Vec<String>)> = BTreeMap::new();
    let (mut count, mut failed) = (0u64, 0u64);
    for case in cases {
        count += 1;
        if let Err(words) = check(&case) {
            failed += 1;
            let way = format!("{:?} {}", case.rules.mode, words.lines().next().unwrap_or_default());
            let (times, examples) = failures.entry(way).or_default();
            *times += 1;
            if examples.len() < 3 {
                let plan = case.world().plan(&case.settings());
                examples.push(format!("{case:?}\n{words}\nplan: {:#?}\n{:?}", effects(&plan), plan.tally));
            }
        }
    }
    println!("{count} worlds");
    for (way, (times, examples)) in &failures {
        println!("== {times} times: {way}\n{}\n", examples.join("\n"));
    }
    assert!(failed == 0, "{failed} of {count} worlds");
}

fn triples(sides: &'static [What]) -> impl Iterator<Item = Triple> + Clone {
    BASES.into_iter().flat_map(move |b| sides.iter().flat_map(move |l| sides.iter().map(move |r| (b, *l, *r))))
}

fn single(triple: Triple, rules: Rules, deep: bool) -> Case {
    Case { names: vec![("n", triple)], rules, deep, swapped: Sides::default(), shared: false }
}

fn exhaustive() -> bool {
    std::env::var_os("PORTBOOK_EXHAUSTIVE").is_some()
}

#[test]
fn one_name_is_as_the_table_says_under_every_policy_and_mode() {
    let cases = [Filtered::No, Filtered::Yes, Filtered::Dirs].into_iter().flat_map(|filtered| {
        every_rule().into_iter().flat_map(move |rules| {
            let rules = Rules { excluded: [filtered, Filtered::No], ..rules };
            triples(&SIDES).flat_map(move |t| [false, true].map(|deep| single(t, rules, deep)))
        })
    });
    all(cases, |case| {
        let applied = lawful(case)?;
        if case.rules.mode != SyncMode::Selective {
            as_the_table_says(case, &applied)?;
        }
        symmetric(case, &applied)
    });
}

/// Two names: where nothing can have moved each is as if it were alone; where it can, the laws hold.
#[test]
fn pairs_of_names_are_lawful_and_independent_unless_moved() {
    let stride = if exhaustive() { 1 } else { 199 };
    let rules = every_rule();
    let swaps = [(false, false), (true, false), (false, true), (true, true)];
    let pairs = triples(&FEWER).flat_map(|n| triples(&FEWER).map(move |m| (n, m)));
    let cases = pairs.enumerate().flat_map(|(i, (n, m))| {
        // Every rule meets every pair of a complete run; swaps and shared contents take turns.
        rules.iter().enumerate().filter_map(move |(j, rules)| {
            let number = i * 9 + j;
            if number % stride != 0 {
                return None;
            }
            let turn = (i + j) % 8;
            let (left, right) = swaps[turn % 4];
            Some(Case {
                names: vec![("m", m), ("n", n)],
                rules: *rules,
                deep: false,
                swapped: Sides::new(left, right),
                shared: turn >= 4,
            })
        })
    });
    let cases: Box<dyn Iterator<Item = Case>> = Box::new(cases.collect::<Vec<_>>().into_iter());
    all(cases, |case| {
        let applied = lawful(case)?;
        let cannot_move = !case.shared && case.swapped == Sides::default();
        if cannot_move && case.rules.mode != SyncMode::Selective {
            ensure(!applied.moved, || "a move out of nothing".into())?;
            as_the_table_says(case, &applied)?;
        }
        symmetric(case, &applied)
    });
}
