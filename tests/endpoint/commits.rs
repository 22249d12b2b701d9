//! Commits whose answer is lost.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;

use portbook::endpoint::TableName;
use portbook::model::DatumKind;

use crate::fixture::{Store, integer, text, words};

/// What happens to a `COMMIT` on its way.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// It does not arrive.
    Lost,
    /// It arrives, and its answer does not.
    Unanswered,
}

/// A line to a server that breaks at the commit.
fn line(server: (String, u16), fate: Fate) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect((server.0.as_str(), server.1)).unwrap();
            std::thread::spawn(move || pass(&client, &server, fate));
        }
    });
    port
}

fn pass(client: &TcpStream, server: &TcpStream, fate: Fate) {
    let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let down = std::thread::spawn(move || std::io::copy(&mut from, &mut to));
    let (mut from, mut to) = (client, server);
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        // A command comes as a whole here. READ COMMITTED is another one.
        let said = buffer[..count].strip_suffix(b"\0").unwrap_or(&buffer[..count]);
        let is_commit = said.ends_with(b"COMMIT");
        if is_commit {
            // Nothing comes back from here on.
            client.shutdown(Shutdown::Both).unwrap();
        }
        if is_commit && fate == Fate::Lost {
            break;
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // The server does what it was told before it sees the end.
    server.shutdown(Shutdown::Write).ok();
    down.join().unwrap().ok();
}

pub(crate) async fn a_commit_without_an_answer_is_unknown(store: Arc<Store>) {
    let table = store.table("t", &[("id", DatumKind::Integer), ("a", DatumKind::Text)]).await;
    assert_eq!(words(&store.insert(&table, &["id", "a"], &[vec![integer(1), text("x")]]).await), ["written"]);
    for (fate, id) in [(Fate::Lost, 2), (Fate::Unanswered, 3)] {
        let mut options = store.options.clone();
        options.port = Some(line((options.host.clone(), options.port.unwrap()), fate));
        // In plain text, so that the line can see what it breaks at.
        options.configure(r#"{"sslmode": "disable"}"#).unwrap();
        let cut = store.beside(options);
        let rows = [vec![integer(id), text("y")], vec![integer(1), text("z")]];
        let outcomes = cut.insert(&table, &["id", "a"], &rows).await;
        assert_eq!(words(&outcomes), ["unknown", "exists"], "{fate:?}: {outcomes:?}");
        cut.endpoint.shutdown().await;
    }
    // Whoever looks finds out.
    let expected = vec![vec![integer(1), text("x")], vec![integer(3), text("y")]];
    for _ in 0..100 {
        if store.rows(&TableName::new("", "t"), &["id", "a"]).await.0 == expected {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{:?}", store.rows(&TableName::new("", "t"), &["id", "a"]).await);
}
