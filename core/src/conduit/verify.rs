//! Looking at both sides and saying where they differ: after a run at what it carried, on request at everything.
//! Nothing here believes the ledger, but for which names are one item's: an alias leads back by it alone.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::delta::{Action, Scope, Step};
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Name, Node, Pair, PairId, PreviewId, RelPath, Side, Sides, SyncMode};
use crate::operation::plan::{PlanReader, Planned, Position};
use crate::provider::{Listing, Provider};

use super::baseline::Baseline;
use super::filter::{Filter, Filters};
use super::place::{self, Place};
use super::scene::Scene;
use super::{Conduit, ConduitInner, selection};

/// How one item differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Only that side has it.
    OnlyOn(Side),
    /// A file here, a directory there.
    Kind,
    /// The sizes differ.
    Size,
    /// The contents differ.
    Content,
    /// It could not be looked at; holds the other side's words.
    Unreadable(Side, String),
}

/// What two places are compared as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyOptions {
    /// What takes part; none: what took part when the two were last synced, which in selective mode leaves out what the
    /// target does not hold, and everything where they never were.
    pub filters: Option<Filters>,
    /// Read every file on both sides. Without, kinds and sizes are compared.
    pub checksum: bool,
}

/// The outcome of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// The mode that the two were last synced in, where that and its filters decided what took part.
    pub mode: Option<SyncMode>,
    /// What took part.
    pub filters: Filters,
    /// Items that took no part: the filters leave them out, or the target is not to hold them. Of a directory that is left
    /// out, what is in it is not counted.
    pub left_out: u64,
    /// Items that were compared.
    pub compared: u64,
    /// Bytes that were read on each side to compare contents; 0 unless asked for.
    pub bytes: u64,
    /// How many items differ.
    pub differing: u64,
    /// The first of them, 1000 at most.
    pub differences: Vec<(RelPath, Difference)>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OnlyOn(Side::Left) => f.write_str("only at the source"),
            Self::OnlyOn(Side::Right) => f.write_str("only at the target"),
            Self::Kind => f.write_str("another kind of item"),
            Self::Size => f.write_str("another size"),
            Self::Content => f.write_str("another content"),
            Self::Unreadable(_, words) => write!(f, "unreadable: {words}"),
        }
    }
}

const LISTED: usize = 1000;

/// Threads that look at each side.
const THREADS: u32 = 2;

/// Items compared in one call.
const BATCH: usize = 1024;

impl VerifyReport {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_in_step(&self) -> bool {
        self.differing == 0
    }

    fn differs(&mut self, path: RelPath, difference: Difference) {
        self.differing += 1;
        if self.differences.len() < LISTED {
            self.differences.push((path, difference));
        }
    }
}

/// Compares both trees: as the conduit of the two remembers it, unless the options say what takes part.
pub(crate) async fn verify(
    places: Sides<Place>,
    conduit: Option<&Conduit>,
    options: VerifyOptions,
) -> Result<VerifyReport> {
    let places = Sides::new(places.left.canonical()?, places.right.canonical()?);
    let open = async |side: Side| {
        place::open(&places[side], false, THREADS).await?.ok_or_else(|| {
            Error::new(Code::NotFound, "open the directory", places[side].display()).because("it does not exist")
        })
    };
    let sides = Sides::new(open(Side::Left).await?, open(Side::Right).await?);
    let ledger = match conduit {
        Some(conduit) => Some(conduit.inner.ledger(conduit.inner.row().await?.generation)),
        None => None,
    };
    let mut report = VerifyReport::default();
    let mut selection = None;
    match (options.filters, conduit) {
        (Some(filters), _) => report.filters = filters,
        (None, Some(conduit)) => {
            report.mode = Some(conduit.inner.options.mode);
            report.filters = conduit.inner.options.filters.clone();
            if conduit.inner.options.mode == SyncMode::Selective {
                selection = Some(selection::load(&conduit.inner).await?);
            }
        }
        (None, None) => {}
    }
    let filter = report.filters.compile(selection.as_ref())?;
    let part = Part { filter, is_selective: selection.is_some() };
    let mut stack = vec![Dir::root()];
    while !stack.is_empty() {
        let dirs = stack.split_off(stack.len().saturating_sub(32));
        let at = |side: Side| dirs.iter().map(|dir| dir.at[side].clone()).collect();
        let (left, right, pairs) = futures_util::join!(
            sides.left.list(at(Side::Left)),
            sides.right.list(at(Side::Right)),
            pairs(&ledger, &dirs)
        );
        let mut same = Vec::new();
        for (((dir, pairs), left), right) in dirs.iter().zip(pairs?).zip(left).zip(right) {
            let Some(left) = entries(&mut report, dir, &pairs, Side::Left, left) else { continue };
            let Some(right) = entries(&mut report, dir, &pairs, Side::Right, right) else { continue };
            compare(&mut report, &part, dir, left, right, &mut stack, &mut same);
        }
        if options.checksum {
            for batch in same.chunks(BATCH) {
                contents(&mut report, &sides, batch).await;
            }
        }
    }
    Ok(report)
}

