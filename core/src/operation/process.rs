//! Whether a process that held a lease is still there.
//!
//! A number alone does not tell: it is given again, and processes of two containers may have the same. So a process is
//! named by its number, by when it was started, and by the kernel and the space of numbers that both are of. One that
//! cannot be told of in this way counts as alive.

use crate::identity::ContentHash;

/// This process, in digits and dots; no name where it cannot be told from others.
pub(super) fn own() -> String {
    let number = std::process::id();
    match (space(), started(number)) {
        (Some(space), Some(started)) => format!("{number}.{started}.{space}"),
        (None, _) | (_, None) => number.to_string(),
    }
}

/// Whether the process of this name has definitely ended.
pub(super) fn is_gone(name: &str) -> bool {
    let mut parts = name.split('.');
    let (Some(number), Some(begun), Some(of)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let Ok(number) = number.parse::<u32>() else { return false };
    if space().as_deref() != Some(of) {
        return false;
    }
    match started(number) {
        // The number was given again.
        Some(started) => started != begun,
        // It may only be hidden from this user.
        None => !exists(number),
    }
}

/// The running kernel and its space of process numbers.
fn space() -> Option<String> {
    let kernel = std::fs::read("/proc/sys/kernel/random/boot_id").ok()?;
    let space = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let both = [b"portbook process ", kernel.trim_ascii(), b" ", space.as_os_str().as_encoded_bytes()].concat();
    Some(ContentHash::of(&both).to_string()[..16].to_owned())
}

/// When it was started, in the kernel's ticks: the 22nd field of `/proc/PID/stat` (proc_pid_stat(5)); the second, a name,
/// may hold anything and ends with the last parenthesis.
fn started(number: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    // A process that has ended and that nobody has asked for holds nothing any more.
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.nth(18).map(str::to_owned) }
}

#[cfg(target_os = "linux")]
fn exists(number: u32) -> bool {
    use rustix::io::Errno;
    use rustix::process::{Pid, test_kill_process};
    let Some(pid) = i32::try_from(number).ok().and_then(Pid::from_raw) else { return true };
    let is_ended = std::fs::read_to_string(format!("/proc/{number}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with(['Z', 'X'])));
    !is_ended && test_kill_process(pid) != Err(Errno::SRCH)
}

#[cfg(not(target_os = "linux"))]
fn exists(_: u32) -> bool {
    true
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_gone_when_its_number_is_nobodys_or_anothers() {
        assert!(!is_gone(&own()));
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let begun = started(child.id()).unwrap();
        let name = format!("{}.{begun}.{}", child.id(), space().unwrap());
        assert!(!is_gone(&name));
        assert!(is_gone(&format!("{}.1{begun}.{}", child.id(), space().unwrap())), "another of that number");
        assert!(!is_gone(&format!("{}.1{begun}.{}", child.id(), "0".repeat(16))), "of another machine");
        child.kill().unwrap();
        let ended = || {
            (0..500).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(2));
                is_gone(&name)
            })
        };
        assert!(ended(), "it has ended, though nobody has asked for it");
        child.wait().unwrap();
        assert!(is_gone(&name));
    }

    #[test]
    fn what_cannot_be_told_counts_as_alive() {
        for name in ["", "1", "1.2", "x.2.3", "4294967295.1.0", "..", "1.1."] {
            assert!(!is_gone(name), "{name}");
        }
        assert!(own().bytes().all(|b| b.is_ascii_hexdigit() || b == b'.'), "{}", own());
    }
}
