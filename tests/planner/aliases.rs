//! Names that one side cannot hold or tell apart, under a conduit that gives aliases: each case by name, and what must
//! hold of all of them.

use portbook::delta::{Action, ChangeKind, Settings};
use portbook::model::{ConflictPolicy, Ident, NameClash, PairId, RelPath, Side, Sides, SyncMode};
use proptest::prelude::*;

use crate::properties::{conserved, run};
use crate::random::{Edit, edit, edits, policy};
use crate::world::{Tree, World, effects, name, path, rules, settings};

/// The target takes only what Windows takes, and does not tell cases apart.
fn narrow(mode: SyncMode, policy: ConflictPolicy) -> Settings {
    let mut s = settings(mode, policy);
    s.name_clash = NameClash::Alias;
    s.rules.right.case_insensitive = true;
    s.rules.right.windows_names = true;
    s.rules.right.unicode_names = true;
    s.rules.right.max_name_bytes = 80;
    s
}

fn both() -> Settings {
    narrow(SyncMode::Bidirectional, ConflictPolicy::KeepBoth)
}

fn world(s: &Settings) -> World {
    let mut world = World::new();
    world.limits.right = Some(s.rules.right.clone());
    world
}

fn agreed(items: &[&str]) -> World {
    agreed_in(world(&both()), items)
}

/// No side gives identities.
fn agreed_blindly(items: &[&str]) -> World {
    agreed_in(World { gives_ident: Sides::new(false, false), ..world(&both()) }, items)
}

fn agreed_in(mut world: World, items: &[&str]) -> World {
    let s = both();
    for (i, item) in items.iter().enumerate() {
        match item.strip_suffix('/') {
            Some(dir) => world.dir(Side::Left, dir),
            None => world.put(Side::Left, item, &format!("content {i}")),
        }
    }
    world.sync(&s);
    in_step_and_quiet(&world, &s);
    world
}

fn in_step_and_quiet(world: &World, s: &Settings) {
    assert_eq!(world.agreed_shape(Side::Left), world.agreed_shape(Side::Right), "{:#?}", world.ledger);
    let again = world.plan(s);
    assert!(again.changes.is_empty(), "{:#?}", again.changes);
}

/// What the target calls the item.
fn on_right(world: &World, agreed: &str) -> String {
    let name = name(agreed.rsplit('/').next().expect("a name"));
    let row = world.ledger.values().find(|row| row.name == name).expect("agreed");
    row.name_on(Side::Right).to_string()
}

fn rename(tree: &mut Tree, from: &str, to: &str) {
    tree.rename(&path(from), &path(to));
}

#[test]
fn names_that_a_side_cannot_tell_apart_are_all_there_and_the_first_keeps_its_own() {
    let world = agreed(&["NAME", "Name", "name", "other"]);
    assert_eq!(world.trees.right.items.len(), 4);
    assert_eq!(on_right(&world, "NAME"), "NAME");
    assert_ne!(on_right(&world, "Name"), "Name");
    assert_ne!(on_right(&world, "name"), on_right(&world, "Name"));
    assert_eq!(world.aliases(), 2);
}

#[test]
fn names_that_a_side_cannot_hold_are_there_with_everything_in_them() {
    let long = "l".repeat(200);
    let world = agreed(&["a:b", "con", "con.tar.gz", "dot.", &long, "d?/", "d?/e*/", "d?/e*/f:g", "d?/plain"]);
    assert_eq!(world.trees.right.items.len(), 9);
    assert_eq!(world.aliases(), 8);
}

#[test]
fn the_same_names_get_the_same_aliases_in_any_world_and_order() {
    let one = agreed(&["a:b", "Name", "name"]);
    let other = agreed(&["name", "Name", "zzz", "a:b"]);
    for agreed in ["a:b", "name"] {
        assert_eq!(on_right(&one, agreed), on_right(&other, agreed));
    }
}

