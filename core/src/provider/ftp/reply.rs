//! Replies of a server (RFC 959, section 4.2).
//!
//! A reply of several lines ends with the line that repeats its own code and a space; lines between may begin with
//! anything, other codes included. Whatever ended a reply earlier would take its rest for the answer to the next
//! command.

use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};
use tokio::time::timeout;

use crate::error::{Code, Error, Result};
use crate::model::escaped;

/// The most that one reply may hold.
const MOST: usize = 1 << 20;
/// How much of a reply is shown in an error.
const SHOWN: usize = 300;

/// A complete reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    /// Without line ends, and the first and the last without the code. Telnet's doubled 0xFF is one again.
    pub(super) lines: Vec<Vec<u8>>,
}

impl Reply {
    pub(super) fn is_preliminary(&self) -> bool {
        self.code / 100 == 1
    }

    pub(super) fn is_done(&self) -> bool {
        self.code / 100 == 2
    }

    /// The command is not known, or not with this argument.
    pub(super) fn is_unsupported(&self) -> bool {
        matches!(self.code, 500..=504)
    }

    /// The last line.
    pub(super) fn text(&self) -> &[u8] {
        self.lines.last().map_or(b"", Vec::as_slice)
    }

    /// The server's own words.
    pub(super) fn words(&self) -> String {
        let all = self.lines.join(&b' ');
        let text = escaped(&all[..all.len().min(SHOWN)]);
        format!("{} {}", self.code, text.trim())
    }

    pub(super) fn error(&self, action: &'static str, subject: impl std::fmt::Display) -> Error {
        let error = Error::new(code_of(self.code), action, subject).because(self.words());
        match self.code {
            530 | 430 => error.advise("check the account and its password"),
            425 | 522 => error.advise("if the server wants TLS sessions to be resumed, try TLS 1.2 only"),
            533..=537 => error.advise("the server does not accept this kind of protection"),
            _ => error,
        }
    }
}

/// What a refusal means where nothing more is known. 550 stands for absent, denied and taken alike: who can, finds
/// out.
pub(super) fn code_of(reply: u16) -> Code {
    match reply {
        120 => Code::Throttled,
        421 | 425 | 426 | 434 | 451 => Code::Offline,
        450 => Code::Busy,
        430 | 530 | 331 | 332 => Code::Auth,
        452 | 552 => Code::Quota,
        500..=504 | 522 => Code::Unsupported,
        533..=537 | 553 => Code::Invalid,
        532 | 550 => Code::Permission,
        _ => Code::Storage,
    }
}

/// Reads one reply to its end.
///
/// # Errors
/// `offline` when the connection ends first; `timeout`; `storage` when it is no reply.
pub(super) async fn read(
    from: &mut (impl AsyncBufRead + Unpin),
    patience: Duration,
    action: &'static str,
    subject: &str,
) -> Result<Reply> {
    let late = || Error::new(Code::Timeout, action, subject).because("the server does not answer");
    let mut lines = Vec::new();
    let (mut code, mut size) = (None, 0);
    loop {
        let line = timeout(patience, line(from, action, subject)).await.map_err(|_| late())??;
        size += line.len();
        if size > MOST {
            return Err(Error::new(Code::Storage, action, subject).because("the server's reply does not end"));
        }
        let told = coded(&line);
        match (code, told) {
            (None, Some((number, ends))) => {
                lines.push(undoubled(&line[line.len().min(4)..]));
                if ends {
                    return Ok(Reply { code: number, lines });
                }
                code = Some(number);
            }
            (None, None) => {
                let error = Error::new(Code::Storage, action, subject);
                return Err(error.because("what the server says is no reply of FTP"));
            }
            (Some(number), Some((again, true))) if again == number => {
                lines.push(undoubled(&line[line.len().min(4)..]));
                return Ok(Reply { code: number, lines });
            }
            (Some(_), _) => lines.push(undoubled(&line)),
        }
    }
}

