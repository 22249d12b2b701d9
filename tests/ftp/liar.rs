//! A server that speaks FTP and lies in one way.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use md5::Digest as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What it does otherwise than a good server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    None,
    /// Half of a file, then both connections end.
    DropsDownloads,
    /// Half of a file, then it says that it was all.
    CutsDownloads,
    /// All of a file and no word after it.
    NeverConfirms,
    /// More bytes than the size says.
    SendsMore,
    /// A file is shown with a byte less than it was sent.
    Shrinks,
    /// No space is left after some bytes.
    IsFull,
    /// A listing ends within a line, and is confirmed.
    CutsLines,
    /// A listing ends within a line, and is broken off.
    BreaksListings,
    /// A listing comes whole and is never confirmed.
    ForgetsListings,
    /// The first listing is empty, and is confirmed.
    EmptiesListings,
    /// A listing with names that nobody can hold.
    NamesNothing,
    /// Directories cannot be listed, items cannot be looked at.
    Denies,
    /// Items cannot be looked at and are listed.
    Hides,
    /// The first connections are too many.
    IsBusy(u32),
    /// No EPSV, and an address in PASV that is not its own.
    Sends(&'static str),
    /// Replies with lines that look like others.
    Babbles,
    /// It renames and ends the connection without a word.
    DiesRenaming,
    /// It makes a directory and ends the connection without a word.
    DiesMaking,
    /// It takes an upload whole and says nothing after it.
    DiesStoring,
    /// `REST` begins the file anew with zeros.
    RestartsWithZeros,
    /// It can do this too, and says hashes by MD5.
    Can(&'static str),
    /// No `MFMT`; whether `MDTM` sets a time.
    SetsByMdtm(bool),
    /// These lines are all that a directory shows.
    Lists(&'static str),
    /// This line is shown beside what is there.
    Adds(&'static str),
    /// It says hashes or sums in this way, and another byte is stored than was sent.
    DamagesUploads(&'static str),
    /// It renames nothing to where it was told.
    RefusesNames,
}

pub(crate) struct Liar {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    lie: Mutex<Lie>,
    /// It lies about paths with these words alone.
    about: Mutex<&'static str>,
    /// Directories hold nothing themselves.
    items: Mutex<BTreeMap<String, Option<Vec<u8>>>>,
    connections: AtomicU32,
    commands: Mutex<Vec<String>>,
}

impl Shared {
    fn lie(&self) -> Lie {
        *self.lie.lock().unwrap()
    }

    fn lie_about(&self, path: &str) -> Lie {
        if path.contains(*self.about.lock().unwrap()) { self.lie() } else { Lie::None }
    }
}

impl Liar {
    pub(crate) async fn start(lie: Lie) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            lie: Mutex::new(lie),
            about: Mutex::new(""),
            items: Mutex::new(BTreeMap::from([("/".to_owned(), None)])),
            connections: AtomicU32::new(0),
            commands: Mutex::default(),
        });
        let served = shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = served.clone();
                // A connection that ends early is what this is for.
                tokio::spawn(async move { drop(serve(stream, shared).await) });
            }
        });
        Self { port, shared }
    }

    /// From now on it lies like this, about paths with these words.
    pub(crate) fn lies(&self, lie: Lie, about: &'static str) {
        *self.shared.about.lock().unwrap() = about;
        *self.shared.lie.lock().unwrap() = lie;
    }

    /// Everything that is there.
    pub(crate) fn items(&self) -> BTreeMap<String, Option<Vec<u8>>> {
        self.shared.items.lock().unwrap().clone()
    }

    pub(crate) fn put(&self, path: &str, content: &[u8]) {
        self.shared.items.lock().unwrap().insert(path.into(), Some(content.to_vec()));
    }

    pub(crate) fn content(&self, path: &str) -> Option<Vec<u8>> {
        self.shared.items.lock().unwrap().get(path).cloned().flatten()
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.shared.items.lock().unwrap().contains_key(path)
    }

    /// How often a command was given, by its verb.
    pub(crate) fn count(&self, verb: &str) -> usize {
        self.shared.commands.lock().unwrap().iter().filter(|line| line.starts_with(verb)).count()
    }
}

/// The connection ends here.
struct Gone;

