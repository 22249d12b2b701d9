//! What a run that did not end has left behind is tidied before the next one looks at the places.
//!
//! Temporary files are discarded, but for those that the session of a large file owns; an item caught in the middle of a swap is brought to a visible name; what
//! a volume was about to keep becomes a version. What was published and not recorded needs nothing here: the scan finds it equal on both sides and adopts it.

use crate::delta::Expect;
use crate::error::{Code, Result};
use crate::model::{Ident, Name, Node, RelPath, Side};
use crate::provider::Move;
use crate::store::{Store, Write};

use super::baseline::IntentItem;
use super::ends::Ends;
use super::scene::Scene;
use crate::volume::FileId;

/// Tidies up; returns how many intents were open.
pub(crate) async fn recover(
    scene: &Scene,
    ends: &Ends,
    store: &dyn Store,
    tenant: crate::model::TenantId,
) -> Result<usize> {
    let open = scene.ledger.open_intents().await?;
    if open.is_empty() {
        return Ok(0);
    }
    let mut staged: [Vec<(RelPath, String)>; 2] = [Vec::new(), Vec::new()];
    let mut swaps: Vec<Swap> = Vec::new();
    let mut asides: Vec<(Side, RelPath, RelPath)> = Vec::new();
    for item in open.iter().flat_map(|intent| &intent.items) {
        match item {
            IntentItem::Staged { side, target, tag } => staged[*side as usize].push((target.clone(), tag.clone())),
            // Its session owns it, and is in the book as long as it stands there.
            IntentItem::Carried { .. } => {}
            IntentItem::Swap { .. } => swaps.extend(Swap::of(item)),
            IntentItem::Aside { side, aside, from } => asides.push((*side, aside.clone(), from.clone())),
            IntentItem::Kept { side, target, version, label } => {
                if let Some(end) = ends.on(*side) {
                    end.finish(target, FileId::new(*version), label).await?;
                }
            }
        }
    }
    let mut is_tidy = true;
    for side in Side::BOTH {
        let items = std::mem::take(&mut staged[side as usize]);
        if items.is_empty() {
            continue;
        }
        // Their names are gone for good before the intents are: nobody else knows of them.
        let targets = items.iter().map(|(target, _)| target.clone()).collect();
        match scene.sides[side].discard_staged(items).await {
            Ok(()) => scene.sides[side].flush(targets).await?,
            // A directory that is closed now keeps what is in it, and stops nobody else: the next run tries again.
            Err(e) if e.code() == Code::Permission => is_tidy = false,
            Err(e) => return Err(e),
        }
    }
    surface(scene, swaps).await?;
    for (side, aside, from) in asides {
        take_back(scene, side, aside, from).await?;
    }
    let is_staging = |item: &IntentItem| matches!(item, IntentItem::Staged { .. });
    let done = open.iter().filter(|intent| is_tidy || !intent.items.iter().any(is_staging));
    let writes: Vec<Write> = done.map(|intent| scene.ledger.remove_intent(intent.id)).collect();
    if !writes.is_empty() {
        store.write(tenant, writes).await?;
    }
    Ok(open.len())
}

/// An item that may stand under a temporary name.
struct Swap {
    side: Side,
    temporary: RelPath,
    from: RelPath,
    to: RelPath,
    ident: Ident,
    holder: Option<Ident>,
}

impl Swap {
    fn of(item: &IntentItem) -> Option<Self> {
        match item.clone() {
            IntentItem::Swap { side, temporary, from, to, ident, holder } => {
                Some(Self { side, temporary, from, to, ident, holder })
            }
            IntentItem::Staged { .. }
            | IntentItem::Carried { .. }
            | IntentItem::Aside { .. }
            | IntentItem::Kept { .. } => None,
        }
    }

    /// Whether this is the item. Where items have no identity, its name has to do.
    fn is(&self, node: &Node) -> bool {
        self.ident == Ident::None || self.ident == node.ident
    }
}

/// Brings what these swaps left under a temporary name back to a visible one.
pub(crate) async fn surface_swaps(scene: &Scene, intents: &[i64]) -> Result<()> {
    let open = scene.ledger.open_intents().await?;
    let items = open.iter().filter(|intent| intents.contains(&intent.id)).flat_map(|intent| &intent.items);
    surface(scene, items.filter_map(Swap::of).collect()).await
}

