//! From a name to an SFTP channel: TCP, SSH, the host's key, the login.

use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, AuthResult, KeyboardInteractiveAuthResponse, Msg};
use russh::keys::{Algorithm, HashAlg, PrivateKeyWithHashAlg, PublicKey};
use russh::{Channel, MethodKind, MethodSet, Preferred, cipher};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::known_hosts::Expected;
use super::options::{SftpAuth, SftpOptions};
use crate::error::{Code, Error, Result};
use crate::model::SecretBytes;

const CONNECT: &str = "connect to";
const LOG_IN: &str = "log in at";
/// How long each step of making a connection may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// A connection that is silent is asked whether it still lives, which also keeps firewalls from forgetting it.
const ALIVE: Duration = Duration::from_secs(15);
/// What the server may send before it is told to go on: more than one large file has under way.
const WINDOW: u32 = 16 << 20;
/// Keys of an agent that are tried; a server ends the connection after six (`MaxAuthTries`, sshd_config(5)).
#[cfg(unix)]
const KEYS: usize = 5;

/// The fastest first, on processors with instructions for AES; all with authentication or in strict key exchange.
const CIPHERS: &[cipher::Name] =
    &[cipher::AES_256_GCM, cipher::CHACHA20_POLY1305, cipher::AES_256_CTR, cipher::AES_192_CTR, cipher::AES_128_CTR];

/// A connection that is logged in, with a channel on which SFTP is spoken.
pub(super) struct Connection {
    pub(super) channel: Channel<Msg>,
    /// The connection ends when the last of its channels drops it.
    pub(super) handle: Arc<client::Handle<Guard>>,
}

/// Looks at the host's key.
pub(super) struct Guard {
    expected: Expected,
}

/// Why a connection was not made.
#[derive(Debug)]
pub(super) enum Refused {
    Key(Error),
    Ssh(russh::Error),
}

impl From<russh::Error> for Refused {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

impl client::Handler for Guard {
    type Error = Refused;

