//! Files that nobody knows yet, on both sides under the same path: where one side's service says a hash of its own, only
//! the other side is read, and what is equal is not carried here to be compared.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt as _, stream};

use super::scene::Scene;
use crate::delta::{DirSeen, Observed};
use crate::identity::ContentHash;
use crate::model::{Entry, Kind, Node, RelPath, Side, Sides};
use crate::provider::NativeHash;

/// Files that are read at once.
const AT_ONCE: usize = 8;

/// A file that is wanted on both sides and may be equal.
struct Twin {
    path: RelPath,
    nodes: Sides<Node>,
}

/// The contents of the files that are found to be equal. What is not among them is not known to differ.
pub(super) async fn equal(
    scene: &Scene,
    observed: &[Observed],
    wanted: &[Sides<Vec<RelPath>>],
) -> HashMap<RelPath, ContentHash> {
    let mut twins: Vec<Twin> =
        observed.iter().zip(wanted).flat_map(|(observed, wanted)| twins(observed, wanted)).collect();
    let mut equal = HashMap::new();
    for told in [Side::Right, Side::Left] {
        if twins.is_empty() {
            break;
        }
        let files = twins.iter().map(|twin| (twin.path.clone(), twin.nodes[told].clone())).collect();
        let said = scene.sides[told].native_hashes(files).await;
        let (known, unknown): (Vec<_>, Vec<_>) = twins.into_iter().zip(said).partition(|(_, hash)| hash.is_some());
        twins = unknown.into_iter().map(|(twin, _)| twin).collect();
        let read = |(twin, hash): (Twin, Option<NativeHash>)| async move {
            let opened = scene.sides[told.other()].read(&twin.path, Some(&twin.nodes[told.other()]), 0, None).await;
            // What cannot be read is hashed as anything else is, which says why.
            let content = hash?.confirm(opened.ok()?.bytes).await.ok()??;
            Some((twin.path, content))
        };
        let found: Vec<_> = stream::iter(known).map(read).buffer_unordered(AT_ONCE).collect().await;
        equal.extend(found.into_iter().flatten());
    }
    equal
}

fn twins(observed: &Observed, wanted: &Sides<Vec<RelPath>>) -> Vec<Twin> {
    let right: HashSet<&RelPath> = wanted.right.iter().collect();
    let both: Vec<&RelPath> = wanted.left.iter().filter(|path| right.contains(path)).collect();
    if both.is_empty() {
        return Vec::new();
    }
    let names = observed.seen.as_ref().map(|seen| match seen {
        DirSeen::Complete(entries) | DirSeen::Partial(entries, _) => by_name(entries),
        DirSeen::Absent | DirSeen::Unknown(_) => HashMap::new(),
    });
    let twin = |path: &RelPath| {
        let name = path.name()?;
        let (left, right) = (*names.left.get(name.as_bytes())?, *names.right.get(name.as_bytes())?);
        let may_be = left.kind == Kind::File && right.kind == Kind::File && left.token.size == right.token.size;
        may_be.then(|| Twin { path: path.clone(), nodes: Sides::new(left.clone(), right.clone()) })
    };
    both.into_iter().filter_map(twin).collect()
}

fn by_name(entries: &[Entry]) -> HashMap<&[u8], &Node> {
    entries.iter().map(|entry| (entry.name.as_bytes(), &entry.node)).collect()
}