/// A directory to be compared.
struct Dir {
    /// Its agreed path, which is what the report and the filters know it by.
    path: RelPath,
    at: Sides<RelPath>,
    /// Its row of the ledger.
    pair: Option<PairId>,
}

impl Dir {
    fn root() -> Self {
        let root = RelPath::root;
        Self { path: root(), at: Sides::new(root(), root()), pair: Some(PairId::ROOT) }
    }
}

/// What the ledger has of each of these directories.
async fn pairs(ledger: &Option<Arc<Baseline>>, dirs: &[Dir]) -> Result<Vec<Vec<Pair>>> {
    let none = || dirs.iter().map(|_| Vec::new()).collect();
    let Some(ledger) = ledger else { return Ok(none()) };
    let known: Vec<PairId> = dirs.iter().filter_map(|dir| dir.pair).collect();
    let mut rows = ledger.children(&known).await?.into_iter();
    Ok(dirs.iter().map(|dir| dir.pair.and_then(|_| rows.next()).unwrap_or_default()).collect())
}

/// Which items take part.
struct Part {
    filter: Filter,
    is_selective: bool,
}

impl Part {
    fn takes(&self, path: &RelPath, node: &Node) -> bool {
        self.filter.includes(path, node.kind == Kind::Dir)
    }
}

/// What tells items of a directory apart: the agreed name, and whether the item only happens to be called as another one
/// was agreed to be (on the side where that one has an alias).
type Key = (Name, bool);

/// An item as one side shows it.
struct Found {
    /// Its name there.
    name: Name,
    node: Node,
    /// What it is called on the other side, if it is there.
    other_name: Name,
    /// Its row of the ledger.
    pair: Option<PairId>,
}

/// What a listing shows, by the names that both sides agree on.
fn entries(
    report: &mut VerifyReport,
    dir: &Dir,
    pairs: &[Pair],
    side: Side,
    listing: Listing,
) -> Option<BTreeMap<Key, Found>> {
    let list = match listing {
        Listing::Complete(list) => list,
        Listing::Partial(_, error) | Listing::Unknown(error) => {
            report.differs(dir.path.clone(), Difference::Unreadable(side, error.to_string()));
            return None;
        }
        Listing::Absent => Vec::new(),
    };
    let rows: HashMap<&Name, &Pair> = pairs.iter().map(|pair| (pair.name_on(side), pair)).collect();
    let agreed: HashSet<&Name> = pairs.iter().map(|pair| &pair.name).collect();
    let found = list.into_iter().map(|entry| match rows.get(&entry.name) {
        Some(pair) => {
            let (other_name, pair, key) = (pair.name_on(side.other()).clone(), Some(pair.id), pair.name.clone());
            ((key, false), Found { name: entry.name, node: entry.node, other_name, pair })
        }
        None => {
            let (name, is_taken) = (entry.name.clone(), agreed.contains(&entry.name));
            ((name.clone(), is_taken), Found { name: entry.name, node: entry.node, other_name: name, pair: None })
        }
    });
    Some(found.collect())
}