#[test]
fn an_aliased_item_is_edited_and_deleted_on_either_side() {
    for side in Side::BOTH {
        let s = both();
        let mut world = agreed(&["a:b", "c:d", "Name", "name"]);
        let there = |world: &World, agreed: &str| match side {
            Side::Left => agreed.to_owned(),
            Side::Right => on_right(world, agreed),
        };
        let (edited, deleted, twin) = (there(&world, "a:b"), there(&world, "c:d"), there(&world, "name"));
        world.put(side, &edited, "edited");
        world.put(side, &twin, "edited too");
        world.trees[side].remove(&path(&deleted));
        let plan = world.sync(&s);
        assert_eq!(plan.tally.count(ChangeKind::Updated), 2, "{:#?}", effects(&plan));
        assert_eq!(plan.tally.count(ChangeKind::Deleted), 1);
        in_step_and_quiet(&world, &s);
        assert_eq!(world.trees[side.other()].items.len(), 3);
    }
}

#[test]
fn an_aliased_item_is_moved_on_the_wider_side_and_carried_as_a_move() {
    for (from, to) in [("a:b", "d/a:b"), ("a:b", "c:d"), ("a:b", "plain"), ("a:b", "d/con"), ("o?", "p?")] {
        let s = both();
        let mut world = agreed(&["a:b", "d/", "o?/", "o?/f:g"]);
        rename(&mut world.trees.left, from, to);
        let plan = world.sync(&s);
        assert_eq!(plan.tally.count(ChangeKind::Moved), 1, "{to}: {:#?}", effects(&plan));
        assert_eq!(plan.tally.bytes, 0);
        in_step_and_quiet(&world, &s);
    }
}

#[test]
fn an_aliased_item_that_is_moved_under_its_alias_keeps_its_name() {
    let s = both();
    let mut world = agreed(&["a:b", "d/"]);
    let alias = on_right(&world, "a:b");
    rename(&mut world.trees.right, &alias, &format!("d/{alias}"));
    let plan = world.sync(&s);
    assert_eq!(plan.tally.count(ChangeKind::Moved), 1, "{:#?}", effects(&plan));
    assert!(world.trees.left.items.contains_key(&path("d/a:b")));
    in_step_and_quiet(&world, &s);
}

#[test]
fn an_aliased_item_that_is_renamed_on_the_narrower_side_has_that_name_on_both() {
    let s = both();
    let mut world = agreed(&["a:b", "Name", "name"]);
    for (agreed, to) in [("a:b", "plain"), ("name", "another")] {
        let alias = on_right(&world, agreed);
        rename(&mut world.trees.right, &alias, to);
    }
    let plan = world.sync(&s);
    assert_eq!(plan.tally.count(ChangeKind::Moved), 2, "{:#?}", effects(&plan));
    assert!(world.trees.left.items.contains_key(&path("plain")));
    assert_eq!(world.aliases(), 0);
    in_step_and_quiet(&world, &s);
}

#[test]
fn an_alias_stays_when_what_it_gave_way_to_is_gone_and_ends_when_the_narrower_side_takes_the_name_back() {
    let s = both();
    let mut world = agreed(&["Name", "name"]);
    world.trees.left.remove(&path("Name"));
    let alias = on_right(&world, "name");
    world.sync(&s);
    assert_eq!(on_right(&world, "name"), alias);
    in_step_and_quiet(&world, &s);
    rename(&mut world.trees.right, &alias, "name");
    world.sync(&s);
    assert_eq!(world.aliases(), 0);
    in_step_and_quiet(&world, &s);
}

#[test]
fn a_file_that_takes_the_name_of_an_alias_on_the_wider_side_is_another_item() {
    let s = both();
    let mut world = agreed(&["a:b"]);
    let alias = on_right(&world, "a:b");
    world.put(Side::Left, &alias, "a real file");
    world.sync(&s);
    assert_eq!(world.trees.right.items.len(), 2);
    assert_eq!(world.trees.right.items[&path(&alias)].content, b"content 0");
    in_step_and_quiet(&world, &s);
    // … and so is one that is moved there.
    let mut world = agreed(&["a:b", "x"]);
    rename(&mut world.trees.left, "x", &alias);
    world.sync(&s);
    assert_eq!(world.trees.right.items.len(), 2);
    in_step_and_quiet(&world, &s);
}

