//! Two trees and a ledger in memory, with a driver that plans and an executor that applies a plan exactly as the
//! contract says: preconditions, order, followers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization as _;

use portbook::delta::{
    Action, Change, DirSeen, DroppedDecision, Expect, Finish, Observed, Reconciler, Scope, Settings, SideRules, Step,
    Tally, Task, Unreadable,
};
use portbook::identity::ContentHash;
use portbook::model::{
    ConflictPolicy, Entry, Held, Ident, Kind, Name, NameClash, Node, Pair, PairId, RelPath, Side, Sides, SyncMode,
    Timestamp, Token,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub kind: Kind,
    pub content: Vec<u8>,
    pub ident: u64,
    pub mtime: i64,
    pub ctime: i64,
    pub mode: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    pub items: BTreeMap<RelPath, Item>,
    /// Directories that cannot be listed.
    pub unreadable: Vec<RelPath>,
    /// Files whose content cannot be read.
    pub unhashable: Vec<RelPath>,
    /// What a listing leaves out, which makes it a partial one.
    pub unlisted: Vec<RelPath>,
}

pub fn path(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).unwrap()
}

pub fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

impl Item {
    pub fn node(&self) -> Node {
        let is_dir = self.kind == Kind::Dir;
        Node {
            kind: self.kind,
            ident: if self.ident == 0 { Ident::None } else { Ident::File { id: self.ident, birth_ns: 0 } },
            token: Token {
                size: if is_dir { 0 } else { self.content.len() as u64 },
                mtime: (!is_dir).then_some(Timestamp { secs: self.mtime, nanos: 0 }),
                ctime: (!is_dir).then_some(Timestamp { secs: self.ctime, nanos: 0 }),
                mode: Some(self.mode),
                revision: None,
            },
        }
    }
}

impl Tree {
    pub fn children(&self, dir: &RelPath) -> Vec<Entry> {
        let of = |p: &RelPath| p.parent().is_some_and(|parent| parent == *dir);
        self.items
            .iter()
            .filter(|(p, _)| of(p))
            .map(|(p, item)| Entry { name: p.name().unwrap(), node: item.node() })
            .collect()
    }

    pub fn is_dir(&self, p: &RelPath) -> bool {
        p.is_root() || self.items.get(p).is_some_and(|i| i.kind == Kind::Dir)
    }

    pub fn list(&self, dir: &RelPath) -> DirSeen {
        if self.unreadable.contains(dir) {
            return DirSeen::Unknown("permission denied".into());
        }
        if !self.is_dir(dir) {
            return DirSeen::Absent;
        }
        let mut entries = self.children(dir);
        if self.unlisted.iter().any(|p| p.parent().is_some_and(|parent| parent == *dir)) {
            entries.retain(|e| !self.unlisted.contains(&dir.join(&e.name)));
            return DirSeen::Partial(entries, "connection reset".into());
        }
        DirSeen::Complete(entries)
    }

    pub fn rename(&mut self, from: &RelPath, to: &RelPath) {
        let moved: Vec<_> = self.items.keys().filter(|p| p.is_within(from)).cloned().collect();
        let moved: Vec<_> = moved.into_iter().map(|p| (p.rebase(from, to), self.items.remove(&p).unwrap())).collect();
        self.items.extend(moved);
    }

    pub fn remove(&mut self, from: &RelPath) {
        self.items.retain(|p, _| !p.is_within(from));
    }

    /// What a person sees: kinds and contents.
    pub fn shape(&self) -> BTreeMap<RelPath, (Kind, Vec<u8>)> {
        self.items.iter().map(|(p, i)| (p.clone(), (i.kind, i.content.clone()))).collect()
    }
}

pub struct Everything;
impl Scope for Everything {
    fn includes(&self, _: &RelPath, _: bool) -> bool {
        true
    }
    fn selects(&self, _: &RelPath) -> bool {
        true
    }
    fn has_filter(&self) -> bool {
        false
    }
}