impl From<std::io::Error> for Gone {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

struct Session {
    control: BufReader<TcpStream>,
    shared: Arc<Shared>,
    passive: Option<TcpListener>,
    offset: usize,
    from: String,
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) -> Result<(), Gone> {
    let mut session =
        Session { control: BufReader::new(stream), shared, passive: None, offset: 0, from: String::new() };
    let number = session.shared.connections.fetch_add(1, Ordering::SeqCst);
    match session.shared.lie() {
        Lie::IsBusy(first) if number < first => {
            session.say("421 too many connections").await?;
            return Ok(());
        }
        Lie::Babbles => session.say("220-Welcome\r\n100 users\r\n230 you are in\r\n220-more\r\n220 ready").await?,
        _ => session.say("220 ready").await?,
    }
    loop {
        let mut line = String::new();
        if session.control.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end().to_owned();
        session.shared.commands.lock().unwrap().push(line.clone());
        let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
        session.command(verb, argument).await?;
    }
}

impl Session {
    async fn say(&mut self, text: &str) -> Result<(), Gone> {
        Ok(self.control.get_mut().write_all(format!("{text}\r\n").as_bytes()).await?)
    }

    async fn command(&mut self, verb: &str, argument: &str) -> Result<(), Gone> {
        let lie = self.shared.lie();
        match verb {
            "USER" => self.say("331 password?").await,
            "PASS" if argument == "password" => self.say("230 in").await,
            "PASS" => self.say("530 Login incorrect.").await,
            "FEAT" => {
                let more = match lie {
                    Lie::Can(what) | Lie::DamagesUploads(what) => format!(" MFMT\r\n {what}"),
                    Lie::SetsByMdtm(_) => " MDTM".to_owned(),
                    _ => " MFMT".to_owned(),
                };
                self.say(&format!(
                    "211-Features\r\n MLST type*;size*;modify*;\r\n{more}\r\n REST STREAM\r\n UTF8\r\n211 End"
                ))
                .await
            }
            "MDTM" if lie == Lie::SetsByMdtm(false) => self.say("550 no such file").await,
            "MDTM" => self.say("213 20240102030405").await,
            "HASH" | "XMD5" | "XCRC" => self.hash(verb, argument).await,
            "SYST" => self.say("215 UNIX Type: L8").await,
            "PWD" => self.say("257 \"/\"").await,
            "EPSV" if matches!(lie, Lie::Sends(_)) => self.say("500 what?").await,
            "EPSV" | "PASV" => self.listen(verb).await,
            "REST" => {
                self.offset = argument.parse().unwrap();
                self.say("350 go on").await
            }
            "MLST" => self.look(argument).await,
            "MLSD" => self.list(argument).await,
            "RETR" => self.send(argument).await,
            "STOR" => self.receive(argument).await,
            "MKD" | "DELE" | "RNFR" | "RNTO" => self.change(verb, argument).await,
            "MFMT" => self.say("213 ok").await,
            _ => self.say("200 ok").await,
        }
    }

    async fn hash(&mut self, verb: &str, path: &str) -> Result<(), Gone> {
        // Other commands than `HASH` take a name of several words in quotes.
        let path = if verb == "HASH" || !path.contains(' ') { path } else { path.trim_matches('"') };
        let Some(Some(content)) = self.item(path) else { return self.say("550 no").await };
        let digits: String = md5::Md5::digest(&content).iter().map(|b| format!("{b:02X}")).collect();
        match verb {
            "HASH" => self.say(&format!("213 MD5 0-{} {digits} {path}", content.len())).await,
            "XCRC" => self.say(&format!("250 {:X}", crc32fast::hash(&content))).await,
            _ => self.say(&format!("250 {digits}")).await,
        }
    }

    async fn listen(&mut self, verb: &str) -> Result<(), Gone> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        self.passive = Some(listener);
        let address = if let Lie::Sends(address) = self.shared.lie() { address } else { "127,0,0,1" };
        match verb {
            "EPSV" => self.say(&format!("229 Entering (|||{port}|)")).await,
            _ => self.say(&format!("227 Entering ({address},{},{})", port / 256, port % 256)).await,
        }
    }

    async fn data(&mut self) -> Result<TcpStream, Gone> {
        let listener = self.passive.take().ok_or(Gone)?;
        self.say("150 here it comes").await?;
        Ok(listener.accept().await?.0)
    }

    fn item(&self, path: &str) -> Option<Option<Vec<u8>>> {
        self.shared.items.lock().unwrap().get(path).cloned()
    }

    fn facts(&self, path: &str, item: &Option<Vec<u8>>) -> String {
        let less = usize::from(self.shared.lie_about(path) == Lie::Shrinks);
        match item {
            None => "type=dir;modify=20240102030405;".into(),
            Some(content) => format!("type=file;size={};modify=20240102030405;", content.len().saturating_sub(less)),
        }
    }

    async fn look(&mut self, path: &str) -> Result<(), Gone> {
        let lie = self.shared.lie_about(path);
        let denies = matches!(lie, Lie::Denies | Lie::Hides) && path != "/";
        match self.item(path).filter(|_| !denies) {
            None => self.say("550 no").await,
            Some(item) => {
                let facts = self.facts(path, &item);
                let babble = if lie == Lie::Babbles { "226 done\r\n550 no\r\n250-x\r\n" } else { "" };
                self.say(&format!("250-Listing\r\n{babble} {facts} {path}\r\n250 End")).await
            }
        }
    }

