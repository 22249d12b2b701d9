//! What each command does: opens the book, asks the engine, shows the answer.

use portbook::{Code, Error, Result};

use crate::args::{Args, Command};
use crate::book_path;
use crate::cancel::Cancel;
use crate::place::Place;

/// Runs the command; the exit status when no error stopped it.
///
/// # Errors
/// Whatever stopped the command. Its code says the exit status.
pub(crate) fn run(args: &Args, _cancel: &Cancel) -> Result<u8> {
    let (src, dst) = match &args.command {
        Command::Preview(plan) => (&plan.src, &plan.dst),
        Command::Sync(sync) => (&sync.plan.src, &sync.plan.dst),
        Command::Verify(verify) => (&verify.src, &verify.dst),
        Command::History(_) => return Err(not_built()),
    };
    let _places = (Place::parse(src)?.into_local()?, Place::parse(dst)?.into_local()?);
    let _book = book_path::locate(args.book.as_deref())?;
    Err(not_built())
}

fn not_built() -> Error {
    Error::new(Code::Unsupported, "run the command", "").because("this build has no engine yet")
}
