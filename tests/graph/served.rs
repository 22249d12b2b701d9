//! The server for tests in other languages.

use std::io::BufRead as _;

use serde_json::{Value, json};

use crate::graph::{AppOptions, Budget, GraphOptions, GraphServer};

/// The first line that it says is how it is reached. Each line that it is given is the title of a list, and is answered by the
/// fields of the list's items; it ends with the last one.
#[test]
#[ignore = "it serves tests in other languages"]
fn serves() {
    let budget = Budget { per_minute: 100_000_000, per_day: 1_000_000_000, ..Budget::default() };
    let options = GraphOptions { budget, ..GraphOptions::default() };
    let (tenant, app) = (options.tenant.clone(), AppOptions::default());
    let server = GraphServer::start(options);
    println!(
        "\n{}",
        json!({ "url": server.url(), "tenant": tenant, "client_id": app.id, "client_secret": app.secret })
    );
    for title in std::io::stdin().lock().lines() {
        let items =
            server.items(&title.unwrap()).into_iter().map(|item| Value::Object(item.fields.into_iter().collect()));
        println!("{}", Value::Array(items.collect()));
    }
}
