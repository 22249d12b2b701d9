//! Writes the sources of Kotlin and Swift: uniffi's generator, of the version that the library is built with.
//!
//! `uniffi-bindgen LIBRARY OUTPUT`, within the workspace. What is generated lies in `OUTPUT/kotlin` and `OUTPUT/swift`.

mod mend;

use std::error::Error;
use std::fs;
use std::path::Path;

use uniffi::{GenerateOptions, TargetLanguage};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [library, output] = &arguments[..] else { return Err("usage: uniffi-bindgen LIBRARY OUTPUT".into()) };
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../uniffi.toml");
    for (language, into) in [(TargetLanguage::Kotlin, "kotlin"), (TargetLanguage::Swift, "swift")] {
        let into = Path::new(output).join(into);
        fs::create_dir_all(&into)?;
        uniffi::generate(GenerateOptions {
            languages: vec![language],
            source: library.into(),
            out_dir: into.to_string_lossy().into_owned().into(),
            config_override: Some(config.into()),
            crate_filter: Some("portbook_ffi".to_owned()),
            metadata_no_deps: true,
            // Formatters differ from machine to machine.
            format: false,
        })?;
    }
    for (path, mended) in [
        ("kotlin/dev/portbook/portbook_ffi.kt", mend::kotlin as fn(String) -> Result<String, String>),
        ("swift/Portbook.swift", mend::swift),
    ] {
        let path = Path::new(output).join(path);
        fs::write(&path, mended(fs::read_to_string(&path)?)?)?;
    }
    Ok(())
}
