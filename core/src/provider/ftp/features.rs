//! What a server can do, decided once.

use super::native::Hashing;
use super::reply::Reply;

/// What the server's `FEAT` (RFC 2389) and `SYST` say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Features {
    /// `MLST` and `MLSD` (RFC 3659); without them `LIST` is read.
    pub(super) mlst: bool,
    /// Facts have to be chosen, as not all that are needed are given of themselves.
    pub(super) choose_facts: bool,
    /// `MFMT` sets the modified time.
    pub(super) mfmt: bool,
    /// `MDTM` tells it.
    pub(super) mdtm: bool,
    /// `REST` goes on in streams.
    pub(super) rest: bool,
    /// Names are UTF-8 (RFC 2640).
    pub(super) utf8: bool,
    /// It runs on Windows.
    pub(super) windows: bool,
    /// How it says the hash of a file.
    pub(super) hashing: Option<Hashing>,
    /// `LIST -a` shows hidden items too.
    pub(super) list_all: bool,
}

const WANTED: [&str; 3] = ["type", "size", "modify"];

impl Features {
    /// Without a list the old commands are tried.
    pub(super) fn parse(feat: Option<&Reply>, syst: Option<&Reply>) -> Self {
        let mut features = Self::default();
        let windows = |reply: &Reply| contains(&reply.text().to_ascii_lowercase(), b"windows");
        features.windows = syst.is_some_and(windows);
        let Some(feat) = feat.filter(|reply| reply.code == 211) else {
            features.mdtm = true;
            return features;
        };
        for line in &feat.lines {
            let line = String::from_utf8_lossy(line).trim().to_ascii_uppercase();
            let (name, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match name {
                "MLST" => {
                    features.mlst = true;
                    features.choose_facts = !rest.is_empty() && !gives_wanted(rest);
                }
                "MFMT" => features.mfmt = true,
                "MDTM" => features.mdtm = true,
                "UTF8" => features.utf8 = true,
                "REST" => features.rest = rest.split_whitespace().any(|word| word == "STREAM"),
                _ => features.hashing = Hashing::parse(name, rest, features.hashing),
            }
        }
        features
    }
}

/// Facts that are given of themselves have a `*` (RFC 3659, section 7.8).
fn gives_wanted(facts: &str) -> bool {
    let given: Vec<String> =
        facts.split(';').filter_map(|fact| fact.trim().strip_suffix('*')).map(str::to_ascii_lowercase).collect();
    WANTED.iter().all(|wanted| given.iter().any(|fact| fact == wanted))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(code: u16, lines: &[&str]) -> Reply {
        Reply { code, lines: lines.iter().map(|line| line.as_bytes().to_vec()).collect() }
    }

    #[test]
    fn servers_say_what_they_can() {
        let proftpd = reply(
            211,
            &[
                "Features:",
                " MDTM",
                " MFMT",
                " MLST modify*;perm*;size*;type*;unique*;UNIX.group*;",
                " REST STREAM",
                " SIZE",
                " UTF8",
                "End",
            ],
        );
        let unix = reply(215, &["UNIX Type: L8"]);
        let features = Features::parse(Some(&proftpd), Some(&unix));
        assert!(features.mlst && features.mfmt && features.mdtm && features.rest && features.utf8);
        assert!(!features.choose_facts && !features.windows);
        let vsftpd = reply(211, &["Features:", " EPRT", " MDTM", " REST STREAM", " SIZE", "End"]);
        let features = Features::parse(Some(&vsftpd), None);
        assert!(!features.mlst && !features.mfmt && features.mdtm && features.rest && !features.utf8);
        let rclone = reply(211, &["Features", "utf8", " MLST Type;Modify;Size", " REST", "end"]);
        let features = Features::parse(Some(&rclone), Some(&reply(215, &["Windows_NT"])));
        assert!(features.mlst && features.choose_facts && features.utf8 && !features.rest && features.windows);
    }

    #[test]
    fn a_server_without_a_list_is_an_old_one() {
        for old in [None, Some(reply(500, &["what?"]))] {
            let features = Features::parse(old.as_ref(), None);
            assert_eq!(features, Features { mdtm: true, ..Features::default() });
        }
    }
}
