//! What the quiet path costs (`cargo test --release --test planner -- --ignored speed --nocapture`).

use std::time::Instant;

use portbook::delta::{Action, ChangeKind, DirSeen, Finish, Observed, Reconciler};
use portbook::identity::ContentHash;
use portbook::model::{
    ConflictPolicy, Entry, Held, Ident, Kind, Pair, PairId, RelPath, Side, Sides, SyncMode, Timestamp, Token,
};

use crate::world::{name, settings};

const DIRS: i64 = 10_000;
const FILES: i64 = 100;

fn pair(id: i64, parent: i64, text: &str, kind: Kind) -> Pair {
    let time = (kind == Kind::File).then_some(Timestamp { secs: id, nanos: 1 });
    let token = Token { size: 1, mtime: time, ctime: time, mode: Some(0o644), revision: None };
    let held = Held { ident: Ident::File { id: id as u64, birth_ns: 1 }, token, ..Held::default() };
    let content = (kind == Kind::File).then(|| ContentHash::of(b"x"));
    Pair {
        id: PairId(id),
        parent: PairId(parent),
        name: name(text),
        kind,
        content,
        held: Sides::new(held.clone(), held),
    }
}

fn entries(base: &[Pair]) -> DirSeen {
    let entry = |p: &Pair| Entry {
        name: p.name.clone(),
        node: portbook::model::Node {
            kind: p.kind,
            ident: p.held.left.ident.clone(),
            token: p.held.left.token.clone(),
        },
    };
    DirSeen::Complete(base.iter().map(entry).collect())
}

#[test]
#[ignore = "a measurement"]
fn speed_of_the_quiet_path() {
    let mut s = settings(SyncMode::Bidirectional, ConflictPolicy::KeepBoth);
    s.first_new_pair = PairId(i64::MAX / 2);
    let mut reconciler = Reconciler::new(s.clone());
    let mut changes = Vec::new();
    let mut spent = std::time::Duration::ZERO;
    while let Some(task) = reconciler.next_task() {
        let base: Vec<Pair> = match task.pair {
            Some(PairId::ROOT) => (1..=DIRS).map(|d| pair(d, 0, &format!("dir {d:06}"), Kind::Dir)).collect(),
            Some(PairId(d)) => (0..FILES)
                .map(|f| pair(1_000_000 + d * FILES + f, d, &format!("some file {f:06}.txt"), Kind::File))
                .collect(),
            None => Vec::new(),
        };
        let seen = Sides::new(entries(&base), entries(&base));
        let observed = Observed { task, base, seen, hashes: Sides::default() };
        let start = Instant::now();
        assert!(observed.wanted(&s).left.is_empty());
        reconciler.observe(observed, &mut changes);
        spent += start.elapsed();
    }
    let Finish::Plan(tally) = reconciler.finish(&mut changes) else { panic!("no moves") };
    assert!(changes.is_empty());
    println!("{} pairs, {} ns each", tally.unchanged, spent.as_nanos() / u128::from(tally.unchanged));
}

const OUTER: i64 = 200;
const INNER: i64 = 100;

/// The directories in `at`, on the left under their new names.
fn renamed_dirs(at: Option<&RelPath>, side: Side) -> DirSeen {
    let Some(at) = at else { return DirSeen::Absent };
    let word = if side == Side::Left { "new" } else { "old" };
    let number = |text: String| text.rsplit(' ').next().and_then(|n| n.parse::<i64>().ok()).expect("a number");
    let ids = match at.depth() {
        0 => 1..OUTER + 1,
        1 => {
            let outer = number(at.to_string());
            OUTER + outer * INNER..OUTER + (outer + 1) * INNER
        }
        _ => 0..0,
    };
    let entry = |id: i64| {
        let row = pair(id, 0, &format!("{word} {id}"), Kind::Dir);
        let node = portbook::model::Node {
            kind: Kind::Dir,
            ident: row.held.left.ident.clone(),
            token: row.held.left.token.clone(),
        };
        Entry { name: row.name, node }
    };
    DirSeen::Complete(ids.map(entry).collect())
}

/// Paths of moves were once found by replaying every earlier one.
#[test]
fn twenty_thousand_renamed_directories_are_planned_in_seconds() {
    let mut s = settings(SyncMode::Bidirectional, ConflictPolicy::KeepBoth);
    s.first_new_pair = PairId(i64::MAX / 2);
    s.move_limit = 50_000;
    let mut reconciler = Reconciler::new(s.clone());
    let mut changes = Vec::new();
    let start = Instant::now();
    let tally = loop {
        while let Some(task) = reconciler.next_task() {
            let ids = match task.pair {
                Some(PairId::ROOT) => 1..OUTER + 1,
                Some(PairId(id)) if id <= OUTER => OUTER + id * INNER..OUTER + (id + 1) * INNER,
                _ => 0..0,
            };
            let parent = task.pair.unwrap_or(PairId::ROOT).0;
            let mut base: Vec<Pair> = ids.map(|id| pair(id, parent, &format!("old {id}"), Kind::Dir)).collect();
            base.sort_by(|a, b| a.name.cmp(&b.name));
            let seen = Sides::new(
                renamed_dirs(task.at.left.as_ref(), Side::Left),
                renamed_dirs(task.at.right.as_ref(), Side::Right),
            );
            let observed = Observed { task, base, seen, hashes: Sides::default() };
            assert!(observed.wanted(&s).left.is_empty(), "directories have no content");
            reconciler.observe(observed, &mut changes);
        }
        match reconciler.finish(&mut changes) {
            Finish::Plan(tally) => break tally,
            Finish::Again => changes.clear(),
            Finish::Hash(_) => panic!("directories have no content"),
        }
    };
    let spent = start.elapsed();
    println!("{} moves in {spent:?}", tally.count(ChangeKind::Moved));
    assert_eq!(tally.count(ChangeKind::Moved), (OUTER * (INNER + 1)) as u64);
    for change in &changes {
        let Action::Move { from, .. } = &change.action else { panic!("only moves: {change:?}") };
        let is_inner = change.path.depth() == 2;
        assert_eq!(from.to_string().starts_with("new"), is_inner, "{from} to {}", change.path);
    }
    assert!(spent.as_secs() < 60, "{spent:?}");
}
