//! Answers in XML, as a small tree. Nothing but elements and text is taken: a document with a DTD, one that ends early and
//! one that nests without end are refused.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

/// Deeper than any answer of the protocol.
const DEPTH: usize = 16;

/// An element with its text and the elements in it. Names are without their namespace.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// The text of the first child of this name.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.all(name).next().map(|child| child.text.as_str())
    }

    /// The children of this name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// Whether the child of this name says `true`.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.text_of(name).is_some_and(|text| text.trim().eq_ignore_ascii_case("true"))
    }
}

/// The document's one element, or what is wrong with it.
pub(crate) fn parse(body: &[u8]) -> Result<Element, String> {
    let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8".to_owned())?;
    // Servers keep a connection alive by blanks before the document.
    let mut reader = Reader::from_str(text.trim_start().trim_start_matches('\u{feff}'));
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        match reader.read_event().map_err(|e| e.to_string())? {
            Event::Start(start) => {
                if open.len() == DEPTH || (open.is_empty() && root.is_some()) {
                    return Err("it nests too deep, or has two roots".into());
                }
                open.push(Element { name: local(start.local_name().as_ref()), ..Element::default() });
            }
            Event::Empty(empty) => {
                let element = Element { name: local(empty.local_name().as_ref()), ..Element::default() };
                close(element, &mut open, &mut root)?;
            }
            Event::End(_) => {
                let element = open.pop().ok_or("it closes what was not opened")?;
                close(element, &mut open, &mut root)?;
            }
            Event::Text(text) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&text);
                }
            }
            Event::CData(text) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&text);
                }
            }
            Event::GeneralRef(reference) => {
                let meant = resolve(&reference)?;
                if let Some(element) = open.last_mut() {
                    element.text.push(meant);
                }
            }
            Event::DocType(_) => return Err("it has a DTD".into()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof if open.is_empty() => return root.ok_or_else(|| "it is empty".into()),
            Event::Eof => return Err("it ends early".into()),
        }
    }
}

fn local(name: impl AsRef<[u8]>) -> String {
    String::from_utf8_lossy(name.as_ref()).into_owned()
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) -> Result<(), String> {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None if root.is_none() => *root = Some(element),
        None => return Err("it has two roots".into()),
    }
    Ok(())
}

fn resolve(reference: &BytesRef<'_>) -> Result<char, String> {
    if let Some(meant) = reference.resolve_char_ref().map_err(|e| e.to_string())? {
        return Ok(meant);
    }
    match &**reference {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        other => Err(format!("it refers to {}", other.escape_debug())),
    }
}

/// Text as it stands in a document.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push_str(&format!("&#{};", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_taken_as_it_stands() {
        let root =
            parse(b"\n <?xml version=\"1.0\"?><s3:A xmlns:s3='x'><K> a&amp;b&#10;<![CDATA[<c>]]> </K><E/></s3:A>")
                .unwrap();
        assert_eq!((root.name.as_str(), root.text_of("K"), root.text_of("E")), ("A", Some(" a&b\n<c> "), Some("")));
        assert_eq!(root.text_of("Z"), None);
    }

    #[test]
    fn hostile_documents_are_refused() {
        let deep = format!("{}{}", "<a>".repeat(100), "</a>".repeat(100));
        for bad in [
            "",
            "<a><b></b>",
            "<a></b>",
            "</a>",
            "<a></a><b></b>",
            "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>",
            "<a>&e;</a>",
            "<a>&#xFFFFFFFF;</a>",
            "just words",
            &deep,
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(b"<a>\xff</a>").is_err());
    }

    #[test]
    fn what_is_escaped_comes_back() {
        let odd = "a<b>&\"c\"\n\r\u{1b} ü";
        assert_eq!(parse(format!("<a>{}</a>", escape(odd)).as_bytes()).unwrap().text, odd);
    }
}