/// Finds each item and gives it a visible name. One that is not where it was left has mostly been given its place; but
/// when the directory that held it is not there any more, somebody has moved that, and the item with it: then the place
/// is searched for it.
async fn surface(scene: &Scene, swaps: Vec<Swap>) -> Result<()> {
    let mut gone: Vec<Swap> = Vec::new();
    for swap in swaps {
        let paths = vec![swap.temporary.clone(), swap.temporary.parent().unwrap_or_default()];
        let mut seen = scene.sides[swap.side].stat(paths).await.into_iter();
        let (item, holder) = (seen.next().transpose()?.flatten(), seen.next().transpose()?.flatten());
        match item {
            Some(node) => rename(scene, swap.side, swap.temporary, [swap.from, swap.to], node).await?,
            None if holder.map(|h| h.ident) == swap.holder => {}
            None => gone.push(swap),
        }
    }
    for side in Side::BOTH {
        let gone: Vec<&Swap> = gone.iter().filter(|swap| swap.side == side).collect();
        let names: Vec<Name> = gone.iter().filter_map(|swap| swap.temporary.name()).collect();
        if names.is_empty() {
            continue;
        }
        for (path, node) in scene.sides[side].find_hidden(names).await? {
            let Some(swap) = gone.iter().find(|s| s.temporary.name() == path.name() && s.is(&node)) else { continue };
            let here = path.parent().unwrap_or_default();
            // Where it was, and where it was to be when that is in the same directory.
            let from = swap.from.name().map_or_else(|| swap.from.clone(), |name| here.join(&name));
            let stays = swap.to.parent() == swap.from.parent();
            let to = swap.to.name().filter(|_| stays).map_or_else(|| swap.to.clone(), |name| here.join(&name));
            rename(scene, side, path, [from, to], node).await?;
        }
    }
    Ok(())
}

/// Gives an item that stands under a temporary name its old one, where another has taken that the one it was to have, and
/// else the nearest free one. What fails otherwise ends the run: while the item is hidden it would look deleted.
async fn rename(scene: &Scene, side: Side, temporary: RelPath, names: [RelPath; 2], node: Node) -> Result<()> {
    let provider = &scene.sides[side];
    let others: Vec<RelPath> = (1..100).map(|number| numbered(&names[0], number)).collect();
    for to in names.into_iter().chain(others) {
        let expect = Expect::Node(node.clone());
        let request = Move { from: temporary.clone(), to: to.clone(), expect, through: None };
        match provider.move_items(vec![request]).await.pop() {
            Some(Ok(_)) => return provider.flush(vec![to]).await,
            // It is taken, or its directory is not there.
            Some(Err(e)) if matches!(e.code(), Code::Stale | Code::NotFound | Code::Invalid) => {}
            Some(Err(e)) => return Err(e),
            None => {}
        }
    }
    Err(crate::Error::new(crate::Code::Storage, "bring back", &temporary)
        .because("no free name was found beside its old one")
        .advise("rename it by hand"))
}

/// A version that went aside goes back as long as nothing has come to its place and nobody else has a copy of it: the
/// conflict is then decided anew. Else it would look like a rename that its owner made.
async fn take_back(scene: &Scene, side: Side, aside: RelPath, from: RelPath) -> Result<()> {
    let other = scene.sides[side.other()].stat(vec![aside.clone()]).await.pop();
    if other.transpose()?.flatten().is_some() {
        return Ok(());
    }
    let provider = &scene.sides[side];
    let there = provider.stat(vec![aside.clone()]).await.pop();
    let Some(node) = there.transpose()?.flatten() else { return Ok(()) };
    let request = Move { from: aside.clone(), to: from.clone(), expect: Expect::Node(node), through: None };
    match provider.move_items(vec![request]).await.pop() {
        Some(Ok(_)) => provider.flush(vec![from, aside]).await,
        // Something is at its place by now: the conflict was carried out that far, and its copy stays.
        Some(Err(e)) if e.code() == crate::Code::Stale => Ok(()),
        Some(Err(e)) => Err(e),
        None => Ok(()),
    }
}

fn numbered(path: &RelPath, number: u32) -> RelPath {
    let mut bytes = path.as_bytes().to_vec();
    bytes.extend_from_slice(format!(" ({number})").as_bytes());
    RelPath::parse(&bytes).unwrap_or_else(|| path.clone())
}
