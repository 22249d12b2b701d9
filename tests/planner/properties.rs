//! The properties that must hold for every history (tests 2.1 to 2.6 of the reliability list).

use std::collections::BTreeSet;

use portbook::model::{Side, SyncMode};
use proptest::prelude::*;

use crate::random::story;
use crate::world::{World, describe, settings};

/// Contents that no policy has given up: everything on either side that the ledger does not know.
fn contents(world: &World) -> BTreeSet<Vec<u8>> {
    Side::BOTH
        .into_iter()
        .flat_map(|s| world.trees[s].items.values())
        .filter(|i| i.kind != portbook::model::Kind::Dir)
        .map(|i| i.content.clone())
        .chain(world.trash.iter().cloned())
        .collect()
}

fn known(world: &World) -> BTreeSet<portbook::identity::ContentHash> {
    world.ledger.values().filter_map(|p| p.content).collect()
}

pub fn conserved(before: &World, after: &World) -> Result<(), TestCaseError> {
    let (has, knew) = (contents(after), known(before));
    for content in contents(before) {
        // Decision 23: an ordinary update over a known state need not archive it.
        let may_go = knew.contains(&portbook::identity::ContentHash::of(&content));
        prop_assert!(may_go || has.contains(&content), "lost: {}", String::from_utf8_lossy(&content));
    }
    Ok(())
}

pub fn run(world: &mut World, s: &portbook::delta::Settings) -> Result<crate::world::Plan, TestCaseError> {
    let plan = world.plan(s);
    let outcome = world.apply(&plan.changes);
    prop_assert!(outcome.stale.is_empty(), "stale without a cause:\n{}", describe(&plan, &outcome));
    prop_assert!(!world.has_twins());
    Ok(plan)
}

proptest! {
    #![proptest_config(crate::random::config())]

    #[test]
    fn two_runs_bring_both_sides_into_step_and_lose_nothing(story in story()) {
        let s = settings(SyncMode::Bidirectional, story.policy);
        let mut world = story.world();
        let before = world.clone();
        let first = run(&mut world, &s)?;
        prop_assert!(first.rounds <= 20);
        conserved(&before, &world)?;
        let middle = world.clone();
        run(&mut world, &s)?;
        conserved(&middle, &world)?;
        prop_assert_eq!(world.trees.left.shape(), world.trees.right.shape());
        let third = world.plan(&s);
        prop_assert!(third.changes.is_empty(), "not quiet: {:?}", third.changes);
    }

    #[test]
    fn a_mirror_makes_the_target_like_the_source(story in story()) {
        let mut s = settings(SyncMode::Mirror, story.policy);
        s.exact = true;
        let mut world = story.world();
        let before = world.clone();
        run(&mut world, &s)?;
        conserved(&before, &world)?;
        prop_assert_eq!(&before.trees.left.shape(), &world.trees.left.shape());
        run(&mut world, &s)?;
        prop_assert_eq!(world.trees.left.shape(), world.trees.right.shape());
        let third = world.plan(&s);
        prop_assert!(third.changes.is_empty(), "not quiet: {:?}", third.changes);
    }
}