fn compare(
    report: &mut VerifyReport,
    part: &Part,
    dir: &Dir,
    left: BTreeMap<Key, Found>,
    mut right: BTreeMap<Key, Found>,
    stack: &mut Vec<Dir>,
    same: &mut Vec<Same>,
) {
    for (key, found) in left {
        let path = dir.path.join(&key.0);
        let other = right.remove(&key);
        let node = found.node;
        if node.kind == Kind::Other {
            continue;
        }
        if !part.takes(&path, &node) {
            report.left_out += 1;
            continue;
        }
        let there = other.as_ref().map_or(&found.other_name, |other| &other.name);
        let at = Sides::new(dir.at.left.join(&found.name), dir.at.right.join(there));
        let is_dir = node.kind == Kind::Dir;
        let pair = found.pair.filter(|_| is_dir);
        if other.is_none() && part.is_selective {
            // A directory is held for what is held in it.
            if is_dir {
                stack.push(Dir { path, at, pair });
                continue;
            }
            if !part.filter.selects(&path) {
                report.left_out += 1;
                continue;
            }
        }
        report.compared += 1;
        match other.map(|other| other.node) {
            None => report.differs(path, Difference::OnlyOn(Side::Left)),
            Some(other) if other.kind != node.kind => report.differs(path, Difference::Kind),
            Some(_) if is_dir => stack.push(Dir { path, at, pair }),
            Some(other) if other.token.size != node.token.size => report.differs(path, Difference::Size),
            Some(_) => same.push((path, at, node.token.size)),
        }
    }
    for ((name, _), found) in right {
        let path = dir.path.join(&name);
        if found.node.kind == Kind::Other {
            continue;
        }
        if !part.takes(&path, &found.node) {
            report.left_out += 1;
            continue;
        }
        report.compared += 1;
        report.differs(path, Difference::OnlyOn(Side::Right));
    }
}

/// A file to be read on both sides: its agreed path, its paths, its size.
type Same = (RelPath, Sides<RelPath>, u64);

async fn contents(report: &mut VerifyReport, sides: &Sides<Arc<dyn Provider>>, batch: &[Same]) {
    let paths = |side: Side| batch.iter().map(|(_, at, _)| at[side].clone()).collect();
    let (left, right) = futures_util::join!(sides.left.hash(paths(Side::Left)), sides.right.hash(paths(Side::Right)));
    for (((path, _, size), left), right) in batch.iter().zip(left).zip(right) {
        report.bytes += size;
        match (left, right) {
            (Ok(left), Ok(right)) if left.content == right.content => {}
            (Ok(_), Ok(_)) => report.differs(path.clone(), Difference::Content),
            (Err(error), _) => report.differs(path.clone(), Difference::Unreadable(Side::Left, error.to_string())),
            (_, Err(error)) => report.differs(path.clone(), Difference::Unreadable(Side::Right, error.to_string())),
        }
    }
}

/// Looks once more at everything that a run carried; returns how many items are not as they should be.
pub(crate) async fn applied(conduit: &ConduitInner, scene: &Scene, preview: PreviewId, checksum: bool) -> Result<u64> {
    let reader = PlanReader { store: conduit.book.store.clone(), tenant: conduit.tenant, preview };
    let until = Position::start_of(Step::Metadata);
    let mut at = Position::start_of(Step::Structure);
    let mut differing = 0;
    loop {
        let page = reader.page(at, until).await?;
        let Some(last) = page.last() else { return Ok(differing) };
        at = last.at;
        let carried: Vec<&Planned> = page
            .iter()
            .filter(|p| matches!(p.change.action, Action::Transfer { .. } | Action::MakeDir { .. }) && !p.failed)
            .collect();
        for batch in carried.chunks(BATCH) {
            differing += look(scene, batch, checksum).await;
        }
    }
}

async fn look(scene: &Scene, batch: &[&Planned], checksum: bool) -> u64 {
    let paths = |side: Side| batch.iter().map(|p| p.change.path_on(side).clone()).collect::<Vec<_>>();
    let (left, right) =
        futures_util::join!(scene.sides.left.stat(paths(Side::Left)), scene.sides.right.stat(paths(Side::Right)));
    let mut same = Vec::new();
    let mut differing = 0;
    for ((planned, left), right) in batch.iter().zip(left).zip(right) {
        let equal = match (left, right) {
            (Ok(Some(left)), Ok(Some(right))) => left.kind == right.kind && left.token.size == right.token.size,
            _ => false,
        };
        if !equal {
            differing += 1;
        } else if planned.change.item != Kind::Dir {
            let at = |side: Side| planned.change.path_on(side).clone();
            same.push((planned.change.path.clone(), Sides::new(at(Side::Left), at(Side::Right)), planned.change.bytes));
        }
    }
    if checksum {
        let mut report = VerifyReport::default();
        contents(&mut report, &scene.sides, &same).await;
        differing += report.differing;
    }
    differing
}