    async fn check_server_key(
        &mut self,
        offered: &russh::keys::PublicKeyOrCertificate,
    ) -> std::result::Result<bool, Self::Error> {
        let key = match offered {
            russh::keys::PublicKeyOrCertificate::PublicKey { key, .. } => key.clone(),
            // None is asked for; the key in it stands for itself.
            russh::keys::PublicKeyOrCertificate::Certificate(certificate) => {
                PublicKey::new(certificate.public_key().clone(), "")
            }
        };
        self.expected.check(&key).map_err(Refused::Key)?;
        Ok(true)
    }
}

/// Connects and logs in.
pub(super) async fn connect(options: &SftpOptions) -> Result<Connection> {
    let server = options.server();
    let expected = options.expected()?;
    let late = |_| Error::new(Code::Timeout, CONNECT, &server).because("it does not answer");
    let tcp = timeout(PATIENCE, TcpStream::connect((options.host.as_str(), options.port))).await.map_err(late)?;
    let tcp = tcp.map_err(|e| Error::new(Code::Offline, CONNECT, &server).because(e))?;
    // Small requests must not wait for the answer to those before them (RFC 896).
    tcp.set_nodelay(true).map_err(|e| Error::io(CONNECT, &server, e))?;
    let config = Arc::new(config(&expected));
    let guard = Guard { expected };
    let made = timeout(PATIENCE, client::connect_stream(config, tcp, guard)).await.map_err(late)?;
    let mut handle = made.map_err(|e| refused(&e, CONNECT, &server))?;
    timeout(PATIENCE, log_in(&mut handle, options, &server)).await.map_err(late)??;
    beside(Arc::new(handle), &server).await
}

/// A further channel of a connection.
pub(super) async fn beside(handle: Arc<client::Handle<Guard>>, server: &str) -> Result<Connection> {
    let late = |_| Error::new(Code::Timeout, CONNECT, server).because("it does not answer");
    let channel = timeout(PATIENCE, open_channel(&handle, server)).await.map_err(late)??;
    Ok(Connection { channel, handle })
}

fn config(expected: &Expected) -> client::Config {
    let mut keys: Vec<Algorithm> = Vec::new();
    let known = expected.algorithms();
    // An RSA key signs with any of its hashes; the one with SHA-1 is left out (RFC 8332).
    let is_known = |a: &Algorithm| known.iter().any(|k| k == a || (is_rsa(k) && is_rsa(a)));
    let usable = Preferred::DEFAULT.key.iter().filter(|a| !matches!(a, Algorithm::Rsa { hash: None }));
    let (first, rest): (Vec<&Algorithm>, Vec<&Algorithm>) = usable.partition(|a| is_known(a));
    keys.extend(first.into_iter().chain(rest).cloned());
    client::Config {
        window_size: WINDOW,
        keepalive_interval: Some(ALIVE),
        keepalive_max: 3,
        nodelay: true,
        preferred: Preferred { key: keys.into(), cipher: CIPHERS.into(), ..Preferred::DEFAULT },
        ..client::Config::default()
    }
}

fn is_rsa(algorithm: &Algorithm) -> bool {
    matches!(algorithm, Algorithm::Rsa { .. })
}

async fn open_channel(handle: &client::Handle<Guard>, server: &str) -> Result<Channel<Msg>> {
    let failed = |e: russh::Error| ssh(&e, CONNECT, server);
    let mut channel = handle.channel_open_session().await.map_err(failed)?;
    channel.request_subsystem(true, "sftp").await.map_err(failed)?;
    loop {
        match channel.wait().await {
            Some(russh::ChannelMsg::Success) => return Ok(channel),
            Some(russh::ChannelMsg::Failure) => {
                return Err(Error::new(Code::Unsupported, CONNECT, server).because("it offers no SFTP to this user"));
            }
            // The window may be told before.
            Some(_) => {}
            None => return Err(Error::new(Code::Offline, CONNECT, server).because("it closed the channel")),
        }
    }
}

async fn log_in(handle: &mut client::Handle<Guard>, options: &SftpOptions, server: &str) -> Result<()> {
    match &options.auth {
        SftpAuth::Password(password) => by_password(handle, &options.user, password, server).await,
        SftpAuth::KeyFile { path, passphrase } => {
            let at = || crate::model::shown(path);
            let text = std::fs::read_to_string(path).map_err(|e| Error::io("read the key", at(), e))?;
            let text = zeroize::Zeroizing::new(text);
            let passphrase = passphrase.as_ref().map(SecretBytes::expose_text).transpose()?;
            let key = russh::keys::decode_secret_key(&text, passphrase).map_err(|e| {
                let error = Error::new(Code::Auth, "use the key", at()).because(&e);
                match e {
                    russh::keys::Error::KeyIsEncrypted => error.advise("give its passphrase"),
                    _ => error.advise("is it a private key, and is the passphrase right?"),
                }
            })?;
            let key = PrivateKeyWithHashAlg::new(Arc::new(key), rsa_hash(handle, server).await?);
            let answer = handle.authenticate_publickey(&options.user, key).await;
            accepted(answer.map_err(|e| ssh(&e, LOG_IN, server))?, server)
        }
        SftpAuth::Agent => by_agent(handle, &options.user, server).await,
    }
}

/// The best hash for RSA signatures that the server knows; of a server that does not say, SHA-512 (RFC 8332).
async fn rsa_hash(handle: &client::Handle<Guard>, server: &str) -> Result<Option<HashAlg>> {
    let told = handle.best_supported_rsa_hash().await.map_err(|e| ssh(&e, LOG_IN, server))?;
    Ok(told.unwrap_or(Some(HashAlg::Sha512)))
}

async fn by_password(
    handle: &mut client::Handle<Guard>,
    user: &str,
    password: &SecretBytes,
    server: &str,
) -> Result<()> {
    let failed = |e: russh::Error| ssh(&e, LOG_IN, server);
    let text = password.expose_text()?;
    let answer = handle.authenticate_password(user, text).await.map_err(failed)?;
    let AuthResult::Failure { remaining_methods, partial_success: false } = &answer else {
        return accepted(answer, server);
    };
    if !remaining_methods.contains(&MethodKind::KeyboardInteractive) {
        return accepted(answer, server);
    }
    let mut said = handle.authenticate_keyboard_interactive_start(user, None).await.map_err(failed)?;
    let mut answered = false;
    loop {
        let answers = match said {
            KeyboardInteractiveAuthResponse::Success => return Ok(()),
            KeyboardInteractiveAuthResponse::Failure { remaining_methods, partial_success } => {
                return accepted(AuthResult::Failure { remaining_methods, partial_success }, server);
            }
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => match prompts.as_slice() {
                [] => Vec::new(),
                // The one hidden question is the password; the second one would be something else.
                [only] if !only.echo && !answered => {
                    answered = true;
                    vec![text.to_owned()]
                }
                _ => {
                    return Err(Error::new(Code::Auth, LOG_IN, server)
                        .because("it asks more than a password")
                        .advise("use a key"));
                }
            },
        };
        said = handle.authenticate_keyboard_interactive_respond(answers).await.map_err(failed)?;
    }
}

#[cfg(unix)]
async fn by_agent(handle: &mut client::Handle<Guard>, user: &str, server: &str) -> Result<()> {
    let at = |why: &dyn std::fmt::Display| {
        Error::new(Code::Auth, "ask the agent for keys for", server)
            .because(why)
            .advise("is an agent running, and does SSH_AUTH_SOCK name it?")
    };
    let mut agent = russh::keys::agent::client::AgentClient::connect_env().await.map_err(|e| at(&e))?;
    let identities = agent.request_identities().await.map_err(|e| at(&e))?;
    if identities.is_empty() {
        return Err(at(&"it holds none"));
    }
    let hash = rsa_hash(handle, server).await?;
    let mut last = None;
    for identity in identities.iter().take(KEYS) {
        let key = identity.public_key().into_owned();
        let hash = hash.filter(|_| is_rsa(&key.algorithm()));
        match handle.authenticate_publickey_with(user, key, hash, &mut agent).await {
            Ok(AuthResult::Success) => return Ok(()),
            Ok(answer) => last = Some(accepted(answer, server)),
            Err(e) => last = Some(Err(at(&e))),
        }
    }
    last.unwrap_or_else(|| Err(at(&"it holds none")))
}

#[cfg(not(unix))]
async fn by_agent(_: &mut client::Handle<Guard>, _: &str, server: &str) -> Result<()> {
    Err(Error::new(Code::Unsupported, LOG_IN, server).because("agents are not supported on this system"))
}

fn accepted(answer: AuthResult, server: &str) -> Result<()> {
    let AuthResult::Failure { remaining_methods, partial_success } = answer else { return Ok(()) };
    let error = Error::new(Code::Auth, LOG_IN, server);
    let methods = named(&remaining_methods);
    Err(if partial_success {
        error.because(format_args!("it wants a further proof: {methods}"))
    } else {
        error.because(format_args!("it does not accept the user or the proof; it offers: {methods}"))
    })
}

fn named(methods: &MethodSet) -> String {
    let names: Vec<&str> = methods.iter().map(<&str>::from).collect();
    if names.is_empty() { "nothing else".to_owned() } else { names.join(", ") }
}

fn refused(refused: &Refused, action: &'static str, server: &str) -> Error {
    match refused {
        Refused::Key(error) => error.clone(),
        Refused::Ssh(error) => ssh(error, action, server),
    }
}

/// What the SSH library says.
fn ssh(error: &russh::Error, action: &'static str, server: &str) -> Error {
    let code = match error {
        russh::Error::NoCommonAlgo { .. } | russh::Error::Version => Code::Unsupported,
        russh::Error::ConnectionTimeout | russh::Error::KeepaliveTimeout | russh::Error::InactivityTimeout => {
            Code::Timeout
        }
        russh::Error::WrongServerSig | russh::Error::UnknownKey => Code::Auth,
        _ => Code::Offline,
    };
    Error::new(code, action, server).because(error)
}
