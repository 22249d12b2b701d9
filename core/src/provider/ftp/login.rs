//! How a session begins.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustls::ClientConfig;

use super::features::Features;
use super::options::{FtpOptions, FtpSecurity};
use super::reply::Reply;
use super::session::Session;
use super::wire::{self, SILENCE, Secure, Wire};
use crate::error::{Code, Error, Result};

const LOG_IN: &str = "log in to";

/// A session that is logged in.
///
/// # Errors
/// `auth`: the account, its password or the server's certificate; `throttled`: there are too many connections.
pub(super) async fn begin(
    options: &FtpOptions,
    config: Option<&ClientConfig>,
    subject: &Arc<str>,
    pasv: &Arc<AtomicBool>,
    has_others: bool,
) -> Result<Session> {
    let stream = wire::connect(&options.host, options.port(), subject).await?;
    let peer: SocketAddr = stream.peer_addr().map_err(|e| Error::io("connect to", subject, e))?;
    let secure = config.map(|config| Secure::of_session(config, &options.host)).transpose()?;
    let (wire, explicit) = match (&secure, options.security) {
        (Some(secure), FtpSecurity::Implicit) => (secure.handshake(stream, subject).await?, None),
        (Some(secure), FtpSecurity::Explicit) => (Wire::Plain(stream), Some(secure)),
        (None | Some(_), _) => (Wire::Plain(stream), None),
    };
    let mut session = Session::new(wire, peer, Arc::clone(subject), Arc::clone(pasv));
    greeting(&mut session).await?;
    if let Some(secure) = explicit {
        let reply = session.ask("secure the connection to", "AUTH", Some(b"TLS")).await?;
        if reply.code != 234 {
            return Err(unprotected(&session, &reply));
        }
        session = session.secure_control(secure).await?;
    }
    if let Some(secure) = secure {
        protect(&mut session, options.security).await?;
        session.secure = Some(secure);
    }
    log_in(&mut session, options, has_others).await?;
    Ok(session)
}

/// 120 asks for patience (RFC 959, section 5.4). A server that refuses now has too many connections.
async fn greeting(session: &mut Session) -> Result<()> {
    loop {
        let reply = session.reply(SILENCE, "connect to").await?;
        match reply.code {
            220 => return Ok(()),
            120 => {}
            421 | 530 => {
                let error = Error::new(Code::Throttled, "connect to", &session.subject);
                return Err(error.because(reply.words()));
            }
            _ => return Err(reply.error("connect to", &session.subject)),
        }
    }
}

fn unprotected(session: &Session, reply: &Reply) -> Error {
    Error::new(Code::Unsupported, "secure the connection to", &session.subject)
        .because(reply.words())
        .advise("the server offers no explicit TLS; try implicit TLS, or none if everybody may read what passes")
}

/// Data connections are to be secured too (RFC 4217, sections 8 and 9).
async fn protect(session: &mut Session, security: FtpSecurity) -> Result<()> {
    let action = "secure the transfers of";
    // Its argument is always 0 for TLS; a server that does not know it says so, and PROT decides.
    session.ask(action, "PBSZ", Some(b"0")).await?;
    let reply = session.ask(action, "PROT", Some(b"P")).await?;
    let is_implied = security == FtpSecurity::Implicit && reply.is_unsupported();
    if reply.is_done() || is_implied { Ok(()) } else { Err(unprotected(session, &reply)) }
}

async fn log_in(session: &mut Session, options: &FtpOptions, has_others: bool) -> Result<()> {
    let mut reply = session.ask_once(LOG_IN, "USER", Some(options.user.as_bytes())).await?;
    if reply.code == 331 {
        reply = session.ask_once(LOG_IN, "PASS", Some(options.password.expose())).await?;
    }
    let crowded = || Error::new(Code::Throttled, LOG_IN, &session.subject).because(reply.words());
    match reply.code {
        230 | 232 | 202 => Ok(()),
        332 => Err(reply
            .error(LOG_IN, &session.subject)
            .advise("a login with an account beside the user is not supported")),
        421 => Err(crowded()),
        // ProFTPD refuses one connection too many like a wrong password; the others have been let in with this one.
        530 if has_others || is_crowded(&reply) => Err(crowded()),
        _ => Err(reply.error(LOG_IN, &session.subject)),
    }
}

/// Before anybody was let in only the words tell.
fn is_crowded(reply: &Reply) -> bool {
    let words = reply.words().to_ascii_lowercase();
    ["too many", "maximum number", "limit reached"].iter().any(|sign| words.contains(sign))
}

/// What the server can do, after the login: some hide it before.
pub(super) async fn features(session: &mut Session) -> Result<Features> {
    let action = "ask what can be done by";
    let feat = session.ask(action, "FEAT", None).await?;
    let syst = session.ask(action, "SYST", None).await?;
    Ok(Features::parse(Some(&feat), Some(&syst)))
}

/// Every session of a server is in the same modes: bytes as they are, names in UTF-8, the facts that are needed.
pub(super) async fn settle(session: &mut Session, features: &Features) -> Result<()> {
    let action = "prepare the connection to";
    if features.utf8 {
        // Servers that are always in UTF-8 refuse it; all is well then (RFC 2640 knows no such command).
        session.ask(action, "OPTS", Some(b"UTF8 ON")).await?;
    }
    if features.choose_facts {
        session.ask(action, "OPTS", Some(b"MLST type;size;modify;")).await?;
    }
    let reply = session.ask(action, "TYPE", Some(b"I")).await?;
    if reply.is_done() { Ok(()) } else { Err(reply.error(action, &session.subject)) }
}
