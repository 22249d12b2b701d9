//! Every code of the core is known in every language, by the same text.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::path::Path;

use portbook::Code;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

/// `not_found` as `NotFound`.
fn pascal(text: &str) -> String {
    let upper = |word: &str| format!("{}{}", word[..1].to_uppercase(), &word[1..]);
    text.split('_').map(upper).collect()
}

#[test]
fn every_code_is_known_in_every_language() {
    let header = read("include/portbook.h");
    let python = read("bindings/python/python/portbook/errors.py");
    let node = read("bindings/node/index.d.ts");
    let kotlin = read("bindings/kotlin/src/main/kotlin/dev/portbook/portbook_ffi.kt");
    let swift = read("bindings/swift/Sources/Portbook/Portbook.swift");
    let node_codes = node.lines().find(|line| line.contains("type ErrorCode =")).unwrap_or_default();
    for code in Code::ALL {
        let (text, number) = (code.as_str(), *code as i64);
        let (upper, variant) = (text.to_uppercase(), pascal(text));
        assert!(header.contains(&format!("PORTBOOK_{upper} = {number},")), "C: {text}");
        assert!(python.contains(&format!("code = \"{text}\"")), "Python: {text}");
        assert!(node_codes.contains(&format!("'{text}'")), "Node: {text}");
        assert!(
            kotlin.contains(&format!("class {variant}(message: String) : PortbookException(message)")),
            "Kotlin: {text}"
        );
        assert!(swift.contains(&format!("case {variant}(message: String)")), "Swift: {text}");
    }
}

#[test]
fn the_tables_of_the_bindings_have_every_code() {
    for binding in ["node", "kotlin", "swift"] {
        let readme = read(&format!("bindings/{binding}/README.md"));
        for code in Code::ALL {
            let retryable = if code.is_retryable() { "yes " } else { " " };
            let row = format!("| `{}` | {retryable}| ", code.as_str());
            assert!(readme.contains(&row), "{binding}: {row}");
        }
    }
}