pub fn rules() -> SideRules {
    SideRules {
        case_insensitive: false,
        unicode_insensitive: false,
        windows_names: false,
        unicode_names: false,
        max_name_bytes: 255,
        mode: true,
        set_mtime: true,
        symlinks: true,
        time_precision_ns: 1,
    }
}

pub fn settings(mode: SyncMode, policy: ConflictPolicy) -> Settings {
    Settings {
        mode,
        policy,
        name_clash: NameClash::Skip,
        exact: false,
        checksum: false,
        rules: Sides::new(rules(), rules()),
        scope: Arc::new(Everything),
        stamp: "2026-11-21 064500".into(),
        tolerance_ns: 0,
        unclean_stop: false,
        first_new_pair: PairId(1),
        move_limit: 1000,
        decisions: Arc::default(),
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    pub trees: Sides<Tree>,
    pub ledger: BTreeMap<PairId, Pair>,
    /// What went to the trash or was archived.
    pub trash: Vec<Vec<u8>>,
    pub clock: i64,
    pub next_ident: u64,
    /// Which sides give identities.
    pub gives_ident: Sides<bool>,
    /// What the sides can hold, where that is less than everything.
    pub limits: Sides<Option<SideRules>>,
}

#[derive(Debug)]
pub struct Plan {
    pub changes: Vec<Change>,
    pub tally: Tally,
    pub rounds: usize,
    pub dropped: Vec<DroppedDecision>,
}

/// What an execution did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    pub applied: Vec<usize>,
    pub stale: Vec<usize>,
}

impl World {
    pub fn new() -> Self {
        Self { clock: 1_000_000, next_ident: 1, gives_ident: Sides::new(true, true), ..Self::default() }
    }

    pub fn tick(&mut self) -> i64 {
        self.clock += 10;
        self.clock
    }

    pub fn put(&mut self, side: Side, at: &str, content: &str) {
        self.put_item(side, &path(at), Kind::File, content.as_bytes());
    }

    pub fn put_item(&mut self, side: Side, at: &RelPath, kind: Kind, content: &[u8]) {
        let now = self.tick();
        let fresh = self.next_ident;
        self.next_ident += 1;
        let fresh = if self.gives_ident[side] { fresh } else { 0 };
        let tree = &mut self.trees[side];
        let ident = tree.items.get(at).filter(|i| i.kind == kind).map_or(fresh, |i| i.ident);
        let mode = if kind == Kind::Dir { 0o755 } else { 0o644 };
        tree.items.insert(at.clone(), Item { kind, content: content.to_vec(), ident, mtime: now, ctime: now, mode });
    }

    pub fn dir(&mut self, side: Side, at: &str) {
        self.put_item(side, &path(at), Kind::Dir, b"");
    }

    /// Another item of that side stands at this place, as far as the side can tell.
    pub fn is_taken(&self, side: Side, at: &RelPath) -> bool {
        self.standing(side, at).is_some()
    }

    /// What that side shows at this place, under whatever case or normal form.
    fn standing(&self, side: Side, at: &RelPath) -> Option<RelPath> {
        let tree = &self.trees[side];
        if self.limits[side].is_none() {
            return tree.items.contains_key(at).then(|| at.clone());
        }
        let (parent, name) = (at.parent()?, at.name()?);
        let alike = |e: &Entry| self.fold(side, &e.name) == self.fold(side, &name);
        tree.children(&parent).into_iter().find(alike).map(|e| parent.join(&e.name))
    }

    fn fold(&self, side: Side, name: &Name) -> String {
        let text = String::from_utf8_lossy(name.as_bytes()).into_owned();
        let Some(rules) = &self.limits[side] else { return text };
        let text = if rules.unicode_insensitive { text.nfc().collect() } else { text };
        if rules.case_insensitive { text.to_lowercase() } else { text }
    }