#[test]
fn a_file_that_takes_the_agreed_name_on_the_narrower_side_is_another_item() {
    for give in [true, false] {
        let s = both();
        let mut world = agreed(&["Name", "name", "x"]);
        world.trees.left.remove(&path("Name"));
        world.sync(&s);
        if give {
            world.put(Side::Right, "name", "a real file");
        } else {
            rename(&mut world.trees.right, "x", "name");
        }
        world.sync(&s);
        assert!(!world.has_twins());
        assert_eq!(world.trees.left.items[&path("name")].content, b"content 1");
        in_step_and_quiet(&world, &s);
    }
}

#[test]
fn both_versions_of_an_aliased_conflict_are_kept_on_both_sides() {
    let s = both();
    let mut world = agreed(&["a:b", "Name", "name"]);
    for agreed in ["a:b", "name"] {
        let alias = on_right(&world, agreed);
        world.put(Side::Left, agreed, "by the left");
        world.put(Side::Right, &alias, "by the right");
    }
    let plan = world.sync(&s);
    assert_eq!(plan.tally.count(ChangeKind::Conflict), 2, "{:#?}", effects(&plan));
    assert_eq!(world.trees.left.items.len(), 5);
    in_step_and_quiet(&world, &s);
}

#[test]
fn a_new_case_beside_a_collision_is_a_rename() {
    for (from, to) in [("Name", "NAME"), ("name", "nAme"), ("name", "NAME")] {
        let s = both();
        let mut world = agreed(&["Name", "name"]);
        rename(&mut world.trees.left, from, to);
        let plan = world.sync(&s);
        assert_eq!(plan.tally.count(ChangeKind::Moved), 1, "{from} {to}: {:#?}", effects(&plan));
        assert_eq!(plan.tally.bytes, 0);
        in_step_and_quiet(&world, &s);
    }
}

#[test]
fn names_that_differ_only_in_case_change_places() {
    let s = both();
    let mut world = agreed(&["Name", "name"]);
    for (from, to) in [("Name", "aside"), ("name", "Name"), ("aside", "name")] {
        rename(&mut world.trees.left, from, to);
    }
    world.sync(&s);
    in_step_and_quiet(&world, &s);
    assert_eq!(world.trees.left.items[&path("Name")].content, b"content 1");
}

#[test]
fn without_the_option_aliases_that_are_there_go_on_and_nothing_new_gets_one() {
    let mut s = both();
    let mut world = agreed(&["a:b"]);
    s.name_clash = NameClash::Skip;
    in_step_and_quiet(&world, &s);
    world.put(Side::Left, "a:b", "edited");
    world.put(Side::Left, "c:d", "new");
    let alias = on_right(&world, "a:b");
    world.put(Side::Left, &alias, "a real file");
    let plan = world.sync(&s);
    assert_eq!(plan.changes.iter().filter(|c| matches!(c.action, Action::Skip(_))).count(), 2);
    assert_eq!(world.trees.right.items.len(), 1);
    assert_eq!(world.trees.right.items[&path(&alias)].content, b"edited");
}

#[test]
fn a_mirror_restores_what_happened_to_an_alias_at_the_target() {
    let s = narrow(SyncMode::Mirror, ConflictPolicy::SourceWins);
    let mut world = agreed(&["a:b", "c:d", "e:f"]);
    let alias = |world: &World, agreed: &str| on_right(world, agreed);
    let (edited, moved, deleted) = (alias(&world, "a:b"), alias(&world, "c:d"), alias(&world, "e:f"));
    world.put(Side::Right, &edited, "edited there");
    rename(&mut world.trees.right, &moved, "elsewhere");
    world.trees.right.remove(&path(&deleted));
    world.sync(&s);
    assert_eq!(on_right(&world, "c:d"), moved);
    in_step_and_quiet(&world, &s);
    assert_eq!(world.trees.left.items.len(), 3);
}

