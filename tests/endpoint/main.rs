//! The contract of a record store, run on every product that is here.
//!
//! PostgreSQL is named by `PORTBOOK_TEST_POSTGRES` (`tests/lib/postgres.sh start DIR` provides one), MariaDB by
//! `PORTBOOK_TEST_MARIADB` (`tests/lib/mariadb.sh start DIR`): URLs of users who may create databases. Without one its
//! part says on stdout that it was skipped, and why. For SQL Server there is a server of the tests' own ([`tds`]).

mod binlog;
mod commits;
mod cursors;
mod fixture;
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

/// Each claim becomes one test per product.
macro_rules! contract {
    ($($module:ident :: $claim:ident;)*) => {
        mod sqlite {
            $(#[test] fn $claim() { crate::fixture::on_sqlite(crate::$module::$claim); })*
        }

        mod postgres {
            $(#[test] fn $claim() { crate::fixture::on_postgres(stringify!($claim), crate::$module::$claim); })*
        }

        mod mariadb {
            $(#[test] fn $claim() { crate::fixture::on_mariadb(stringify!($claim), crate::$module::$claim); })*
        }
    };
}

/// Claims about one server alone.
macro_rules! on_postgres {
    ($($module:ident :: $claim:ident;)*) => {
        mod postgres_only {
            $(#[test] fn $claim() { crate::fixture::on_postgres(stringify!($claim), crate::$module::$claim); })*
        }
    };
}

/// The same.
macro_rules! on_mariadb {
    ($($module:ident :: $claim:ident;)*) => {
        mod mariadb_only {
            $(#[test] fn $claim() { crate::fixture::on_mariadb(stringify!($claim), crate::$module::$claim); })*
        }
    };
}

/// Claims about servers.
macro_rules! on_servers {
    ($($module:ident :: $claim:ident;)*) => {
        mod servers {
            mod postgres {
                $(#[test] fn $claim() { crate::fixture::on_postgres(stringify!($claim), crate::$module::$claim); })*
            }

            mod mariadb {
                $(#[test] fn $claim() { crate::fixture::on_mariadb(stringify!($claim), crate::$module::$claim); })*
            }
        }
    };
}

contract! {
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
}

on_servers! {
    commits::a_commit_without_an_answer_is_unknown;
    outage::a_server_that_stops_in_the_middle_is_an_error;
    outage::the_next_call_connects_again;
    outage::a_wrong_password_is_said_without_showing_it;
}

on_postgres! {
    cursors::a_transaction_that_commits_late_is_not_passed_over;
    cursors::the_log_tells_of_every_change;
    scans::readers_of_ranges_share_a_snapshot;
    secured::postgres_is_trusted_by_its_authority_and_its_name;
    shapes::domains_enums_and_collations_are_seen_through;
}

on_mariadb! {
    binlog::a_key_that_was_written_otherwise_is_not_gone;
    binlog::a_log_that_was_thrown_away_is_stale;
    binlog::a_server_without_such_a_log_is_told_so;
    binlog::keys_of_every_legible_type_are_read_from_the_log;
    binlog::nobody_who_commits_is_passed_over;
    binlog::the_log_tells_of_every_change;
    binlog::what_the_log_does_not_say_row_by_row_makes_it_stale;
    secured::mariadb_is_trusted_by_its_authority_and_its_name;
    writes::many_rows_are_changed_at_once_and_each_to_its_own;
}
