//! The one object of `--json`.

use std::io::{self, Write};

use serde::Serialize;

use super::{ChangeLine, Counts};

/// Writes the counts of a run and a newline.
pub(crate) fn write_counts(out: &mut impl Write, counts: &Counts) -> io::Result<()> {
    serde_json::to_writer(&mut *out, counts)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Line<'a> {
    path: &'a str,
    kind: &'static str,
    action: &'a str,
    bytes: u64,
}

/// Writes the counts of a preview, its id, the guards (name and reason) that stop it and its changes, which are taken one at a time: a preview may be larger than
/// memory. When a change cannot be had, the object stays unfinished, so that no reader takes it for the whole.
pub(crate) fn write_preview(
    out: &mut impl Write,
    counts: &Counts,
    id: &str,
    guards: &[(&str, &str)],
    changes: impl IntoIterator<Item = io::Result<ChangeLine>>,
) -> io::Result<()> {
    let counts = serde_json::to_string(counts).map_err(io::Error::from)?;
    let fields = counts.trim_end_matches('}');
    let id = serde_json::to_string(id).map_err(io::Error::from)?;
    let guards = guards.iter().map(|(name, reason)| serde_json::json!({ "name": name, "reason": reason }));
    // Said only where there are any: without, the object is that of the contract to the letter.
    let guards = match guards.len() {
        0 => String::new(),
        _ => format!("\"guards\":{},", serde_json::Value::from_iter(guards)),
    };
    write!(out, "{fields},\"id\":{id},{guards}\"changes\":[")?;
    for (i, change) in changes.into_iter().enumerate() {
        let ChangeLine { path, kind, action, bytes } = &change?;
        if i > 0 {
            out.write_all(b",")?;
        }
        let line = Line { path, kind: kind.as_str(), action, bytes: *bytes };
        serde_json::to_writer(&mut *out, &line).map_err(io::Error::from)?;
    }
    out.write_all(b"]}\n")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use portbook::delta::ChangeKind;

    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("JSON is text")
    }

    #[test]
    fn counts_have_the_names_and_the_order_of_the_contract() {
        let counts = Counts { generation: 1, elapsed_ms: 1, ..Counts::default() };
        assert_eq!(
            text(|out| write_counts(out, &counts).expect("written")),
            "{\"new\":0,\"updated\":0,\"deleted\":0,\"moved\":0,\"conflicts\":0,\"unchanged\":0,\"skipped\":0,\
             \"failed\":0,\"bytes\":0,\"generation\":1,\"elapsed_ms\":1}\n"
        );
    }

    #[test]
    fn a_preview_adds_its_id_and_its_changes() {
        let line = |path: &str| ChangeLine {
            path: path.into(),
            kind: ChangeKind::New,
            action: "copy to destination".into(),
            bytes: 5,
        };
        for paths in [&[][..], &["a"], &["a\"b", "ü"]] {
            let changes = paths.iter().map(|path| Ok::<_, io::Error>(line(path)));
            let json = text(|out| {
                write_preview(out, &Counts::default(), "p-1", &[("max_delete", "too many")], changes).expect("written")
            });
            let value: serde_json::Value = serde_json::from_str(&json).expect("one object");
            assert_eq!(value["id"], "p-1");
            assert_eq!(value["guards"], serde_json::json!([{ "name": "max_delete", "reason": "too many" }]));
            assert_eq!(value["new"], 0);
            let seen = value["changes"].as_array().expect("a list");
            assert_eq!(seen.iter().map(|c| c["path"].as_str().expect("text")).collect::<Vec<_>>(), *paths);
            assert!(seen.iter().all(|c| c["kind"] == "new" && c["bytes"] == 5 && c["action"] == "copy to destination"));
        }
    }

    #[test]
    fn an_interrupted_preview_is_no_object() {
        let changes = [Err::<ChangeLine, _>(io::Error::other("the book is gone"))];
        let mut out = Vec::new();
        assert!(write_preview(&mut out, &Counts::default(), "p-1", &[("max_delete", "too many")], changes).is_err());
        assert!(serde_json::from_slice::<serde_json::Value>(&out).is_err());
    }
}
