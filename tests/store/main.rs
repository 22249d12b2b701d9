//! The contract of a metastore, run on both engines.
//!
//! PostgreSQL is named by `PORTBOOK_TEST_POSTGRES` (a URL whose user may create databases and roles;
//! `tests/lib/postgres.sh start DIR` provides one). Without it the PostgreSQL half says on stdout that it was skipped,
//! and why.

mod attack;
mod attack_sql;
mod batches;
mod conduits;
mod fixture;
mod isolation;
mod leaks;
mod ledger;
mod listings;
mod months;
mod opening;
mod operations;
mod outage;
#[path = "../lib/own_server.rs"]
mod own_server;
mod records;
mod schema;
#[path = "../lib/search.rs"]
mod search;
mod secrets;
#[path = "../lib/server.rs"]
mod server;
mod spec;
mod tables;
mod tenants;
mod units;
mod upgrade;
mod upkeep;

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

/// Claims about the server alone.
macro_rules! on_the_server {
    ($($module:ident :: $claim:ident;)*) => {
        mod server_only {
            $(#[test] fn $claim() { crate::fixture::on_postgres(stringify!($claim), crate::$module::$claim); })*
        }
    };
}

/// Claims about a book in a file alone.
macro_rules! in_a_file {
    ($($module:ident :: $claim:ident;)*) => {
        mod file_only {
            $(#[test] fn $claim() { crate::fixture::on_sqlite(crate::$module::$claim); })*
        }
    };
}

in_a_file! {
    upkeep::a_damaged_page_is_found;
    schema::a_row_of_millions_is_checked_without_a_table_of_its_own;
}

on_the_server! {
    upkeep::a_book_goes_to_the_other_engine_and_back;
    upkeep::a_copy_that_was_cancelled_is_no_book;
    secrets::a_copied_book_opens_its_secrets;
    isolation::every_table_forces_policies_for_every_command;
    isolation::a_tenant_reaches_no_row_of_another;
    isolation::nothing_is_written_in_the_name_of_another;
    isolation::without_a_tenant_there_is_no_row;
    isolation::the_application_owns_nothing;
    isolation::a_role_that_bypasses_security_is_refused_unless_told_so;
    isolation::books_stand_side_by_side_in_one_database;
    isolation::a_temporary_table_shadows_none_of_the_book;
    conduits::pairs_go_with_their_conduit_however_it_goes;
    conduits::pairs_that_are_being_written_go_too;
    conduits::no_pair_is_written_to_a_conduit_that_is_being_deleted;
    conduits::a_pair_stays_with_its_conduit;
    attack_sql::no_statement_of_the_application_reaches_another_tenant;
    attack_sql::the_application_gets_no_role_and_no_file;
    attack_sql::nothing_of_the_book_runs_as_its_owner_unseen;
    months::this_month_and_three_more_are_there_after_opening;
    months::strays_move_to_their_month_when_it_is_made;
    months::months_that_are_over_are_detached_or_dropped_by_their_owner;
    months::the_functions_of_the_specification_are_there;
    upgrade::links_of_an_older_book_on_a_server_stay_as_they_are;
    outage::a_write_happens_once_wherever_its_connection_is_cut;
    outage::what_cannot_be_learned_is_said_and_is_whole;
    outage::writers_that_lock_each_other_out_all_come_through;
    outage::waiting_has_an_end;
    outage::a_connection_keeps_so_many_statements_prepared;
    outage::a_server_that_takes_no_writes_is_read;
    outage::what_keeps_a_book_from_opening_has_its_code;
    outage::a_server_that_dies_mid_transaction_is_waited_for;
    outage::certificates_are_verified_as_far_as_the_mode_says;
}

contract! {
    opening::a_book_opens_a_second_time_as_it_is;
    opening::many_may_open_a_new_book_at_once;
    opening::a_newer_schema_is_refused;
    opening::a_changed_migration_is_refused;
    opening::nothing_works_after_shutdown;
    isolation::the_tenants_of_a_book_can_be_listed;
    batches::every_value_comes_back_as_it_went;
    batches::a_batch_commits_as_a_whole_or_not_at_all;
    batches::a_failing_batch_does_not_touch_those_beside_it;
    batches::an_expectation_that_fails_undoes_its_batch;
    batches::an_insert_replaces_by_key;
    batches::an_insert_of_many_rows_comes_through;
    batches::queries_of_one_call_see_one_moment;
    batches::failures_have_the_code_of_their_cause;
    spec::the_live_schema_is_that_of_the_pages;
    spec::every_difference_from_a_page_is_found;
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
    operations::a_preview_expires_by_the_clock_of_its_writer;
    ledger::children_come_back_ordered_by_name_as_they_were_written;
    ledger::rows_of_one_name_are_told_apart_by_their_ids;
    ledger::a_directory_has_the_path_of_its_ancestors;
    ledger::rows_that_hang_nowhere_go_with_those_beneath_them;
    ledger::an_intent_is_open_until_it_is_removed;
    ledger::a_conduit_takes_its_ledger_along;
    secrets::an_unsealed_secret_is_refused;
    secrets::a_secret_opens_with_the_key_of_its_book;
    secrets::a_wrong_key_is_one_error_and_writes_nothing;
    secrets::a_book_without_secrets_opens_none;
    secrets::a_secret_opens_in_its_own_place_only;
    secrets::a_data_key_belongs_to_its_tenant;
    secrets::a_tenant_that_comes_again_gets_a_key_of_its_own;
    secrets::eight_first_secrets_make_one_key;
    secrets::a_rotation_wraps_anew_and_touches_no_sealed_value;
    secrets::a_book_changes_its_key_and_needs_none_to_open;
    secrets::a_process_with_the_old_key_is_told;
    secrets::a_rotation_beside_first_secrets_leaves_none_behind;
    secrets::the_key_is_not_removed_while_it_is_needed;
    secrets::a_cheap_passphrase_of_a_book_is_refused;
    secrets::a_renewed_data_key_seals_and_the_old_one_opens;
    secrets::sealing_anew_brings_every_value_along;
    secrets::a_host_that_cannot_answer_is_not_a_wrong_key;
    secrets::nothing_of_a_secret_is_in_the_book;
    records::an_upsert_of_the_ledger_adds_and_replaces;
    records::the_ledger_refuses_what_cannot_be;
    records::a_ledger_outlives_its_source_and_not_its_definition;
    records::what_a_definition_names_is_not_deleted_under_it;
    records::a_target_is_a_list_or_a_table;
    records::a_cursor_is_of_one_side_and_there_once;
    records::a_tenant_takes_every_table_along;
    tables::a_row_comes_back_as_it_was_made;
    tables::what_may_be_left_out_is;
    tables::an_update_of_a_row_that_moved_on_is_stale;
    tables::a_secret_stays_in_its_row;
    tables::secrets_of_every_table_move_to_a_new_data_key;
    tables::a_deleted_row_is_gone_or_can_be_restored;
    tables::pages_go_through_a_list_once;
    tables::every_list_finds_its_rows;
    tables::values_that_break_a_rule_are_refused_by_name;
    tables::rows_of_another_tenant_are_not_there;
    tenants::tenants_are_made_listed_and_renamed;
    tenants::a_session_is_of_a_user_of_its_tenant;
    tenants::a_deleted_tenant_takes_every_row_along;
    tenants::a_tenant_whose_conduit_runs_is_not_deleted;
    tenants::a_user_goes_with_what_is_deleted_and_stays_for_what_is_not;
    units::processes_keep_to_one_budget;
    units::what_is_not_spent_is_given_back_or_runs_out;
    units::a_day_of_units_and_a_pause_are_for_all;
    units::what_the_service_counts_besides_is_heeded_by_all;
    listings::activity_is_found_by_every_filter;
    listings::failures_are_found_by_every_owner;
    listings::progress_is_found_by_every_filter;
    listings::pages_of_one_moment_lose_nothing;
    listings::a_watch_sees_what_another_process_wrote;
    listings::a_preview_that_is_being_applied_stays;
    attack::a_foreign_id_is_as_one_that_does_not_exist;
    leaks::no_secret_is_in_the_open;
    upkeep::a_sound_book_has_no_findings_and_a_broken_ledger_has;
    upkeep::a_backup_is_a_book_of_its_own;
}

#[test]
fn a_secret_is_found_in_any_spelling() {
    leaks::a_secret_is_found_in_any_spelling();
}
