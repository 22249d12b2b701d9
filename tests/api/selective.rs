//! Selective mode: rules and pins choose what the target holds.

use portbook::conduit::{ConduitOptions, Filters, Pin, SelectionRule};
use portbook::model::{RelPath, SyncMode};
use portbook::{Code, wait};

use crate::world::{World, claims, sync};

claims! {
    without_rules_everything_is_held
    rules_choose_and_a_change_of_them_lets_go_and_fetches_again
    pins_outrank_rules_and_the_deepest_one_decides
    what_the_target_has_edited_is_not_let_go_of
    rules_are_replaced_as_a_whole_or_not_at_all
    rules_count_in_selective_mode_only
    include_patterns_choose_what_no_rule_names
}

fn rule(word: &str) -> SelectionRule {
    let (sign, pattern) = word.split_at(1);
    SelectionRule { pattern: pattern.to_owned(), is_included: sign == "+" }
}

fn rules(words: &[&str]) -> Vec<SelectionRule> {
    words.iter().map(|word| rule(word)).collect()
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).unwrap()
}

fn filled(world: &World) {
    for name in ["photos/2023/x.jpg", "photos/2024/y.jpg", "photos/2024/y.raw", "notes.txt"] {
        world.write(&format!("a/{name}"), 1);
    }
}

fn files(world: &World, name: &str) -> Vec<String> {
    world.tree(name).into_iter().filter(|path| path.contains('.')).collect()
}

fn without_rules_everything_is_held(world: &World) {
    filled(world);
    let conduit = world.in_mode(SyncMode::Selective);
    assert!(sync(&conduit).is_in_step());
    assert_eq!(world.tree("b"), world.tree("a"));
    assert!(sync(&conduit).counts.is_quiet());
}

fn rules_choose_and_a_change_of_them_lets_go_and_fetches_again(world: &World) {
    filled(world);
    let conduit = world.in_mode(SyncMode::Selective);
    wait(conduit.set_selection_rules(rules(&["+photos/2024", "-photos"]))).unwrap();
    assert!(sync(&conduit).is_in_step());
    assert_eq!(files(world, "b"), ["notes.txt", "photos/2024/y.jpg", "photos/2024/y.raw"]);
    wait(conduit.set_selection_rules(rules(&["-*.raw", "-notes.txt"]))).unwrap();
    let report = sync(&conduit);
    assert!(report.is_in_step(), "{report:?}");
    assert_eq!(files(world, "b"), ["photos/2023/x.jpg", "photos/2024/y.jpg"]);
    assert_eq!(files(world, "a").len(), 4, "letting go removes the copy only");
    assert!(sync(&conduit).counts.is_quiet());
    wait(conduit.set_selection_rules(Vec::new())).unwrap();
    sync(&conduit);
    assert_eq!(files(world, "b"), files(world, "a"));
}

fn pins_outrank_rules_and_the_deepest_one_decides(world: &World) {
    filled(world);
    let conduit = world.in_mode(SyncMode::Selective);
    wait(conduit.set_selection_rules(rules(&["-**"]))).unwrap();
    wait(conduit.pin(path("photos"), true)).unwrap();
    wait(conduit.pin(path("photos/2024/y.raw"), false)).unwrap();
    sync(&conduit);
    assert_eq!(files(world, "b"), ["photos/2023/x.jpg", "photos/2024/y.jpg"]);
    wait(conduit.pin(path("photos/2024/y.raw"), true)).unwrap();
    let pin = |text: &str, is_held| Pin { path: path(text), is_held };
    assert_eq!(wait(conduit.pins()).unwrap(), [pin("photos", true), pin("photos/2024/y.raw", true)]);
    wait(conduit.unpin(path("photos"))).unwrap();
    assert_eq!(wait(conduit.unpin(path("photos"))).unwrap_err().code(), Code::NotFound);
    let report = sync(&conduit);
    assert!(report.is_in_step(), "{report:?}");
    assert_eq!(files(world, "b"), ["photos/2024/y.raw"]);
}

fn what_the_target_has_edited_is_not_let_go_of(world: &World) {
    filled(world);
    let conduit = world.in_mode(SyncMode::Selective);
    sync(&conduit);
    std::fs::write(world.path("b/notes.txt"), b"edited at the target").unwrap();
    wait(conduit.pin(path("notes.txt"), false)).unwrap();
    sync(&conduit);
    assert_eq!(std::fs::read(world.path("b/notes.txt")).unwrap(), b"edited at the target");
    // Nor is what the source no longer has.
    wait(conduit.pin(path("photos/2023/x.jpg"), false)).unwrap();
    world.remove("a/photos/2023/x.jpg");
    sync(&conduit);
    assert!(world.path("b/photos/2023/x.jpg").exists());
}

fn rules_are_replaced_as_a_whole_or_not_at_all(world: &World) {
    let conduit = world.in_mode(SyncMode::Selective);
    let good = rules(&["+*.jpg", "-**"]);
    wait(conduit.set_selection_rules(good.clone())).unwrap();
    for bad in ["+a[b", "+", "-/"] {
        let refused = wait(conduit.set_selection_rules(rules(&["+x", bad]))).unwrap_err();
        assert_eq!(refused.code(), Code::Invalid, "{bad}");
        assert_eq!(wait(conduit.selection_rules()).unwrap(), good);
    }
}

fn rules_count_in_selective_mode_only(world: &World) {
    filled(world);
    wait(world.in_mode(SyncMode::Selective).set_selection_rules(rules(&["-**"]))).unwrap();
    sync(&world.mirror());
    assert_eq!(files(world, "b"), files(world, "a"));
}

fn include_patterns_choose_what_no_rule_names(world: &World) {
    filled(world);
    let filters = Filters { include: vec!["*.jpg".into()], ..Filters::default() };
    let options = ConduitOptions { mode: SyncMode::Selective, filters, ..ConduitOptions::default() };
    let conduit = world.conduit(options);
    wait(conduit.set_selection_rules(rules(&["-photos/2023", "+*.txt"]))).unwrap();
    sync(&conduit);
    assert_eq!(files(world, "b"), ["notes.txt", "photos/2024/y.jpg"]);
}