    /// Whether that side takes the name at all.
    pub fn admits(&self, side: Side, at: &RelPath) -> bool {
        let Some(rules) = &self.limits[side] else { return true };
        let name = at.name().expect("not the root");
        let text = String::from_utf8_lossy(name.as_bytes()).into_owned();
        let is_refused = text.contains([':', '*', '?'])
            || text.ends_with(['.', ' '])
            || text.split('.').next().is_some_and(|stem| stem.eq_ignore_ascii_case("con"));
        text.len() <= rules.max_name_bytes && !(rules.windows_names && is_refused)
    }

    /// A tree under the names that both sides agreed on.
    pub fn agreed_shape(&self, side: Side) -> BTreeMap<RelPath, (Kind, Vec<u8>)> {
        let mut names: HashMap<RelPath, RelPath> = HashMap::new();
        let mut dirs = vec![(PairId::ROOT, RelPath::root(), RelPath::root())];
        while let Some((dir, real, agreed)) = dirs.pop() {
            for row in self.base(dir) {
                let (real, agreed) = (real.join(row.name_on(side)), agreed.join(&row.name));
                names.insert(real.clone(), agreed.clone());
                if row.kind == Kind::Dir {
                    dirs.push((row.id, real, agreed));
                }
            }
        }
        let shape = self.trees[side].shape().into_iter();
        shape.map(|(at, item)| (names.get(&at).cloned().unwrap_or(at), item)).collect()
    }

    /// How many names only one side has.
    pub fn aliases(&self) -> usize {
        let held = self.ledger.values().flat_map(|row| [&row.held.left, &row.held.right]);
        held.filter(|held| held.alias.is_some()).count()
    }

    fn base(&self, parent: PairId) -> Vec<Pair> {
        let mut rows: Vec<_> =
            self.ledger.values().filter(|p| p.parent == parent && p.id != PairId::ROOT).cloned().collect();
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        rows
    }

    pub fn settings_for(&self, settings: &Settings) -> Settings {
        let next = self.ledger.keys().next_back().map_or(1, |p| p.0 + 1);
        Settings { first_new_pair: PairId(next.max(1)), ..settings.clone() }
    }

    pub fn observed(&self, task: Task, settings: &Settings, shuffle: &mut dyn FnMut(&mut Vec<Entry>)) -> Observed {
        let base = task.pair.map(|p| self.base(p)).unwrap_or_default();
        let mut seen = Side::BOTH.map(|s| task.at[s].as_ref().map_or(DirSeen::Absent, |at| self.trees[s].list(at)));
        for seen in &mut seen {
            if let DirSeen::Complete(entries) | DirSeen::Partial(entries, _) = seen {
                shuffle(entries);
            }
        }
        let [left, right] = seen;
        let mut observed = Observed { task, base, seen: Sides::new(left, right), hashes: Sides::default() };
        let wanted = observed.wanted(settings);
        for side in Side::BOTH {
            for at in &wanted[side] {
                observed.hashes[side].insert(at.name().unwrap(), self.hash(side, at));
            }
        }
        observed
    }

    pub fn hash(&self, side: Side, at: &RelPath) -> Result<ContentHash, Unreadable> {
        let tree = &self.trees[side];
        if tree.unhashable.contains(at) {
            return Err("input/output error".into());
        }
        let item = tree.items.get(at).ok_or("gone")?;
        assert!(matches!(item.kind, Kind::File | Kind::Symlink), "only files are hashed: {at}");
        Ok(ContentHash::of(&item.content))
    }

    pub fn plan(&self, settings: &Settings) -> Plan {
        self.plan_shuffled(settings, 1, &mut |_| {})
    }

