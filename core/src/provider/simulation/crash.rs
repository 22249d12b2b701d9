//! What is durable, and what a power loss leaves of the rest.
//!
//! Half of the seeds follow ext4: its journal keeps the changes of directories in their order, so that a beginning of
//! them survives. The other half let each change survive or not for itself, as long as what it builds on survives
//! (file systems with a log per directory come close). In both, content follows no order at all: a rename may be on
//! the disk before the content of the renamed file, which then is empty, short, zero or partly old.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use super::model::{Change, Id, Item, ModelDisk, ROOT, World};
use crate::model::Kind;

const PAGE: usize = 4096;

/// SplitMix64: small, and the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn coin(&mut self) -> bool {
        self.roll() & 1 == 0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % (end.max(1) as u64)).unwrap_or(0)
    }
}

impl ModelDisk {
    /// The disk as it may look after a power loss now. The same seed gives the same disk; this one goes on unchanged.
    #[must_use]
    pub fn crash(&self, seed: u64) -> ModelDisk {
        let mut world = self.world().clone();
        let mut dice = Dice(seed);
        let log = std::mem::take(&mut world.log);
        for change in survivors(&log, &mut dice) {
            world.make_durable(change);
        }
        let mut ids: Vec<Id> = world.items.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            if let Some(item) = world.items.get_mut(&id) {
                after_loss(item, &mut dice);
            }
        }
        world.restart();
        ModelDisk { world: Arc::new(Mutex::new(world)) }
    }
}

/// Which changes of directories are on the disk.
fn survivors<'l>(log: &'l [Change], dice: &mut Dice) -> Vec<&'l Change> {
    if dice.coin() {
        return log[..dice.below(log.len() + 1)].iter().collect();
    }
    let mut kept = Vec::new();
    let mut lost: HashSet<(Id, &[u8])> = HashSet::new();
    let mut unborn: HashSet<Id> = HashSet::new();
    let mut incomplete: HashSet<Id> = HashSet::new();
    for change in log {
        let builds_on_lost = change.sets.iter().any(|(dir, name, to)| {
            let item_lost = to.as_ref().is_some_and(|t| unborn.contains(&t.1));
            lost.contains(&(*dir, &name[..])) || unborn.contains(dir) || item_lost
        });
        let held = change.gone.iter().any(|dir| incomplete.contains(dir));
        if !builds_on_lost && !held && dice.coin() {
            kept.push(change);
            continue;
        }
        lost.extend(change.sets.iter().map(|(dir, name, _)| (*dir, &name[..])));
        incomplete.extend(change.sets.iter().map(|s| s.0));
        unborn.extend(&change.born);
    }
    kept
}

/// What is left of an item's content and attributes.
fn after_loss(item: &mut Item, dice: &mut Dice) {
    if item.now == item.durable {
        item.ctime = item.durable_ctime;
        return;
    }
    let mut left = item.durable.clone();
    if dice.coin() {
        (left.mode, left.mtime) = (item.now.mode, item.now.mtime);
        left.attributes = item.now.attributes.clone();
    } else {
        item.ctime = item.durable_ctime;
    }
    if item.kind == Kind::File && item.now.data != item.durable.data {
        let (old, new) = (&item.durable.data, &item.now.data);
        // What was durable and only added to stays: no disk takes back a block that nobody wrote to.
        let kept = if is_added_to(old, new) { old.len() } else { 0 };
        let size = match dice.below(4) {
            0 => old.len(),
            1 => new.len(),
            2 => new.len() - new.len() % PAGE,
            _ => dice.below(old.len().max(new.len()) + 1),
        }
        .max(kept);
        let mut data = vec![0; size];
        for start in (0..size).step_by(PAGE) {
            let end = (start + PAGE).min(size);
            let from: &[u8] = match dice.below(3) {
                0 => old,
                1 => new,
                _ => &[],
            };
            if let Some(page) = from.get(start..end.min(from.len())) {
                data[start..start + page.len()].copy_from_slice(page);
            }
        }
        for (byte, old) in data.iter_mut().zip(&old[..kept]).filter(|(_, old)| **old != 0) {
            *byte = *old;
        }
        left.data = Arc::new(data);
    }
    item.now = left;
}

