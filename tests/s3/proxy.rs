//! A server between the provider and another one, or none: it sees every request, and may answer, change or lose it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use portbook::provider::s3::S3Options;

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }

    pub fn is(&self, method: &str, part: &str) -> bool {
        self.method == method && self.target.contains(part)
    }
}

/// What becomes of a request.
pub enum Act {
    Forward,
    /// The server acts on it, and its answer is lost.
    Lose,
    Answer(Vec<u8>),
    /// The server acts on it, and its answer is made another.
    Change(fn(Vec<u8>) -> Vec<u8>),
    /// The connection ends.
    HangUp,
}

type Rule = Box<dyn FnMut(&Asked) -> Act + Send>;

/// Runs until the test ends.
pub struct Proxy {
    pub address: String,
    seen: Arc<Mutex<Vec<Asked>>>,
}

impl Proxy {
    pub fn start(upstream: Option<String>, rule: impl FnMut(&Asked) -> Act + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let rule: Arc<Mutex<Rule>> = Arc::new(Mutex::new(Box::new(rule)));
        let kept = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, rule, upstream) = (Arc::clone(&kept), Arc::clone(&rule), upstream.clone());
                // A client that goes away in the middle is what some tests are about.
                std::thread::spawn(move || stream.and_then(|s| serve(s, &seen, &rule, upstream.as_deref())));
            }
        });
        Self { address, seen }
    }

    /// A server that answers by itself.
    pub fn alone(mut answer: impl FnMut(&Asked) -> Vec<u8> + Send + 'static) -> Self {
        Self::start(None, move |asked| Act::Answer(answer(asked)))
    }

    pub fn options(&self) -> S3Options {
        S3Options::new(format!("http://{}", self.address), "bucket", "key", "secret-key")
    }

    pub fn seen(&self) -> Vec<Asked> {
        self.seen.lock().unwrap().clone()
    }

    pub fn count(&self, method: &str, part: &str) -> usize {
        self.seen().iter().filter(|asked| asked.is(method, part)).count()
    }
}

fn serve(
    stream: TcpStream,
    seen: &Mutex<Vec<Asked>>,
    rule: &Mutex<Rule>,
    upstream: Option<&str>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(()) };
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut asked = Asked { method, target, headers, body: Vec::new() };
    asked.body = vec![0; asked.header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut asked.body)?;
    seen.lock().unwrap().push(asked.clone());
    let act = (rule.lock().unwrap())(&asked);
    match act {
        Act::HangUp => Ok(()),
        Act::Answer(answer) => stream.write_all(&answer),
        Act::Forward => stream.write_all(&forward(&asked, upstream.unwrap())?),
        Act::Change(change) => stream.write_all(&change(forward(&asked, upstream.unwrap())?)),
        Act::Lose => forward(&asked, upstream.unwrap()).map(drop),
    }
}

fn forward(asked: &Asked, upstream: &str) -> std::io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(upstream)?;
    let mut head = format!("{} {} HTTP/1.1\r\n", asked.method, asked.target);
    for (name, value) in asked.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("connection")) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    server.write_all(&[head.as_bytes(), b"Connection: close\r\n\r\n", &asked.body].concat())?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    Ok(answer)
}

/// An answer.
pub fn answer(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length") || *name == "Transfer-Encoding") {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// A failure as servers describe it.
pub fn failure(status: &str, code: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    answer(status, headers, format!("<Error><Code>{code}</Code><Message>told</Message></Error>").as_bytes())
}

/// A page of a listing.
pub fn page(keys: &[&str], more: &str) -> Vec<u8> {
    let keys: String = keys
        .iter()
        .map(|key| format!("<Contents><Key>{key}</Key><ETag>\"e\"</ETag><Size>1</Size></Contents>"))
        .collect();
    answer("200 OK", &[], format!("<ListBucketResult>{keys}{more}</ListBucketResult>").as_bytes())
}