    /// Plans with `ahead` directories in flight.
    pub fn plan_shuffled(&self, settings: &Settings, ahead: usize, shuffle: &mut dyn FnMut(&mut Vec<Entry>)) -> Plan {
        let settings = self.settings_for(settings);
        let mut reconciler = Reconciler::new(settings.clone());
        let mut changes = Vec::new();
        let mut rounds = 1;
        loop {
            let mut flight = std::collections::VecDeque::new();
            loop {
                while flight.len() < ahead
                    && let Some(task) = reconciler.next_task()
                {
                    flight.push_back(self.observed(task, &settings, shuffle));
                }
                let Some(observed) = flight.pop_front() else { break };
                reconciler.observe(observed, &mut changes);
            }
            match reconciler.finish(&mut changes) {
                Finish::Plan(tally) => {
                    let dropped = reconciler.dropped_decisions().to_vec();
                    return Plan { changes, tally, rounds, dropped };
                }
                Finish::Hash(wanted) => {
                    let mut hashes = Sides::<HashMap<_, _>>::default();
                    for side in Side::BOTH {
                        for at in &wanted[side] {
                            hashes[side].insert(at.clone(), self.hash(side, at));
                        }
                    }
                    reconciler.pair_by_content(hashes);
                }
                Finish::Again => {
                    changes.clear();
                    rounds += 1;
                    assert!(rounds <= 200, "the walk does not end");
                }
            }
        }
    }

    pub fn apply(&mut self, plan: &[Change]) -> Outcome {
        self.apply_with(plan, &mut |_, _| {})
    }

    /// `meddle` is called right before each change, with the number of effects so far.
    pub fn apply_with(&mut self, plan: &[Change], meddle: &mut dyn FnMut(&mut World, usize)) -> Outcome {
        let mut heads = Vec::new();
        for (i, change) in plan.iter().enumerate() {
            let head = if change.follows { *heads.last().expect("a follower has a head") } else { i };
            heads.push(head);
        }
        let mut order: Vec<usize> = (0..plan.len()).collect();
        order.sort_by_key(|i| (plan[*i].step, plan[*i].rank, *i));
        let mut outcome = Outcome::default();
        let mut undone = vec![false; plan.len()];
        let mut lifted: Vec<(Side, RelPath, RelPath)> = Vec::new();
        // What the first half of a decision about attributes left on its side.
        let mut set: HashMap<PairId, Node> = HashMap::new();
        for (n, i) in order.into_iter().enumerate() {
            let change = &plan[i];
            if matches!(change.action, Action::Skip(_)) {
                continue;
            }
            meddle(self, n);
            if change.step > Step::Structure {
                self.surface(&mut lifted);
            }
            // Nothing is carried into a directory that was not agreed on: its row would have no parent.
            let is_lift = change.path_on.left.as_ref().or(change.path_on.right.as_ref()).is_some_and(is_temporary);
            let has_row = is_lift || change.parent == PairId::ROOT || self.ledger.contains_key(&change.parent);
            if (!has_row && change.action.changes().is_some() && !matches!(change.action, Action::Delete { .. }))
                || (heads[i] != i && undone[heads[i]])
                || !self.holds(change)
                || !self.perform(change)
                || !self.is_as_set(change, &mut set)
            {
                undone[i] = true;
                outcome.stale.push(i);
            } else {
                outcome.applied.push(i);
                if let Action::Move { on, from, .. } = &change.action
                    && is_temporary(change.path_on(*on))
                {
                    lifted.push((*on, change.path_on(*on).clone(), from.clone()));
                }
            }
        }
        self.surface(&mut lifted);
        outcome
    }

    /// What still stands under a temporary name gets its old one again, or one beside it; wherever the directory that
    /// holds it has got to meanwhile.
    fn surface(&mut self, lifted: &mut Vec<(Side, RelPath, RelPath)>) {
        for (side, temporary, from) in lifted.drain(..) {
            let tree = &mut self.trees[side];
            let Some(at) = tree.items.keys().find(|p| p.name() == temporary.name()).cloned() else { continue };
            let name = from.name().expect("not the root");
            let beside = |n: usize| {
                let name = if n == 0 { name.clone() } else { self::name(&format!("{name} ({n})")) };
                at.parent().expect("not the root").join(&name)
            };
            let free = (0..).map(beside).find(|p| !tree.items.contains_key(p)).expect("endless");
            tree.rename(&at, &free);
        }
    }

