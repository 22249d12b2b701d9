//! The contract of a metastore, run on both engines.
//!
//! PostgreSQL is named by `PORTBOOK_TEST_POSTGRES` (a URL; `tests/lib/postgres.sh start DIR` provides one). Without it
//! the PostgreSQL half says on stdout that it was skipped, and why.

mod fixture;
mod ledger;

use std::sync::Arc;

use fixture::Book;

/// Each claim becomes one test per engine.
macro_rules! contract {
    ($($module:ident :: $claim:ident;)*) => {
        mod sqlite {
            $(#[test] fn $claim() { super::on_sqlite(super::$module::$claim); })*
        }
    };
}

contract! {
    ledger::children_come_back_ordered_by_name_as_they_were_written;
    ledger::a_row_is_replaced_by_key_and_removed_only_with_its_id;
    ledger::a_rename_needs_its_row_and_a_free_key;
    ledger::a_directory_has_the_path_of_its_ancestors;
    ledger::an_intent_is_open_until_it_is_removed;
    ledger::a_conduit_takes_its_ledger_along;
}

fn on_sqlite<F: Future<Output = ()>>(claim: impl Fn(Arc<Book>) -> F) {
    fixture::block_on(async {
        let book = Arc::new(Book::sqlite());
        claim(Arc::clone(&book)).await;
        book.store.shutdown().await;
    });
}
