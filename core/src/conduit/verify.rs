//! Looking at both sides and saying where they differ: after a run at what it carried, on request at everything.
//! Nothing here believes the ledger.

use std::collections::BTreeMap;

use crate::delta::{Action, Scope, Step};
use crate::error::{Code, Error, Result};
use crate::model::{Entry, Kind, Name, Node, PreviewId, RelPath, Side, Sides, SyncMode};
use crate::operation::plan::{PlanReader, Planned, Position};
use crate::provider::{Listing, Provider};

use super::connect::{self, Place};
use super::filter::{Filter, Filters};
use super::scan::Scene;
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
    remembered: Option<&Conduit>,
    options: VerifyOptions,
) -> Result<VerifyReport> {
    let places = Sides::new(places.left.canonical()?, places.right.canonical()?);
    let open = |side: Side| {
        connect::open(&places[side], false, THREADS)?.ok_or_else(|| {
            Error::new(Code::NotFound, "open the directory", places[side].display()).because("it does not exist")
        })
    };
    let sides = Sides::new(open(Side::Left)?, open(Side::Right)?);
    let mut report = VerifyReport::default();
    let mut selection = None;
    match (options.filters, remembered) {
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
    let mut stack = vec![RelPath::root()];
    while !stack.is_empty() {
        let dirs = stack.split_off(stack.len().saturating_sub(32));
        let (left, right) = futures_util::join!(sides.left.list(dirs.clone()), sides.right.list(dirs.clone()));
        let mut same = Vec::new();
        for ((dir, left), right) in dirs.into_iter().zip(left).zip(right) {
            let Some(left) = entries(&mut report, &dir, Side::Left, left) else { continue };
            let Some(right) = entries(&mut report, &dir, Side::Right, right) else { continue };
            compare(&mut report, &part, &dir, left, right, &mut stack, &mut same);
        }
        if options.checksum {
            for batch in same.chunks(BATCH) {
                contents(&mut report, &sides, batch).await;
            }
        }
    }
    Ok(report)
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

/// What a listing shows, by the names that both sides agree on.
fn entries(report: &mut VerifyReport, dir: &RelPath, side: Side, listing: Listing) -> Option<BTreeMap<Name, Node>> {
    let named = |list: Vec<Entry>| list.into_iter().map(|entry| (entry.name, entry.node)).collect();
    match listing {
        Listing::Complete(list) => Some(named(list)),
        Listing::Partial(_, error) | Listing::Unknown(error) => {
            report.differs(dir.clone(), Difference::Unreadable(side, error.to_string()));
            None
        }
        Listing::Absent => Some(BTreeMap::new()),
    }
}

fn compare(
    report: &mut VerifyReport,
    part: &Part,
    dir: &RelPath,
    left: BTreeMap<Name, Node>,
    mut right: BTreeMap<Name, Node>,
    stack: &mut Vec<RelPath>,
    same: &mut Vec<(Sides<RelPath>, u64)>,
) {
    for (name, node) in left {
        let path = dir.join(&name);
        let other = right.remove(&name);
        if node.kind == Kind::Other {
            continue;
        }
        if !part.takes(&path, &node) {
            report.left_out += 1;
            continue;
        }
        let is_dir = node.kind == Kind::Dir;
        if other.is_none() && part.is_selective {
            // A directory is held for what is held in it.
            if is_dir {
                stack.push(path);
                continue;
            }
            if !part.filter.selects(&path) {
                report.left_out += 1;
                continue;
            }
        }
        report.compared += 1;
        match other {
            None => report.differs(path, Difference::OnlyOn(Side::Left)),
            Some(other) if other.kind != node.kind => report.differs(path, Difference::Kind),
            Some(_) if is_dir => stack.push(path),
            Some(other) if other.token.size != node.token.size => report.differs(path, Difference::Size),
            Some(_) => same.push((Sides::new(path.clone(), path), node.token.size)),
        }
    }
    for (name, node) in right {
        let path = dir.join(&name);
        if node.kind == Kind::Other {
            continue;
        }
        if !part.takes(&path, &node) {
            report.left_out += 1;
            continue;
        }
        report.compared += 1;
        report.differs(path, Difference::OnlyOn(Side::Right));
    }
}

async fn contents(
    report: &mut VerifyReport,
    sides: &Sides<std::sync::Arc<dyn Provider>>,
    batch: &[(Sides<RelPath>, u64)],
) {
    let paths = |side: Side| batch.iter().map(|(at, _)| at[side].clone()).collect();
    let (left, right) = futures_util::join!(sides.left.hash(paths(Side::Left)), sides.right.hash(paths(Side::Right)));
    for (((Sides { left: path, .. }, size), left), right) in batch.iter().zip(left).zip(right) {
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
            same.push((Sides::new(at(Side::Left), at(Side::Right)), planned.change.bytes));
        }
    }
    if checksum {
        let mut report = VerifyReport::default();
        contents(&mut report, &scene.sides, &same).await;
        differing += report.differing;
    }
    differing
}
