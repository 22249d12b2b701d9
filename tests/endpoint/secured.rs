//! TLS to servers whose certificates are of an authority of the test's own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use portbook::Code;
use portbook::endpoint::{DatabaseOptions, open};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::fixture::{Server, Store};
use crate::own::OwnServer;

/// The authority's certificate, and a server's certificate for `localhost` with its key, in files.
struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "An authority of tests");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "localhost");
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let files = Self { directory };
        for (name, text) in
            [("authority.pem", issuer.pem()), ("server.pem", certificate.pem()), ("server.key", key.serialize_pem())]
        {
            std::fs::write(files.path(name), text).unwrap();
        }
        hand_over(files.directory.path());
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// A server under another user reads what is in the directory, and its key alone, as PostgreSQL wants it.
#[cfg(unix)]
fn hand_over(directory: &Path) {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::{PermissionsExt as _, chown};
    let key = directory.join("server.key");
    set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
    set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    // Only root may, and for root the servers of the tests run as nobody.
    chown(&key, Some(65_534), None).ok();
}

#[cfg(not(unix))]
fn hand_over(_: &Path) {}

/// Whether somebody who says this of certificates gets in.
async fn reached(like: &Store, options: &DatabaseOptions, host: &str, config: &str) -> Result<(), Code> {
    let mut options = options.clone();
    options.host = host.into();
    options.configure(config).unwrap();
    let endpoint = open(like.product, options).unwrap();
    let probed = endpoint.probe().await;
    endpoint.shutdown().await;
    probed.map(drop).map_err(|error| {
        println!("{host} {config}: {error}");
        error.code()
    })
}

/// A server with that certificate; whether somebody gets in who says what of it.
async fn trusted(server: Server, options: impl Fn(&Files) -> String) {
    let files = Files::new();
    let is_mysql = matches!(server, Server::MySql(_));
    let server = OwnServer::start(server, &options(&files));
    let store = server.store("secured").await;
    let mut known_options = store.options.clone();
    if is_mysql {
        // Somebody who is not let in by plain text.
        let user = "CREATE USER 'secured'@'127.0.0.1' IDENTIFIED BY 'secured' REQUIRE SSL";
        store.run(&format!("{user}; GRANT ALL ON secured.* TO 'secured'@'127.0.0.1'")).await;
        (known_options.user, known_options.password) = ("secured".into(), Some("secured".to_owned().into()));
    }
    let authority = serde_json::to_string(&files.path("authority.pem")).unwrap();
    let known = |mode: &str| format!(r#"{{"sslmode": "{mode}", "sslrootcert": {authority}}}"#);
    for (host, config, expected) in [
        ("localhost", known("verify-full"), Ok(())),
        // The driver of MySQL cannot leave the name out.
        ("127.0.0.1", known("verify-ca"), if is_mysql { Err(Code::Auth) } else { Ok(()) }),
        ("localhost", r#"{"sslmode": "require"}"#.to_owned(), Ok(())),
        ("localhost", "{}".to_owned(), Ok(())),
        // Another name; nobody whom the system trusts.
        ("127.0.0.1", known("verify-full"), Err(Code::Auth)),
        ("localhost", r#"{"sslmode": "verify-full"}"#.to_owned(), Err(Code::Auth)),
    ] {
        assert_eq!(reached(&store, &known_options, host, &config).await, expected, "{host} {config}");
    }
    let plain = reached(&store, &known_options, "localhost", r#"{"sslmode": "disable"}"#).await;
    assert_eq!(plain.is_err(), is_mysql, "plain text lets nobody in there");
    store.endpoint.shutdown().await;
}

pub(crate) async fn mysql_is_trusted_by_its_authority_and_its_name(like: Arc<Store>) {
    let options = |files: &Files| {
        let (certificate, key) = (files.path("server.pem"), files.path("server.key"));
        let (certificate, key) = (certificate.display(), key.display());
        format!("--ssl-cert={certificate} --ssl-key={key}")
    };
    trusted(Server::MySql(like.flavour()), options).await;
}

pub(crate) async fn postgres_is_trusted_by_its_authority_and_its_name(_: Arc<Store>) {
    let options = |files: &Files| {
        let (certificate, key) = (files.path("server.pem"), files.path("server.key"));
        let (certificate, key) = (certificate.display(), key.display());
        format!("-c ssl=on -c ssl_cert_file={certificate} -c ssl_key_file={key}")
    };
    trusted(Server::Postgres, options).await;
}
