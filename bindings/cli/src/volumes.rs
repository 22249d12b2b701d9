//! Saved volumes: `portbook volume add|list|remove`.

use std::ffi::OsStr;
use std::io::{self, Write as _};

use portbook::{Code, Error, Result, Session};

use crate::access;
use crate::args::{Args, Volume};
use crate::commands::print_failed;
use crate::place::Place;

/// Does what the words say; the exit status.
///
/// # Errors
/// `invalid` for what cannot be saved, `conflict` for a name that is taken, `not_found` for one that is not, `wrong_key`.
pub(crate) fn run(args: &Args, session: &Session, command: &Volume) -> Result<u8> {
    match command {
        Volume::Add { name, place } => add(session, name, place),
        Volume::List => list(args, session),
        Volume::Remove { name } => portbook::wait(session.remove_volume(name.as_str())),
    }
    .map(|()| 0)
}

fn add(session: &Session, name: &str, place: &OsStr) -> Result<()> {
    match Place::parse(place)? {
        Place::Local(path) => portbook::wait(session.save_directory(name, path)).map(|_| ()),
        Place::Remote(address) => {
            let mut access = access::from_variables(&address, &|name| std::env::var_os(name))?;
            access::ask(&address, &mut access)?;
            portbook::wait(session.save_volume(name, address, access)).map(|_| ())
        }
        Place::Saved { name, .. } => Err(Error::new(Code::Invalid, "save the volume", name.escape_debug())
            .because("a volume is a URL or a directory, not another volume")),
        Place::Table(url) => {
            Err(Error::new(Code::Invalid, "save the volume", url).because("it is a table, and a volume holds files"))
        }
        Place::Other { scheme } => Err(Error::new(Code::Unsupported, "save the volume", scheme)
            .because("this version saves folders and storage services only")),
    }
}

fn list(args: &Args, session: &Session) -> Result<()> {
    let volumes = portbook::wait(session.volumes())?;
    let mut out = io::stdout().lock();
    if args.json {
        let volumes: Vec<_> = volumes
            .iter()
            .map(|v| serde_json::json!({ "name": v.name, "driver": v.driver, "place": v.place, "active": v.is_active }))
            .collect();
        return writeln!(out, "{}", serde_json::json!({ "volumes": volumes })).map_err(print_failed);
    }
    for volume in volumes {
        let state = if volume.is_active { "" } else { "  (not active)" };
        writeln!(out, "{}:  {}{state}", volume.name, volume.place).map_err(print_failed)?;
    }
    Ok(())
}
