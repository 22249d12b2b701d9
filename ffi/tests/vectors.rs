//! The pure calls answer what an implementation beside ours says (`tests/vectors/pure.json`), as in every language.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use portbook_ffi::records::ErrorCode;
use portbook_ffi::{Result, content_hash, path_bytes, show_address, show_path};
use serde_json::Value;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn is_invalid<T>(answer: Result<T>) -> bool {
    answer.is_err_and(|error| error.code() == ErrorCode::Invalid)
}

#[test]
fn the_vectors_hold() {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("../../tests/vectors/pure.json")).unwrap();
    assert!(vectors.len() > 70, "{}", vectors.len());
    for vector in vectors {
        let text = |field: &str| vector[field].as_str().unwrap().to_owned();
        let holds = match text("of").as_str() {
            "content" => {
                let length = vector["length"].as_u64().unwrap();
                content_hash((0..length).map(|n| (n % 251) as u8).collect()) == text("hash")
            }
            "path" => {
                let (path, shown) = (bytes(&text("hex")), text("shown"));
                show_path(path.clone()) == Ok(shown.clone()) && path_bytes(shown) == Ok(path)
            }
            "no path" => is_invalid(show_path(bytes(&text("hex")))),
            "not shown" => is_invalid(path_bytes(text("shown"))),
            "address" => {
                let shown = text("shown");
                show_address(text("written")) == Ok(shown.clone()) && show_address(shown.clone()) == Ok(shown)
            }
            "no address" => is_invalid(show_address(text("written"))),
            of => panic!("{of}"),
        };
        assert!(holds, "{vector}");
    }
}
