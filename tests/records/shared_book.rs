//! A book on a server carries rows as one in a file does: stories of the other modules once more, with a book in PostgreSQL.

use crate::world::on_server;
use crate::{conflicts, cursor, drift, lists, mirror, two_way};

macro_rules! shared {
    ($($test:ident: $story:path,)+) => {
        $(#[test]
        fn $test() {
            on_server(stringify!($test), $story);
        })+
    };
}

shared! {
    a_mirror: mirror::rows_arrive_change_and_go_and_the_next_run_has_nothing_to_do,
    its_sums: mirror::what_was_carried_is_summed_up,
    a_cursor: cursor::only_what_changed_is_read,
    failures: cursor::a_row_that_failed_or_was_ticked_out_comes_again,
    both_ways: two_way::a_storm_of_edits_ends_in_step,
    conflict: conflicts::a_row_that_waits_is_met_again_whatever_the_cursor_says,
    metrics: drift::a_run_leaves_how_much_there_is,
    a_list: lists::push::changes_and_deletions_follow,
    several_lists: lists::routes::two_ways_rows_are_moved_and_edits_come_back,
    a_list_both_ways: lists::two_way::a_storm_ends_in_step,
}