#[test]
fn a_lost_ledger_finds_the_aliases_again() {
    for mode in [SyncMode::Mirror, SyncMode::Bidirectional] {
        let s = narrow(mode, ConflictPolicy::KeepBoth);
        let mut world = agreed(&["Name", "name", "a:b", "d?/", "d?/con", "d?/e*/", "d?/e*/f"]);
        let (before, ledger) = (world.trees.clone(), std::mem::take(&mut world.ledger));
        let plan = world.sync(&s);
        assert!(effects(&plan).is_empty(), "{:#?}", effects(&plan));
        assert_eq!((world.ledger.len(), world.trees == before), (ledger.len(), true));
        in_step_and_quiet(&world, &s);
        assert_eq!(world.aliases(), 5);
    }
}

/// Two items change places.
fn swap(tree: &mut Tree, a: &str, b: &str) {
    for (from, to) in [(a, "aside"), (b, a), ("aside", b)] {
        rename(tree, from, to);
    }
}

#[test]
fn a_move_is_taken_back_to_the_case_that_the_name_has_now() {
    let s = narrow(SyncMode::Mirror, ConflictPolicy::SourceWins);
    let mut world = agreed(&["A/", "A/f", "a:b"]);
    let alias = on_right(&world, "a:b");
    rename(&mut world.trees.left, "A", "a");
    swap(&mut world.trees.right, "A", &alias);
    let plan = world.sync(&s);
    assert_eq!((plan.tally.bytes, world.aliases()), (0, 1), "{:#?}", effects(&plan));
    assert!(world.trees.right.items.contains_key(&path("a/f")));
    in_step_and_quiet(&world, &s);
}

#[test]
fn what_stands_under_its_old_case_is_found_in_a_directory_that_is_renamed() {
    let s = narrow(SyncMode::Mirror, ConflictPolicy::SourceWins);
    let mut world = agreed_blindly(&["a/", "a/A"]);
    rename(&mut world.trees.left, "a", "aside");
    world.dir(Side::Left, "A");
    rename(&mut world.trees.left, "aside", "A/a");
    world.sync(&s);
    in_step_and_quiet(&world, &s);
}

#[test]
fn a_new_case_of_a_name_is_not_taken_over_where_another_item_has_it() {
    let s = both();
    let mut world = agreed_blindly(&["A/", "a"]);
    for side in Side::BOTH {
        world.trees[side].remove(&path("A"));
    }
    world.put(Side::Right, "a", "a real file");
    world.sync(&s);
    assert!(no_shared_names(&world));
    in_step_and_quiet(&world, &s);
    assert_eq!(world.trees.left.items.len(), 2);
}

#[test]
fn what_is_adopted_from_an_alias_leaves_another_item_its_agreed_name() {
    let s = both();
    let mut world = agreed(&["A", "a/", "d/"]);
    let alias = on_right(&world, "a");
    rename(&mut world.trees.right, "A", "d/a");
    for (side, name) in [(Side::Left, alias.as_str()), (Side::Right, "a")] {
        world.put(side, name, "a real file");
    }
    world.sync(&s);
    assert!(no_shared_names(&world));
    in_step_and_quiet(&world, &s);
}

#[test]
fn what_moves_beside_what_both_sides_moved_is_told_apart_from_it() {
    for items in [["A/", "a:b"], ["A", "a:b"]] {
        for mode in [SyncMode::Mirror, SyncMode::Bidirectional] {
            let s = narrow(mode, ConflictPolicy::SourceWins);
            let mut world = agreed(&items);
            let alias = on_right(&world, "a:b");
            swap(&mut world.trees.left, "A", "a:b");
            rename(&mut world.trees.left, "a:b", "a");
            swap(&mut world.trees.right, "A", &alias);
            let plan = world.sync(&s);
            assert_eq!((plan.tally.bytes, world.aliases()), (0, 1), "{:#?}", effects(&plan));
            in_step_and_quiet(&world, &s);
        }
    }
}

/// Half of a swap that was not carried out leaves two rows of one name.
#[test]
fn of_two_rows_of_one_name_the_one_that_nothing_stands_for_is_dropped() {
    let s = both();
    let mut world = agreed(&["A"]);
    let (first, row) = world.ledger.pop_first().expect("agreed");
    rename(&mut world.trees.right, "A", "a");
    let (mut there, mut gone) = (row.clone(), row);
    there.held.right.alias = Some(name("a"));
    gone.id = PairId(first.0 + 1);
    for side in Side::BOTH {
        gone.held[side].ident = Ident::None;
    }
    world.ledger.extend([there, gone].map(|row| (row.id, row)));
    world.sync(&s);
    assert_eq!(world.ledger.len(), 1);
    in_step_and_quiet(&world, &s);
}

