//! How a server is reached: encrypted unless somebody says otherwise, by certificates that are trusted.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use portbook::Code;
use portbook::endpoint::DatabaseOptions;

use super::{Table, around, endpoint, options_at, run};
use crate::tds::{Encryption, Request, TdsOptions, TdsServer};

fn server(encryption: Encryption) -> TdsServer {
    let options = TdsOptions { encryption, ..TdsOptions::default() };
    TdsServer::start(options, |request: &Request| around(request, &Table::default()))
}

fn configured(server: &TdsServer, config: &str) -> DatabaseOptions {
    let mut options = options_at(server);
    options.configure(config).unwrap();
    options
}

/// The configuration that trusts the server's authority, and says this as well.
fn trusting(server: &TdsServer, more: &str) -> DatabaseOptions {
    let authority = serde_json::to_string(&server.authority()).unwrap();
    configured(server, &format!(r#"{{"sslrootcert": {authority}{more}}}"#))
}

async fn code(options: DatabaseOptions) -> Result<String, Code> {
    let endpoint = endpoint(options);
    let probed = endpoint.probe().await.map_err(|error| {
        assert!(!format!("{error} {error:?}").contains("pässwörd"), "{error}");
        error.code()
    });
    endpoint.shutdown().await;
    Ok(probed?.product)
}

const PRODUCT: &str = "SQL Server 16.0.4135.4 (Developer Edition)";

#[test]
fn the_login_is_what_was_asked_for() {
    run(async {
        let server = server(Encryption::Wrapped);
        let endpoint = endpoint(options_at(&server));
        let probe = endpoint.probe().await.unwrap();
        assert_eq!((probe.product.as_str(), probe.clock.seconds, probe.clock.nanos), (PRODUCT, 1_750_000_000, 123));
        // A second call uses the same connection.
        endpoint.probe().await.unwrap();
        let logins = server.seen().logins;
        assert_eq!(logins.len(), 1);
        let login = &logins[0];
        let said = [&login.user, &login.password, &login.database, &login.application, &login.server];
        assert_eq!(said, ["sa", "pässwörd 1", "shop", "portbook", "localhost"]);
        endpoint.shutdown().await;
        assert_eq!(endpoint.probe().await.unwrap_err().code(), Code::Storage);
    });
}

#[test]
fn certificates_are_trusted_as_with_other_databases() {
    run(async {
        let server = server(Encryption::Wrapped);
        let by_address = |mut options: DatabaseOptions| {
            options.host = "127.0.0.1".into();
            options
        };
        for (options, expected) in [
            // This machine: encrypted, whoever it is.
            (configured(&server, "{}"), Ok(PRODUCT)),
            (configured(&server, r#"{"sslmode": "require"}"#), Ok(PRODUCT)),
            (trusting(&server, r#", "sslmode": "verify-full""#), Ok(PRODUCT)),
            (trusting(&server, r#", "encrypt": "on""#), Ok(PRODUCT)),
            // Nobody vouches for it.
            (configured(&server, r#"{"sslmode": "verify-full"}"#), Err(Code::Auth)),
            (configured(&server, r#"{"encrypt": "on"}"#), Err(Code::Auth)),
            // Its certificate has another name, which is no matter to whoever asks for the issuer only.
            (by_address(trusting(&server, r#", "sslmode": "verify-full""#)), Err(Code::Auth)),
            (by_address(trusting(&server, r#", "sslmode": "verify-ca""#)), Ok(PRODUCT)),
        ] {
            let said = format!("{:?} {:?} {}", options.tls, options.ca_file, options.host);
            assert_eq!(code(options).await.as_deref(), expected.as_deref(), "{said}");
        }
    });
}

#[test]
fn strict_is_encrypted_from_the_first_byte() {
    run(async {
        let server = server(Encryption::Strict);
        assert_eq!(code(trusting(&server, r#", "encrypt": "strict""#)).await.as_deref(), Ok(PRODUCT));
        assert_eq!(
            code(configured(&server, r#"{"encrypt": "strict"}"#)).await,
            Err(Code::Auth),
            "nobody vouches for it"
        );
        // Who comes with a PRELOGIN is not understood.
        assert!(code(trusting(&server, "")).await.is_err());
        let both = configured(&server, r#"{"encrypt": "strict", "sslmode": "disable"}"#);
        let refused = portbook::endpoint::open(portbook::model::DbType::SqlServer, both).err().unwrap();
        assert_eq!(refused.code(), Code::Invalid);
    });
}

#[test]
fn plain_text_is_spoken_only_when_somebody_says_so() {
    run(async {
        let plain = server(Encryption::None);
        assert_eq!(code(configured(&plain, "{}")).await, Err(Code::Unsupported), "this machine is no exception");
        assert_eq!(plain.seen().logins.len(), 0, "no password was sent");
        assert_eq!(code(configured(&plain, r#"{"encrypt": "off"}"#)).await.as_deref(), Ok(PRODUCT));
        assert_eq!(code(configured(&plain, r#"{"sslmode": "disable"}"#)).await.as_deref(), Ok(PRODUCT));
    });
}

/// What went to the server and came from it, as somebody between sees it.
fn overheard(server: u16) -> (u16, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heard);
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
            for (from, to) in [(&client, &server), (&server, &client)] {
                let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || {
                    let mut buffer = [0; 4096];
                    while let Ok(count @ 1..) = from.read(&mut buffer) {
                        kept.lock().unwrap().extend_from_slice(&buffer[..count]);
                        if to.write_all(&buffer[..count]).is_err() {
                            break;
                        }
                    }
                    let _ = to.shutdown(Shutdown::Write);
                });
            }
        }
    });
    (port, heard)
}

#[test]
fn nobody_between_reads_along() {
    run(async {
        for (encryption, config, is_read) in [
            (Encryption::Wrapped, "{}", false),
            (Encryption::Strict, r#"{"encrypt": "strict", "sslmode": "require"}"#, false),
            (Encryption::None, r#"{"encrypt": "off"}"#, true),
        ] {
            let server = server(encryption);
            let (port, heard) = overheard(server.port);
            let mut options = configured(&server, config);
            options.port = Some(port);
            assert_eq!(code(options).await.as_deref(), Ok(PRODUCT), "{encryption:?}");
            let heard = heard.lock().unwrap().clone();
            let wide: Vec<u8> = "ProductVersion".encode_utf16().flat_map(u16::to_le_bytes).collect();
            let is_there = heard.windows(wide.len()).any(|window| window == wide);
            assert_eq!(is_there, is_read, "{encryption:?}");
        }
    });
}

#[test]
fn a_wrong_password_is_said_without_showing_it() {
    run(async {
        let server = server(Encryption::Wrapped);
        let mut options = options_at(&server);
        options.password = Some("hunter2".to_owned().into());
        let error = endpoint(options).probe().await.unwrap_err();
        assert_eq!(error.code(), Code::Auth);
        assert!(error.to_string().contains("Login failed for user 'sa'. (18456)"), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        let mut options = options_at(&server);
        options.port = Some(1);
        assert_eq!(endpoint(options).probe().await.unwrap_err().code(), Code::Offline);
    });
}

#[test]
fn what_is_no_server_of_its_kind_is_offline() {
    for said in
        [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"\x04\x01\x00\x08\0\0\0\0", b"\x04\x01\xff\xff\0\0\0\0", b""]
    {
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = [0; 47];
                let _ = stream.read_exact(&mut asked).and_then(|()| stream.write_all(said));
            });
            let mut options = DatabaseOptions::at("localhost", "shop");
            options.port = Some(port);
            assert_eq!(code(options).await, Err(Code::Offline), "{said:?}");
        });
    }
}

#[test]
fn a_named_instance_is_asked_for_by_its_port() {
    let refused = portbook::endpoint::open(
        portbook::model::DbType::SqlServer,
        DatabaseOptions::at(r"db.example\SQLEXPRESS", "shop"),
    );
    assert_eq!(refused.err().unwrap().code(), Code::Invalid);
}
