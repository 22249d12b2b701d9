//! What kind of file it is: by its content where that says so, else by its name. Pure.

/// How many bytes from the beginning are looked at: what the signatures need.
pub(crate) const HEAD_BYTES: usize = 8192;

/// The most characters of a MIME type in the book.
const MOST_CHARS: usize = 100;

/// The MIME type of a file that begins like this; none where neither content nor name tells.
pub(crate) fn mime_type(head: &[u8], filename: &str) -> Option<String> {
    let named = mime_guess::from_path(filename).first().map(|mime| mime.essence_str().to_owned());
    let found = infer::get(head).map(|kind| kind.mime_type().to_owned());
    let chosen = match (found, named) {
        // Many formats are an archive or a compound document inside; then only the name tells which.
        (Some(found), Some(named)) if is_container(&found) && named.starts_with("application/") => Some(named),
        (Some(found), _) => Some(found),
        (None, named) => named,
    };
    chosen.filter(|mime| mime.chars().count() <= MOST_CHARS)
}

fn is_container(mime: &str) -> bool {
    matches!(mime, "application/zip" | "application/x-ole-storage")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_believed_before_the_name() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
        let zip = b"PK\x03\x04\x14\0\0\0\0\0";
        let cases: [(&[u8], &str, Option<&str>); 9] = [
            (png, "holiday.txt", Some("image/png")),
            (png, "page.html", Some("image/png")),
            (b"plain words", "notes.TXT", Some("text/plain")),
            (b"plain words", "notes", None),
            (b"", "empty.json", Some("application/json")),
            (zip, "book.epub", Some("application/epub+zip")),
            (zip, "page.html", Some("application/zip")),
            (zip, "things", Some("application/zip")),
            (b"%PDF-1.7", "a.exe", Some("application/pdf")),
        ];
        for (head, name, expected) in cases {
            assert_eq!(mime_type(head, name).as_deref(), expected, "{name}");
        }
    }
}