/// Whether bytes came only behind the end and where there was a hole.
fn is_added_to(old: &[u8], new: &[u8]) -> bool {
    let mut pages = old.chunks(PAGE).zip(new.chunks(PAGE));
    let is_so = |(old, new): (&[u8], &[u8])| {
        new.starts_with(old) || old.iter().zip(new).all(|(old, new)| *old == 0 || old == new)
    };
    new.len() >= old.len() && pages.all(is_so)
}

impl World {
    pub(super) fn sync_body(&mut self, id: Id) {
        if let Some(item) = self.items.get_mut(&id) {
            item.durable = item.now.clone();
            item.durable_ctime = item.ctime;
        }
    }

    fn make_durable(&mut self, change: &Change) {
        for (dir, name, to) in &change.sets {
            if let Some(item) = self.items.get_mut(dir) {
                match to {
                    Some(to) => item.durable_entries.insert(name.clone(), to.clone()),
                    None => item.durable_entries.remove(name),
                };
            }
        }
        for (id, ctime) in &change.times {
            if let Some(item) = self.items.get_mut(id) {
                item.durable_ctime = item.durable_ctime.max(*ctime);
            }
        }
    }

    /// Makes the changes of this directory durable, and those that they build on: what an item moved from here to a
    /// directory that is new needs to be found there, and what was moved out of a directory before it was removed, too.
    /// (Journals of whole file systems keep their order; those with
    /// a log per directory follow a rename to its new parents.)
    pub(super) fn sync_entries(&mut self, dir: Id) {
        let log = std::mem::take(&mut self.log);
        let mut wanted: HashSet<(Id, Vec<u8>)> = HashSet::new();
        let mut parents: HashSet<Id> = HashSet::new();
        let mut emptied: HashSet<Id> = HashSet::from([dir]);
        let mut keep = vec![false; log.len()];
        for (i, change) in log.iter().enumerate().rev() {
            let here = change.sets.iter().any(|s| {
                let names_parent = s.2.as_ref().is_some_and(|to| parents.contains(&to.1));
                emptied.contains(&s.0) || names_parent || wanted.contains(&(s.0, s.1.clone()))
            });
            if here {
                keep[i] = true;
                wanted.extend(change.sets.iter().map(|s| (s.0, s.1.clone())));
                parents.extend(change.sets.iter().map(|s| s.0).filter(|d| *d != dir));
                emptied.extend(&change.gone);
            }
        }
        for (change, keep) in log.into_iter().zip(keep) {
            if keep {
                self.make_durable(&change);
            } else {
                self.log.push(change);
            }
        }
    }

    pub(super) fn sync_everything(&mut self) {
        self.log.clear();
        for item in self.items.values_mut() {
            item.durable = item.now.clone();
            item.durable_ctime = item.ctime;
            item.durable_entries = item.entries.clone();
        }
    }

    /// Starts again from what is on the disk: counts names, forgets what has none.
    fn restart(&mut self) {
        let mut links: HashMap<Id, u32> = HashMap::from([(ROOT, 1)]);
        let mut dirs = vec![ROOT];
        while let Some(dir) = dirs.pop() {
            let Some(item) = self.items.get_mut(&dir) else { continue };
            item.entries = item.durable_entries.clone();
            let held: Vec<Id> = item.entries.values().map(|e| e.1).collect();
            for id in held {
                let count = links.entry(id).or_default();
                *count += 1;
                if *count == 1 && self.items.get(&id).is_some_and(|i| i.kind == Kind::Dir) {
                    dirs.push(id);
                }
            }
        }
        self.items.retain(|id, _| links.contains_key(id));
        for (id, item) in &mut self.items {
            item.links = links.get(id).copied().unwrap_or(0);
            item.durable = item.now.clone();
            item.durable_ctime = item.ctime;
        }
        self.log.clear();
        self.locks.clear();
    }
}
