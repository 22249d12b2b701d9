//! Items that were given an alias which the ledger does not know: a run ended between the two, or the ledger was lost.

use std::collections::{HashMap, HashSet};

use super::align::Slot;
use super::names::{alias_of, can_hold};
use super::settings::Settings;
use crate::model::{Entry, Name, NameClash, Side, Sides};

/// So many aliases of a name are looked for; the first is in use by something else only by accident.
const MOST_TRIED: usize = 4;

/// What one side cannot have under its own name, and what stands there under the alias that it would get, are one item,
/// if the ledger knows neither. An alias is not read: it is made again and looked up. Were it another file, the two
/// would be a conflict like any other.
pub(super) fn adopt_aliases(settings: &Settings, listing: Sides<&[Entry]>, slots: &mut Vec<Slot>) {
    if settings.name_clash == NameClash::Skip {
        return;
    }
    let mut merged = HashSet::new();
    for on in Side::BOTH {
        let is_new =
            |slot: &Slot, side: Side| slot.row.is_none() && slot.at[side].is_some() && slot.at[side.other()].is_none();
        let name = |slot: &Slot, side: Side| slot.at[side].map(|i| &listing[side][i].name);
        let mut new: HashMap<&Name, usize> = HashMap::new();
        for (n, slot) in slots.iter().enumerate().filter(|(_, slot)| is_new(slot, on)) {
            new.extend(name(slot, on).map(|name| (name, n)));
        }
        for n in 0..slots.len() {
            if new.is_empty() {
                break;
            }
            let Some(own) = name(&slots[n], on.other()).filter(|_| is_new(&slots[n], on.other())) else { continue };
            let has_own = !slots[n].taken[on] && can_hold(&settings.rules[on], own);
            if merged.contains(&n) || has_own {
                continue;
            }
            let mut tried = HashSet::new();
            let found = (0..MOST_TRIED).find_map(|_| new.remove(&alias_of(own, &settings.rules, &mut tried)));
            if let Some(there) = found {
                slots[n].at[on] = slots[there].at[on];
                slots[n].taken = Sides::default();
                slots[n].called_on = Some(on.other());
                merged.insert(there);
            }
        }
    }
    let mut n = 0;
    slots.retain(|_| {
        n += 1;
        !merged.contains(&(n - 1))
    });
}
