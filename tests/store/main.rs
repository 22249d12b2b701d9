//! The contract of a metastore, run on both engines.
//!
//! PostgreSQL is named by `PORTBOOK_TEST_POSTGRES` (a URL whose user may create databases;
//! `tests/lib/postgres.sh start DIR` provides one). Without it the PostgreSQL half says on stdout that it was skipped,
//! and why.

mod batches;
mod fixture;
mod ledger;
mod opening;
mod operations;
mod schema;
mod tables;

/// Each claim becomes one test per engine.
macro_rules! contract {
    ($($module:ident :: $claim:ident;)*) => {
        mod sqlite {
            $(#[test] fn $claim() { crate::fixture::on_sqlite(crate::$module::$claim); })*
        }

        mod postgres {
            $(#[test] fn $claim() { crate::fixture::on_postgres(stringify!($claim), crate::$module::$claim); })*
        }
    };
}

contract! {
    opening::a_book_opens_a_second_time_as_it_is;
    opening::many_may_open_a_new_book_at_once;
    opening::a_newer_schema_is_refused;
    opening::a_changed_migration_is_refused;
    opening::nothing_works_after_shutdown;
    batches::every_value_comes_back_as_it_went;
    batches::a_batch_commits_as_a_whole_or_not_at_all;
    batches::a_failing_batch_does_not_touch_those_beside_it;
    batches::an_expectation_that_fails_undoes_its_batch;
    batches::an_insert_replaces_by_key;
    batches::an_insert_of_many_rows_comes_through;
    batches::queries_of_one_call_see_one_moment;
    batches::failures_have_the_code_of_their_cause;
    schema::both_engines_have_every_table_and_index;
    schema::records_come_back_as_they_were_written;
    schema::a_reference_never_crosses_tenants;
    schema::deleting_a_tenant_leaves_nothing_of_it;
    schema::deleting_a_user_keeps_what_they_did;
    schema::the_ends_of_a_conduit_are_directories;
    operations::progress_is_computed_from_counts_and_times;
    operations::impossible_counts_are_refused;
    operations::completion_is_logged_once_with_its_status;
    operations::a_run_of_nothing_is_logged_too;
    operations::a_preview_that_has_expired_is_not_stored;
    ledger::children_come_back_ordered_by_name_as_they_were_written;
    ledger::rows_of_one_name_are_told_apart_by_their_ids;
    ledger::a_directory_has_the_path_of_its_ancestors;
    ledger::rows_that_hang_nowhere_go_with_those_beneath_them;
    ledger::an_intent_is_open_until_it_is_removed;
    ledger::a_conduit_takes_its_ledger_along;
    tables::a_row_comes_back_as_it_was_made;
    tables::what_may_be_left_out_is;
    tables::an_update_of_a_row_that_moved_on_is_stale;
    tables::a_deleted_row_is_gone_or_can_be_restored;
    tables::pages_go_through_a_list_once;
    tables::every_list_finds_its_rows;
    tables::values_that_break_a_rule_are_refused_by_name;
    tables::rows_of_another_tenant_are_not_there;
}