/// What one side has under an alias, the other side makes a file of that name; or the narrower side one of the wider
/// side's names, where it can.
fn borrow(world: &mut World, at: usize) {
    let rows: Vec<_> = world.ledger.values().filter(|row| row.held.right.alias.is_some()).cloned().collect();
    let Some(row) = rows.get(at % rows.len().max(1)) else { return };
    let dir_of = |world: &World, side: Side| -> Option<RelPath> {
        let all = world.trees[side].items.iter();
        all.map(|(p, i)| (p, i.node())).find(|(_, n)| n.ident == row.held[side].ident)?.0.parent()
    };
    let (alias, own) = (row.name_on(Side::Right).clone(), row.name.clone());
    for (side, name) in [(Side::Left, alias), (Side::Right, own)] {
        if let Some(at) = dir_of(world, side).map(|dir| dir.join(&name))
            && !world.is_taken(side, &at)
            && world.admits(side, &at)
        {
            world.put_item(side, &at, portbook::model::Kind::File, b"borrowed");
        }
    }
}

#[derive(Clone, Debug)]
struct Tale {
    before: Vec<Edit>,
    left: Vec<Edit>,
    right: Vec<Edit>,
    policy: ConflictPolicy,
    idents: bool,
    borrow: Option<usize>,
    on_right: bool,
}

fn tale() -> impl Strategy<Value = Tale> {
    let some = || prop::option::of(0..8usize);
    (edits(14), edits(5), edits(5), policy(), prop::bool::weighted(0.8), some(), prop::bool::weighted(0.7)).prop_map(
        |(before, left, right, policy, idents, borrow, on_right)| Tale {
            before,
            left,
            right,
            policy,
            idents,
            borrow,
            on_right,
        },
    )
}

impl Tale {
    fn settings(&self, mode: SyncMode) -> Settings {
        let mut s = narrow(mode, self.policy);
        if !self.on_right {
            s.rules = Sides::new(s.rules.right, s.rules.left);
        }
        s
    }

    fn world(&self, s: &Settings) -> World {
        let mut world = World::new();
        for side in Side::BOTH {
            world.limits[side] = Some(s.rules[side].clone()).filter(|r| *r != rules());
        }
        world.gives_ident = Sides::new(self.idents, self.idents);
        let wide = if self.on_right { Side::Left } else { Side::Right };
        for edit in &self.before {
            world.edit(wide, edit);
        }
        world.sync(&narrow_both(s));
        for (side, edits) in [(Side::Left, &self.left), (Side::Right, &self.right)] {
            for edit in edits {
                world.edit(side, edit);
            }
        }
        if let Some(at) = self.borrow.filter(|_| self.on_right) {
            borrow(&mut world, at);
        }
        world.trash.clear();
        world
    }
}

/// The same rules in both directions.
fn narrow_both(s: &Settings) -> Settings {
    Settings { mode: SyncMode::Bidirectional, policy: ConflictPolicy::KeepBoth, ..s.clone() }
}

/// No two rows of a directory have one name on a side.
fn no_shared_names(world: &World) -> bool {
    Side::BOTH.into_iter().all(|side| {
        let names: std::collections::BTreeSet<_> =
            world.ledger.values().map(|row| (row.parent, row.name_on(side).clone())).collect();
        names.len() == world.ledger.len()
    })
}