    /// No two rows of the ledger stand for one place.
    pub fn has_twins(&self) -> bool {
        let places: std::collections::BTreeSet<_> = self.ledger.values().map(|p| (p.parent, &p.name)).collect();
        places.len() < self.ledger.len()
    }

    fn holds(&self, change: &Change) -> bool {
        Side::BOTH.into_iter().all(|side| {
            let at = match &change.action {
                Action::Move { on, from, .. } if *on == side => from,
                _ => change.path_on(side),
            };
            let there = self.trees[side].items.get(at).map(Item::node);
            match (&change.expect[side], there) {
                (Expect::Any, _) | (Expect::Absent, None) => true,
                (Expect::Absent, Some(_)) | (Expect::Node(_), None) => false,
                (Expect::Node(wanted), Some(there)) if wanted.kind == Kind::Dir => {
                    there.kind == Kind::Dir && there.ident == wanted.ident
                }
                (Expect::Node(wanted), Some(there)) => *wanted == there,
            }
        })
    }

    fn perform(&mut self, change: &Change) -> bool {
        match &change.action {
            Action::MakeDir { on } => {
                let at = change.path_on(*on).clone();
                if self.is_taken(*on, &at) || !self.admits(*on, &at) || !self.has_parent(*on, &at) {
                    return false;
                }
                self.put_item(*on, &at, Kind::Dir, b"");
                if let Some(mode) = self.trees[on.other()].items.get(change.path_on(on.other())).map(|i| i.mode) {
                    self.trees[*on].items.get_mut(&at).expect("just made").mode = mode;
                }
                self.record(change);
            }
            Action::Move { on, from, settled } => {
                let to = change.path_on(*on).clone();
                let is_taken = self.standing(*on, &to).is_some_and(|there| there != *from);
                if is_taken
                    || (to == *from)
                    || !(self.admits(*on, &to) || is_temporary(&to))
                    || !self.has_parent(*on, &to)
                    || to.is_within(from)
                {
                    return false;
                }
                self.trees[*on].rename(from, &to);
                // The first half of a move through a temporary name leaves the ledger alone.
                let is_lift = is_temporary(&to);
                if let Some(row) = self.ledger.get_mut(&change.pair).filter(|_| !is_lift) {
                    row.parent = change.parent;
                    row.name = change.path.name().expect("not the root");
                    for side in Side::BOTH {
                        let there = change.path_on(side).name().expect("not the root");
                        row.held[side].alias = Some(there).filter(|there| *there != row.name);
                    }
                    if settled.left && settled.right {
                        self.record(change);
                    }
                }
            }
            Action::Transfer { to, archive } => {
                let Some(source) = self.trees[to.other()].items.get(change.path_on(to.other())).cloned() else {
                    return false;
                };
                let at = change.path_on(*to).clone();
                let is_others = self.standing(*to, &at).is_some_and(|there| there != at);
                if !self.has_parent(*to, &at) || self.trees[*to].is_dir(&at) || is_others || !self.admits(*to, &at) {
                    return false;
                }
                if let Some(old) = self.trees[*to].items.remove(&at)
                    && *archive
                {
                    self.trash.push(old.content);
                }
                self.put_item(*to, &at, source.kind, &source.content);
                let made = self.trees[*to].items.get_mut(&at).expect("just written");
                made.mtime = source.mtime;
                made.mode = source.mode;
                self.record(change);
            }
            // Recorded when it is known that both sides are as they should be.
            Action::SetMetadata { on, metadata } => {
                let now = self.tick();
                let Some(item) = self.trees[*on].items.get_mut(change.path_on(*on)) else { return false };
                item.mode = metadata.mode.unwrap_or(item.mode);
                item.mtime = metadata.mtime.map_or(item.mtime, |t| t.secs);
                item.ctime = now;
            }
            Action::Delete { on } => {
                let at = change.path_on(*on).clone();
                let holds_something = self.trees[*on].items.keys().any(|p| *p != at && p.is_within(&at));
                if holds_something {
                    return false;
                }
                let Some(item) = self.trees[*on].items.remove(&at) else { return false };
                if item.kind != Kind::Dir {
                    self.trash.push(item.content);
                }
                self.ledger.remove(&change.pair);
            }
            Action::Record => self.record(change),
            Action::Forget => {
                self.ledger.remove(&change.pair);
            }
            Action::Skip(_) => {}
        }
        true
    }