async fn line(from: &mut (impl AsyncBufRead + Unpin), action: &'static str, subject: &str) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    let gone = |why: &dyn std::fmt::Display| Error::new(Code::Offline, action, subject).because(why);
    from.take(MOST as u64).read_until(b'\n', &mut line).await.map_err(|e| gone(&e))?;
    if line.pop() != Some(b'\n') {
        return Err(gone(&"the server closed the connection"));
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(line)
}

/// The code that a line begins with, and whether it may be the last of its reply.
fn coded(line: &[u8]) -> Option<(u16, bool)> {
    let digits = line.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let number = digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'));
    let known = (100..600).contains(&number);
    match line.get(3) {
        None | Some(b' ') => known.then_some((number, true)),
        Some(b'-') => known.then_some((number, false)),
        Some(_) => None,
    }
}

/// Telnet says 0xFF by two of them (RFC 959, section 3.1.1.5.2; RFC 854). One alone is left as it is.
fn undoubled(bytes: &[u8]) -> Vec<u8> {
    let mut single = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        single.push(byte);
        if byte == 0xff && rest.peek() == Some(&0xff) {
            rest.next();
        }
    }
    single
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn parse(bytes: &[u8]) -> Vec<Result<Reply>> {
        let mut from = bytes;
        let mut replies = Vec::new();
        loop {
            let reply = read(&mut from, Duration::from_secs(5), "ask", "the server").await;
            let is_end = reply.is_err();
            replies.push(reply);
            if is_end {
                return replies;
            }
        }
    }

    #[tokio::test]
    async fn a_reply_ends_with_its_own_code_and_nothing_else() {
        let text = b"220-Welcome\r\n100 users online\r\n220-more\r\n 220 indented\r\n226 not the end\r\n220 ready\r\n\
                     250 done\r\n213\r\n";
        let replies = parse(text).await;
        let first = replies[0].as_ref().unwrap();
        assert_eq!((first.code, first.lines.len()), (220, 6));
        assert_eq!(first.text(), b"ready");
        assert_eq!(replies[1].as_ref().unwrap().code, 250);
        assert_eq!(replies[2].as_ref().unwrap().code, 213);
        assert_eq!(replies[3].as_ref().unwrap_err().code(), Code::Offline);
    }

    #[tokio::test]
    async fn half_a_reply_is_none() {
        for cut in [&b"250 do"[..], b"250 done", b"250-a\r\n250 b", b"250-a\r\n", b""] {
            assert_eq!(parse(cut).await[0].as_ref().unwrap_err().code(), Code::Offline, "{cut:?}");
        }
        for bad in [&b"SSH-2.0-x\r\n"[..], b"\r\n", b"99 x\r\n", b"999 x\r\n", b"2500 x\r\n"] {
            assert_eq!(parse(bad).await[0].as_ref().unwrap_err().code(), Code::Storage, "{bad:?}");
        }
        let endless = vec![b'a'; MOST + 10];
        assert!(parse(&[&b"250-"[..], &endless, b"\r\n250 x\r\n"].concat()).await[0].is_err());
    }

    #[tokio::test]
    async fn doubled_bytes_of_telnet_are_one() {
        let reply = parse(b"257 \"/a\xff\xffb\xffc\"\r\n").await.remove(0).unwrap();
        assert_eq!(reply.text(), b"\"/a\xffb\xffc\"");
    }

    #[test]
    fn refusals_have_their_codes() {
        for (reply, code) in [
            (421, Code::Offline),
            (425, Code::Offline),
            (430, Code::Auth),
            (450, Code::Busy),
            (452, Code::Quota),
            (500, Code::Unsupported),
            (522, Code::Unsupported),
            (530, Code::Auth),
            (532, Code::Permission),
            (534, Code::Invalid),
            (550, Code::Permission),
            (551, Code::Storage),
            (552, Code::Quota),
            (553, Code::Invalid),
            (599, Code::Storage),
        ] {
            assert_eq!(code_of(reply), code, "{reply}");
        }
        let reply = Reply { code: 552, lines: vec![b"disk \x1b[2J full".to_vec()] };
        let text = reply.error("write", "a").to_string();
        assert!(text.contains("552 disk") && !text.contains('\x1b'), "{text}");
    }
}
