//! The border as Kotlin and Swift load it. Their sources are generated from this library by `uniffi-bindgen`.

portbook_ffi::uniffi_reexport_scaffolding!();
