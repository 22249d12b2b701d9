//! What the quiet path costs (`cargo test --release --test planner -- --ignored speed --nocapture`).

use std::time::Instant;

use portbook::delta::{DirSeen, Finish, Observed, Reconciler};
use portbook::identity::ContentHash;
use portbook::model::{ConflictPolicy, Entry, Held, Ident, Kind, Pair, PairId, Sides, SyncMode, Timestamp, Token};

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
