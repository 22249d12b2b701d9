//! Tokens, and who may do what.

use std::time::Duration;

use serde_json::json;

use crate::client::{SITE, World};
use crate::graph::{AppOptions, GraphOptions, Role};

#[tokio::test]
async fn a_token_ends_by_the_clock() {
    let mut world = World::start().await;
    assert_eq!(world.get(SITE).await.status, 200);
    world.clock.advance(Duration::from_secs(3_598));
    assert_eq!(world.get(SITE).await.status, 200);
    world.clock.advance(Duration::from_secs(1));
    let ended = world.get(SITE).await;
    assert_eq!(ended.refused(), (401, "InvalidAuthenticationToken"));
    assert!(ended.header("www-authenticate").unwrap().starts_with("Bearer"));
    world.sign_in().await;
    assert_eq!(world.get(SITE).await.status, 200);
}

#[tokio::test]
async fn without_a_good_token_nothing_is_said() {
    let world = World::start().await;
    for header in ["", "Bearer nonsense", "Basic eDp5"] {
        let refused = world.ask("GET", SITE, None, &[("authorization", header)]).await;
        assert_eq!(refused.refused(), (401, "InvalidAuthenticationToken"), "{header}");
        let batch = Some(json!({ "requests": [{ "id": "1", "method": "GET", "url": SITE }] }));
        assert_eq!(world.ask("POST", "/$batch", batch, &[("authorization", header)]).await.status, 401);
    }
}

#[tokio::test]
async fn entra_says_what_is_wrong_with_a_request_for_a_token() {
    let world = World::start().await;
    let app = AppOptions::default();
    let right = [("client_id", app.id.as_str()), ("client_secret", app.secret.as_str())];
    assert_eq!(world.ask_token(&right).await.body["expires_in"], 3_599);
    let cases = [
        (vec![right[0], ("client_secret", "wrong")], 401, "invalid_client", 7_000_215),
        (vec![right[0]], 401, "invalid_client", 7_000_218),
        (vec![("client_id", "nobody"), right[1]], 400, "unauthorized_client", 700_016),
        (vec![right[1]], 400, "invalid_request", 900_144),
        (vec![right[0], right[1], ("scope", "Sites.Read.All")], 400, "invalid_scope", 1_002_012),
        (vec![right[0], right[1], ("grant_type", "password")], 400, "unsupported_grant_type", 70_003),
        (
            vec![
                right[0],
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ("client_assertion", "e30.e30.AAAA"),
            ],
            401,
            "invalid_client",
            700_027,
        ),
    ];
    for (fields, status, error, number) in cases {
        let answer = world.ask_token(&fields).await;
        let said =
            (answer.status, answer.body["error"].as_str().unwrap(), answer.body["error_codes"][0].as_u64().unwrap());
        assert_eq!(said, (status, error, number), "{fields:?}");
        assert!(answer.body["error_description"].as_str().unwrap().starts_with(&format!("AADSTS{number}: ")));
        assert!(!answer.body.to_string().contains(&app.secret));
    }
}

#[tokio::test]
async fn a_secret_that_was_replaced_gives_no_more_tokens() {
    let world = World::start().await;
    let app = AppOptions::default();
    world.server.change_secret(&app.id, "another");
    let refused = world.ask_token(&[("client_id", &app.id), ("client_secret", &app.secret)]).await;
    assert_eq!((refused.status, refused.body["error"].as_str()), (401, Some("invalid_client")));
    assert_eq!(world.get(SITE).await.status, 200, "tokens stay good until they end");
    world.server.forget_tokens();
    assert_eq!(world.get(SITE).await.status, 401);
}

#[tokio::test]
async fn an_application_does_what_its_role_allows() {
    for (role, writes, manages) in [(Role::Read, 403, 403), (Role::Write, 201, 403), (Role::Manage, 201, 201)] {
        let apps = vec![
            AppOptions { role: Role::Manage, ..AppOptions::default() },
            AppOptions { id: "weak".to_owned(), secret: "s".to_owned(), role, ..AppOptions::default() },
        ];
        let mut world = World::with(GraphOptions { apps, ..GraphOptions::default() }).await;
        let list = world.list("Stock", json!([])).await;
        let answer = world.ask_token(&[("client_id", "weak"), ("client_secret", "s")]).await;
        world.token = answer.body["access_token"].as_str().unwrap().to_owned();
        assert_eq!(world.get(&list).await.status, 200);
        let made = world.post(&format!("{list}/items"), json!({ "fields": { "Title": "x" } })).await;
        assert_eq!(made.status, writes, "{role:?}");
        let column = json!({ "name": "A", "text": {} });
        assert_eq!(world.post(&format!("{list}/columns"), column).await.status, manages, "{role:?}");
    }
}
