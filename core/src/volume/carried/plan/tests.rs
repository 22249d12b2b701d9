use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::identity::ContentHash;
use crate::model::{Id, Moment};

const VOLUME: u128 = 1;
const USER: u128 = 2;

fn owner() -> Owner {
    Owner { volume: Id::new(Uuid::from_u128(VOLUME)), user: Id::new(Uuid::from_u128(USER)) }
}

/// New ids count from 1,000.
fn ids() -> impl FnMut() -> FileId {
    let mut next = 1000;
    move || {
        next += 1;
        Id::new(Uuid::from_u128(next))
    }
}

fn there(path: &str, content: &str) -> There {
    let digest = Some(ContentHash::of(content.as_bytes()).0);
    There { path: path.into(), size: content.len() as i64, digest, kept: None }
}

fn known(id: u128, path: &str, content: &str) -> (String, Known) {
    let row = new_row(&there(path, content), owner());
    let file = Stored {
        id: Id::new(Uuid::from_u128(id)),
        index_id: None,
        created_at: Moment(1),
        updated_at: Moment(2),
        is_deleted: false,
        row,
    };
    (path.into(), Known { file, has_versions: false })
}

fn path(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn bytes(plan: &Plan) -> i64 {
    plan.counted.iter().map(|counted| counted.bytes).sum()
}

#[test]
fn what_says_so_already_is_not_written() {
    let rows = HashMap::from([known(1, "d/a.txt", "one"), known(2, "b", "two")]);
    let unknown = There { digest: None, ..there("b", "owt") };
    let told = Told { there: vec![there("d/a.txt", "one"), unknown], ..Told::default() };
    let plan = plan(told, rows, owner(), ids());
    assert!(plan.touched.is_empty() && plan.new.is_empty() && plan.changed.is_empty() && plan.counted.is_empty());
}

#[test]
fn new_replaced_and_gone_files_count_by_their_difference() {
    let rows = HashMap::from([known(1, "a.txt", "1"), known(2, "gone", "333"), known(3, "same", "4444")]);
    let told = Told {
        there: vec![there("a.txt", "22222"), there("d/new.png", "666666"), there("same", "4444")],
        gone: vec!["gone".into(), "never there".into()],
        ..Told::default()
    };
    let plan = plan(told, rows, owner(), ids());
    assert_eq!(bytes(&plan), 5 - 1 + 6 - 3);
    assert_eq!(plan.removed, [Id::new(Uuid::from_u128(2))]);
    assert_eq!(plan.touched.len(), 2);
    let [changed] = &plan.changed[..] else { panic!() };
    assert_eq!((changed.id.0.as_u128(), changed.row.size, changed.created_at.0), (1, 5, 1));
    let [(_, new)] = &plan.new[..] else { panic!() };
    assert_eq!((new.filename.as_str(), new.mime_type.as_deref(), new.version_no), ("new.png", Some("image/png"), 1));
}

#[test]
fn each_owner_counts_alone() {
    let (of, mut other) = known(1, "theirs", "333");
    other.file.row.user_id = Some(Id::new(Uuid::from_u128(9)));
    other.file.row.app_id = Some("chat".into());
    let told = Told { there: vec![there("theirs", "55555"), there("mine", "1")], ..Told::default() };
    let plan = plan(told, HashMap::from([(of, other)]), owner(), ids());
    let of = |user: u128| plan.counted.iter().find(|c| c.user.map(|u| u.0.as_u128()) == Some(user)).unwrap();
    assert_eq!((of(9).bytes, of(9).app.as_deref(), of(USER).bytes), (2, Some("chat"), 1));
}

#[test]
fn what_has_versions_is_marked_and_goes_on_counting() {
    let (at, mut file) = known(1, "a", "22");
    file.has_versions = true;
    let plan = plan(Told { gone: vec![at.clone()], ..Told::default() }, HashMap::from([(at, file)]), owner(), ids());
    assert_eq!((plan.touched.len(), plan.removed.len(), bytes(&plan)), (1, 0, 0));
}

#[test]
fn what_is_kept_becomes_a_version_of_the_row() {
    let kept = |id| Some(Kept { id: Id::new(Uuid::from_u128(id)), size: 3, digest: None });
    let told = Told {
        there: vec![
            There { kept: kept(70), ..there("a", "new") },
            There { kept: kept(71), ..there("no row so far", "n") },
        ],
        ..Told::default()
    };
    let plan = plan(told, HashMap::from([known(1, "a", "old")]), owner(), ids());
    assert_eq!(bytes(&plan), 3 + 1 + 3);
    assert_eq!((plan.changed[0].row.version_no, plan.new[0].1.version_no), (2, 2));
    let [(_, live), (first, of_a), (second, of_new)] = &plan.new[..] else { panic!() };
    assert_eq!((first.0.as_u128(), second.0.as_u128(), live.storage_path.as_str()), (70, 71, "no row so far"));
    assert_eq!((of_a.version_of, of_a.version_no, of_new.version_no), (Some(Id::new(Uuid::from_u128(1))), 1, 1));
    assert_eq!(of_new.version_of, Some(plan.new[0].0), "a version comes after what it is of");
    assert!(of_a.storage_path.starts_with(".portbook/kept/"));
}

#[test]
fn a_name_that_a_host_gave_survives_a_move() {
    let (from, mut file) = known(1, "d/a.txt", "1");
    let moved = |file: Known, to: Option<String>| {
        let told = Told { moved: vec![(path("d/a.txt"), to)], ..Told::default() };
        plan(told, HashMap::from([("d/a.txt".to_owned(), file)]), owner(), ids())
    };
    let row = &moved(file.clone(), path("b.json")).changed[0].row;
    assert_eq!((row.filename.as_str(), row.mime_type.as_deref()), ("b.json", Some("application/json")));
    file.file.row.filename = "Holiday".into();
    let row = &moved(file.clone(), path("b.json")).changed[0].row;
    assert_eq!((row.filename.as_str(), row.mime_type.as_deref()), ("Holiday", Some("text/plain")));
    assert_eq!(moved(file, None).removed.len(), 1, "no row can have that path");
    assert_eq!(from, "d/a.txt");
}

proptest! {
    /// Whatever is told: afterwards there is one row for each file that is there, and it all counts.
    #[test]
    fn rows_are_the_files_that_are_there(
        before in proptest::collection::btree_map("[a-f]", "[xyz]{0,3}", 0..6),
        moves in proptest::collection::btree_map("[a-f]", "[a-f]", 0..4),
        gone in proptest::collection::btree_set("[a-f]", 0..3),
        changed in proptest::collection::btree_map("[a-f]", "[xyz]{0,3}", 0..4),
    ) {
        // No two come to one place.
        let mut goals = std::collections::BTreeSet::new();
        let moves: Vec<_> = moves.into_iter().filter(|(from, to)| before.contains_key(from) && goals.insert(to.clone())).collect();
        let rows: HashMap<_, _> =
            before.iter().enumerate().map(|(n, (path, content))| known(n as u128 + 1, path, content)).collect();
        let mut after = before.clone();
        let leaving: Vec<_> = moves.iter().map(|(from, to)| (to.clone(), after.remove(from).unwrap())).collect();
        gone.iter().for_each(|path| drop(after.remove(path)));
        after.extend(leaving);
        after.extend(changed.clone());
        let told = Told {
            moved: moves.into_iter().map(|(from, to)| (Some(from), Some(to))).collect(),
            gone: gone.into_iter().collect(),
            there: changed.iter().map(|(path, content)| there(path, content)).collect(),
        };
        let plan = plan(told, rows.clone(), owner(), ids());
        let touched: Vec<FileId> = plan.touched.iter().map(|(id, _)| *id).collect();
        let stay = rows.into_values().map(|known| known.file).filter(|file| !touched.contains(&file.id)).map(|file| file.row);
        let written = plan.changed.iter().map(|file| file.row.clone()).chain(plan.new.iter().map(|(_, row)| row.clone()));
        let mut now: Vec<_> = stay.chain(written).map(|row| (row.storage_path, row.size, row.digest)).collect();
        now.sort();
        let expected: Vec<_> = after.iter().map(|(path, content)| {
            (path.clone(), content.len() as i64, Some(ContentHash::of(content.as_bytes()).0.to_vec()))
        }).collect();
        prop_assert_eq!(now, expected);
        let total = |files: &BTreeMap<String, String>| files.values().map(|c| c.len() as i64).sum::<i64>();
        prop_assert_eq!(bytes(&plan), total(&after) - total(&before));
    }
}
