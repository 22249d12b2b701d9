//! `portbook`: a person's and a script's way to the engine. A host application like any other: it uses the public API
//! of the crate `portbook` and nothing else.

mod access;
mod args;
mod book_path;
mod cancel;
mod commands;
mod conflicts;
mod key;
mod place;
mod render;
mod rows;
mod subject;
mod volumes;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = args::Args::parse();
    let status = match cancel::Cancel::on_signal().and_then(|cancel| commands::run(&args, &cancel)) {
        Ok(status) => status,
        Err(error) => {
            render::complain_of(&error);
            error.code().exit_status()
        }
    };
    ExitCode::from(status)
}