    async fn list(&mut self, path: &str) -> Result<(), Gone> {
        let lie = self.shared.lie_about(path);
        if lie == Lie::Denies || self.item(path) != Some(None) {
            return self.say("550 no").await;
        }
        let prefix = if path == "/" { "/".to_owned() } else { format!("{path}/") };
        let mut text = "type=cdir;modify=20240102030405; .\r\n".to_owned();
        let items = self.shared.items.lock().unwrap().clone();
        for (at, item) in items.iter().filter(|(at, _)| at.len() > 1) {
            if let Some(name) = at.strip_prefix(&prefix).filter(|name| !name.contains('/')) {
                text.push_str(&format!("{} {name}\r\n", self.facts(at, item)));
            }
        }
        if lie == Lie::NamesNothing {
            text.push_str("type=dir;modify=20240102030405; ../up\r\ntype=file;size=1; /etc/passwd\r\n");
        }
        match lie {
            Lie::Lists(lines) => text = lines.to_owned(),
            Lie::Adds(line) => text.push_str(line),
            _ => {}
        }
        let cut = matches!(lie, Lie::CutsLines | Lie::BreaksListings);
        let is_first = self.shared.commands.lock().unwrap().iter().filter(|line| line.starts_with("MLSD")).count() == 1;
        let length = match lie {
            Lie::EmptiesListings if is_first => 0,
            _ if cut => text.len() - 4,
            _ => text.len(),
        };
        let mut data = self.data().await?;
        data.write_all(&text.as_bytes()[..length]).await?;
        drop(data);
        match lie {
            Lie::BreaksListings => self.say("426 broken off").await,
            Lie::ForgetsListings => Err(Gone),
            _ => self.say("226 done").await,
        }
    }

    async fn send(&mut self, path: &str) -> Result<(), Gone> {
        let Some(Some(mut content)) = self.item(path) else { return self.say("550 no").await };
        let lie = self.shared.lie_about(path);
        if lie == Lie::SendsMore {
            content.push(b'!');
        }
        let content = content.split_off(std::mem::take(&mut self.offset).min(content.len()));
        let cuts = matches!(lie, Lie::DropsDownloads | Lie::CutsDownloads);
        let length = if cuts { content.len() / 2 } else { content.len() };
        let mut data = self.data().await?;
        data.write_all(&content[..length]).await?;
        drop(data);
        match lie {
            Lie::DropsDownloads | Lie::NeverConfirms => Err(Gone),
            _ => self.say("226 done").await,
        }
    }

    async fn receive(&mut self, path: &str) -> Result<(), Gone> {
        let mut data = self.data().await?;
        let lie = self.shared.lie_about(path);
        if lie == Lie::IsFull {
            let mut some = vec![0; 1000];
            let _ = data.read(&mut some).await?;
            drop(data);
            return self.say("552-no space\r\n552 is left").await;
        }
        let offset = std::mem::take(&mut self.offset);
        let mut content = match self.item(path).flatten() {
            Some(before) if offset > 0 && lie != Lie::RestartsWithZeros => before[..offset].to_vec(),
            _ => vec![0; offset],
        };
        data.read_to_end(&mut content).await?;
        if let (Lie::DamagesUploads(_), Some(byte)) = (lie, content.last_mut()) {
            *byte ^= 1;
        }
        self.shared.items.lock().unwrap().insert(path.into(), Some(content));
        match lie {
            Lie::DiesStoring => Err(Gone),
            _ => self.say("226 done").await,
        }
    }

    async fn change(&mut self, verb: &str, path: &str) -> Result<(), Gone> {
        let lie = self.shared.lie_about(path);
        if verb == "RNTO" && lie == Lie::RefusesNames {
            return self.say("553 no such names here").await;
        }
        let (is_there, from) = (self.item(path).is_some(), self.from.clone());
        if verb == "RNFR" && is_there {
            self.from = path.into();
            return self.say("350 and to?").await;
        }
        let done = {
            let mut items = self.shared.items.lock().unwrap();
            match verb {
                "RNTO" => {
                    let item = items.remove(&from).unwrap();
                    items.insert(path.into(), item);
                    true
                }
                "DELE" => items.remove(path).is_some(),
                "MKD" if !is_there => items.insert(path.into(), None).is_none(),
                _ => false,
            }
        };
        let dies = (verb == "RNTO" && lie == Lie::DiesRenaming) || (verb == "MKD" && lie == Lie::DiesMaking);
        match done {
            true if dies => Err(Gone),
            true => self.say("250 done").await,
            false => self.say("550 no").await,
        }
    }
}
