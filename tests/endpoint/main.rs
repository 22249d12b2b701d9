//! The contract of a record store, run on every product that is here.
//!
//! PostgreSQL is named by `PORTBOOK_TEST_POSTGRES` (`tests/lib/postgres.sh start DIR` provides one), MySQL by
//! `PORTBOOK_TEST_MYSQL` (`tests/lib/mysql.sh start DIR`), MariaDB by `PORTBOOK_TEST_MARIADB` (`tests/lib/mariadb.sh start DIR`):
//! URLs of users who may create databases. Without one its part says on stdout that it was skipped, and why. For SQL Server
//! there is a server of the tests' own ([`tds`]).

mod binlog;
mod commits;
mod cursors;
mod fixture;
mod log_settings;
mod mssql;
mod outage;
mod own;
mod scans;
mod secured;
#[path = "../servers/service.rs"]
#[allow(dead_code, reason = "it serves other tests too")]
mod service;
mod shapes;
#[path = "../lib/tds/mod.rs"]
#[allow(dead_code, reason = "it says more than is asked here")]
mod tds;
mod types;
mod writes;

/// The contract of every product.
mod contract {
    crate::fixture::on! { [sqlite, postgres, mariadb, mysql] {
        cursors::a_cursor_goes_on_behind_what_was_read;
        cursors::a_cursor_never_goes_back;
        cursors::an_overlap_is_read_again;
        scans::a_column_that_cannot_be_read_is_refused_at_once;
        scans::a_scan_is_of_one_moment;
        scans::a_table_without_rows_has_no_pages;
        scans::a_hundred_thousand_rows_come_in_pages_and_each_once;
        scans::rows_are_fetched_by_their_keys;
        shapes::a_made_table_looks_as_it_was_asked_for;
        shapes::a_table_that_is_not_there_is_not_found;
        shapes::keys_references_and_indexes_are_described;
        shapes::odd_names_are_names;
        shapes::the_endpoint_answers;
        types::every_value_comes_as_it_is;
        types::what_is_written_reads_back;
        types::a_value_that_cannot_be_carried_refuses_its_row_alone;
        writes::a_row_that_changed_meanwhile_is_left_alone;
        writes::a_row_that_is_there_is_not_made_again;
        writes::a_row_without_a_key_is_nobodys;
        writes::rows_at_fault_take_no_others_with_them;
        writes::rows_that_are_gone_are_said_to_be;
        writes::updates_touch_only_what_they_name;
        writes::versions_are_not_pretended;
    } }
}

/// Claims about servers.
mod servers {
    crate::fixture::on! { [postgres, mariadb, mysql] {
        commits::a_commit_without_an_answer_is_unknown;
        outage::a_server_that_stops_in_the_middle_is_an_error;
        outage::the_next_call_connects_again;
        outage::a_wrong_password_is_said_without_showing_it;
    } }
}

/// Claims about one server alone.
mod postgres_only {
    crate::fixture::on! { [postgres] {
        cursors::a_transaction_that_commits_late_is_not_passed_over;
        cursors::the_log_tells_of_every_change;
        scans::readers_of_ranges_share_a_snapshot;
        secured::postgres_is_trusted_by_its_authority_and_its_name;
        shapes::domains_enums_and_collations_are_seen_through;
    } }
}

/// Claims about MySQL and MariaDB.
mod mysql_only {
    crate::fixture::on! { [mariadb, mysql] {
        binlog::a_key_that_was_written_otherwise_is_not_gone;
        log_settings::a_log_that_was_thrown_away_is_stale;
        log_settings::a_server_without_such_a_log_is_told_so;
        log_settings::compressed_logs_are_read_or_refused;
        binlog::keys_are_found_among_columns_of_every_type;
        binlog::keys_of_every_legible_type_are_read_from_the_log;
        binlog::nobody_who_commits_is_passed_over;
        log_settings::transactions_that_are_prepared_are_waited_for;
        log_settings::rows_that_a_file_brought_are_not_passed_over;
        binlog::sessions_that_leave_columns_out_are_understood;
        binlog::the_log_tells_of_every_change;
        binlog::what_the_log_does_not_say_row_by_row_makes_it_stale;
        shapes::collations_are_what_the_server_makes_of_them;
        outage::accounts_say_why_they_are_shut;
        secured::mysql_is_trusted_by_its_authority_and_its_name;
        writes::many_rows_are_changed_at_once_and_each_to_its_own;
    } }
}

/// Claims about MySQL alone.
mod mysql_itself {
    crate::fixture::on! { [mysql] {
        binlog::keys_that_mysql_made_are_seen;
        log_settings::other_settings_of_mysql_make_no_difference;
    } }
}