proptest! {
    #![proptest_config(crate::random::config())]

    #[test]
    fn with_aliases_both_sides_come_into_step_and_nothing_is_lost(tale in tale()) {
        let s = tale.settings(SyncMode::Bidirectional);
        let mut world = tale.world(&s);
        let before = world.clone();
        let plan = run(&mut world, &s)?;
        prop_assert!(no_shared_names(&world));
        conserved(&before, &world)?;
        let mut twice = world.clone();
        twice.apply(&plan.changes);
        for side in Side::BOTH {
            prop_assert_eq!(twice.trees[side].shape(), world.trees[side].shape());
        }
        let middle = world.clone();
        run(&mut world, &s)?;
        conserved(&middle, &world)?;
        prop_assert_eq!(world.agreed_shape(Side::Left), world.agreed_shape(Side::Right));
        let third = world.plan(&s);
        prop_assert!(third.changes.is_empty(), "not quiet: {:?}", third.changes);
    }

    #[test]
    fn with_aliases_a_mirror_makes_the_target_like_the_source(tale in tale()) {
        let mut s = tale.settings(SyncMode::Mirror);
        s.exact = true;
        let mut world = tale.world(&s);
        let before = world.clone();
        for _ in 0..2 {
            run(&mut world, &s)?;
            prop_assert_eq!(before.trees.left.shape(), world.trees.left.shape());
        }
        conserved(&before, &world)?;
        prop_assert_eq!(world.agreed_shape(Side::Left), world.agreed_shape(Side::Right));
        let third = world.plan(&s);
        prop_assert!(third.changes.is_empty(), "not quiet: {:?}", third.changes);
    }

    #[test]
    fn a_plan_with_aliases_does_not_depend_on_the_order_of_listings(tale in tale()) {
        let s = tale.settings(SyncMode::Bidirectional);
        let world = tale.world(&s);
        let plain = world.plan_shuffled(&s, 3, &mut |_| {});
        let reversed = world.plan_shuffled(&s, 3, &mut |entries| entries.reverse());
        prop_assert_eq!(&plain.changes, &reversed.changes);
    }

    /// Invariant I8, where the policy names a side.
    #[test]
    fn aliases_are_the_same_with_the_sides_exchanged(tale in tale(), source in prop::bool::ANY) {
        let (policy, mirrored) = match source {
            true => (ConflictPolicy::SourceWins, ConflictPolicy::DestinationWins),
            false => (ConflictPolicy::DestinationWins, ConflictPolicy::SourceWins),
        };
        let mut s = tale.settings(SyncMode::Bidirectional);
        s.policy = policy;
        let mut world = tale.world(&s);
        let mut other = world.clone();
        std::mem::swap(&mut other.trees.left, &mut other.trees.right);
        std::mem::swap(&mut other.limits.left, &mut other.limits.right);
        for row in other.ledger.values_mut() {
            std::mem::swap(&mut row.held.left, &mut row.held.right);
        }
        let mut t = s.clone();
        t.policy = mirrored;
        std::mem::swap(&mut t.rules.left, &mut t.rules.right);
        run(&mut world, &s)?;
        run(&mut other, &t)?;
        prop_assert_eq!(world.trees.left.shape(), other.trees.right.shape());
        prop_assert_eq!(world.trees.right.shape(), other.trees.left.shape());
    }

    #[test]
    fn what_moves_on_beneath_aliases_is_taken_up_by_the_next_runs(
        tale in tale(), drift in prop::collection::vec((edit(), prop::bool::ANY, 0..12usize), 1..5),
    ) {
        let s = tale.settings(SyncMode::Bidirectional);
        let mut world = tale.world(&s);
        let plan = world.plan(&s);
        world.apply_with(&plan.changes, &mut |world, n| {
            for (edit, left, when) in &drift {
                if *when == n {
                    world.edit(if *left { Side::Left } else { Side::Right }, edit);
                }
            }
        });
        let before = world.clone();
        let s = Settings { policy: ConflictPolicy::KeepBoth, ..s };
        for _ in 0..4 {
            let plan = world.plan(&s);
            world.apply(&plan.changes);
        }
        conserved(&before, &world)?;
        let last = world.plan(&s);
        let in_step = world.agreed_shape(Side::Left) == world.agreed_shape(Side::Right);
        prop_assert!(in_step, "{:#?}\n{:#?}\n{:#?}", world.trees, world.ledger, last.changes);
        prop_assert!(last.changes.is_empty(), "not quiet: {:?}\n{:#?}", last.changes, world.trees);
    }
}
