//! Names the shared library as programs are to find it: by its ABI.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let system = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    match system.as_str() {
        // The number is `PORTBOOK_ABI_VERSION`.
        "linux" | "android" | "freebsd" => println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libportbook.so.0"),
        "macos" => println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libportbook.0.dylib"),
        _ => {}
    }
}