    /// Where both sides get an attribute from each other, the second half is agreed on only if the first half's side is as
    /// that one left it.
    fn is_as_set(&mut self, change: &Change, set: &mut HashMap<PairId, Node>) -> bool {
        let Action::SetMetadata { on, .. } = change.action else { return true };
        let there = |side: Side| self.trees[side].items.get(change.path_on(side)).map(Item::node);
        let is_as_set = change.expect[on.other()] != Expect::Any || there(on.other()).as_ref() == set.get(&change.pair);
        set.extend(there(on).map(|node| (change.pair, node)));
        if is_as_set {
            self.record(change);
        }
        is_as_set
    }

    fn has_parent(&self, side: Side, at: &RelPath) -> bool {
        at.parent().is_some_and(|p| self.trees[side].is_dir(&p))
    }

    /// Writes the ledger row from a fresh look at both sides; only what both have is agreed.
    fn record(&mut self, change: &Change) {
        let look = |side: Side| self.trees[side].items.get(change.path_on(side));
        let (Some(left), Some(right)) = (look(Side::Left), look(Side::Right)) else { return };
        assert_eq!(left.kind, right.kind, "what is recorded is the same on both sides: {change:?}");
        assert_eq!(left.content, right.content, "what is recorded is the same on both sides: {change:?}");
        let name = change.path.name().expect("not the root");
        let held = |side: Side| {
            let there = change.path_on(side).name().expect("not the root");
            let node = look(side).expect("just seen").node();
            Held {
                ident: node.ident,
                token: node.token,
                alias: (there != name).then_some(there),
                racy: false,
                verified: false,
            }
        };
        let row = Pair {
            id: change.pair,
            parent: change.parent,
            name: name.clone(),
            kind: left.kind,
            content: (left.kind != Kind::Dir).then(|| ContentHash::of(&left.content)),
            held: Sides::new(held(Side::Left), held(Side::Right)),
        };
        assert!(change.parent == PairId::ROOT || self.ledger.contains_key(&change.parent), "an orphan row: {change:?}");
        self.ledger.insert(row.id, row);
    }

    /// Plans and applies once.
    pub fn sync(&mut self, settings: &Settings) -> Plan {
        let plan = self.plan(settings);
        let outcome = self.apply(&plan.changes);
        assert!(outcome.stale.is_empty(), "stale without a cause: {:?}", describe(&plan, &outcome));
        assert!(!self.has_twins());
        plan
    }
}

fn is_temporary(at: &RelPath) -> bool {
    at.name().is_some_and(|name| portbook::provider::is_reserved(name.as_bytes()))
}

pub fn describe(plan: &Plan, outcome: &Outcome) -> String {
    let line = |(i, c): (usize, &Change)| {
        format!("{} {:?} {} {:?}\n", if outcome.stale.contains(&i) { "STALE" } else { "  " }, c.kind, c.path, c.action)
    };
    plan.changes.iter().enumerate().map(line).collect()
}

/// The changes that a report counts.
pub fn effects(plan: &Plan) -> Vec<String> {
    let counted = |c: &&Change| !matches!(c.action, Action::Skip(_) | Action::Record | Action::Forget);
    plan.changes.iter().filter(counted).map(|c| format!("{} {:?} {:?}", c.path, c.kind, c.action)).collect()
}
