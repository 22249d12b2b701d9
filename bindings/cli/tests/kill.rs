//! The program is killed at random moments, interrupted, and meets a full disk: what it says, and what it leaves.
//!
//! `PORTBOOK_KILLS` is how many times it is killed.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const DIRS: usize = 40;
const FILES: usize = 50;

struct Place {
    _dir: tempfile::TempDir,
    left: PathBuf,
    right: PathBuf,
    book: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let [left, right, book] = ["left", "right", "book"].map(|name| dir.path().join(name));
        fs::create_dir(&left).unwrap();
        fs::create_dir(&right).unwrap();
        Self { _dir: dir, left, right, book }
    }

    /// Writes some thousand small files, other ones each time.
    fn fill(&self, turn: usize) {
        for d in 0..DIRS {
            let dir = self.left.join(format!("d{d}"));
            fs::create_dir_all(&dir).unwrap();
            for f in (0..FILES).filter(|f| turn == 0 || (f + d) % 3 == turn % 3) {
                fs::write(dir.join(format!("f{f}")), format!("{turn}/{d}/{f} ").repeat(1 + f * 7)).unwrap();
            }
        }
    }

    fn command(&self, mode: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portbook"));
        command.arg("--book").arg(&self.book).args(["--json", "sync"]).arg(&self.left).arg(&self.right);
        command.args(["--mode", mode, "--max-delete", "100%"]).env_remove("PORTBOOK_BOOK");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn sync(&self, mode: &str) -> Output {
        self.command(mode).output().expect("the program starts")
    }
}

/// Every file with its content, the trash left out; and the temporary names.
fn tree(root: &Path) -> (BTreeMap<PathBuf, Vec<u8>>, Vec<PathBuf>) {
    let (mut files, mut temporary) = (BTreeMap::new(), Vec::new());
    let mut dirs = vec![root.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with(".portbook-tmp-") {
                temporary.push(path);
            } else if name != ".portbook" && path.is_dir() {
                dirs.push(path);
            } else if name != ".portbook" {
                files.insert(path.strip_prefix(root).unwrap().to_path_buf(), fs::read(&path).unwrap());
            }
        }
    }
    (files, temporary)
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status();
    assert!(status.is_ok_and(|s| s.success()), "kill -{name}");
}

fn wait(mut child: Child) -> ExitStatus {
    child.wait().expect("the program ends")
}

/// Not `println!`, which the harness keeps to itself.
fn skipped(what: &str, why: &str) {
    writeln!(std::io::stdout().lock(), "SKIPPED: {what}: {why}").unwrap();
}

#[test]
fn killed_at_any_moment_it_goes_on_where_it_was_and_loses_nothing() {
    let kills: usize = std::env::var("PORTBOOK_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(25);
    let place = Place::new();
    place.fill(0);
    let begun = Instant::now();
    assert!(place.sync("mirror").status.success());
    let whole = begun.elapsed();
    let mut caught = 0;
    for turn in 1..=kills {
        place.fill(turn);
        let mode = if turn % 2 == 0 { "mirror" } else { "bidirectional" };
        let (before, _) = tree(&place.left);
        let child = place.command(mode).spawn().expect("the program starts");
        // Spread evenly over the time that a run takes, in an order that jumps about.
        sleep(whole.mul_f64((turn * 7 % kills) as f64 / kills as f64));
        signal_if_alive(&child);
        let killed = !wait(child).success();
        caught += usize::from(killed);
        // No file at its own name is half there.
        let (left, _) = tree(&place.left);
        assert_eq!(left, before, "kill {turn}: the source changed");
        let again = place.sync(mode);
        let told = String::from_utf8_lossy(&again.stdout).into_owned() + &String::from_utf8_lossy(&again.stderr);
        assert!(again.status.success(), "kill {turn}: the next run ended with {}: {told}", again.status);
        let ((left, left_over), (right, right_over)) = (tree(&place.left), tree(&place.right));
        assert_eq!(left, before, "kill {turn}: the source changed");
        assert!(left == right, "kill {turn}: not in step: {told}");
        assert!(left_over.is_empty() && right_over.is_empty(), "kill {turn}: left over: {left_over:?} {right_over:?}");
    }
    println!("{caught} of {kills} runs were caught; a whole first run took {whole:?}; all took {:?}", begun.elapsed());
    assert!(caught * 4 >= kills, "the kills came too late: {caught} of {kills}");
}

fn signal_if_alive(child: &Child) {
    // A run that has ended already takes no signal; its process is not waited for yet, so the number is still its own.
    let _ = Command::new("kill").arg("-KILL").arg(child.id().to_string()).stderr(Stdio::null()).status();
}

#[test]
fn killed_in_a_large_copy_it_goes_on_where_it_was() {
    const SIZE: usize = 256 << 20;
    let place = Place::new();
    let mut content: Vec<u8> = (0..SIZE / 4).flat_map(|n| (n as u32).wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
    content.truncate(SIZE);
    fs::write(place.left.join("large"), &content).unwrap();
    let mut slow = place.command("mirror");
    slow.args(["--bwlimit", "64M"]);
    let child = slow.spawn().expect("the program starts");
    let arrived = || {
        let (_, temporary) = tree(&place.right);
        temporary.iter().filter_map(|path| fs::metadata(path).ok()).map(|m| m.len()).sum::<u64>()
    };
    let begun = Instant::now();
    while arrived() < 160 << 20 {
        assert!(begun.elapsed() < Duration::from_secs(120), "{} bytes arrived", arrived());
        sleep(Duration::from_millis(5));
    }
    signal(&child, "KILL");
    assert!(!wait(child).success());
    let again = place.sync("mirror");
    let told = String::from_utf8_lossy(&again.stdout).into_owned() + &String::from_utf8_lossy(&again.stderr);
    assert!(again.status.success(), "{told}");
    let told: serde_json::Value = serde_json::from_slice(&again.stdout).expect("JSON");
    let carried = told["bytes"].as_u64().expect("the bytes that were carried");
    // 64 MiB at most were carried and not safe yet.
    assert!(carried <= (256 - 160 + 64) << 20, "{carried} bytes were carried again");
    let ((_, left_over), arrived) = (tree(&place.right), fs::read(place.right.join("large")).unwrap());
    assert!(arrived == content && left_over.is_empty(), "left over: {left_over:?}");
}

#[test]
fn interrupted_it_ends_with_130_and_the_next_run_goes_on() {
    let place = Place::new();
    place.fill(0);
    // More than is carried at once, and slow enough to be interrupted for certain.
    for n in 0..1_500 {
        fs::write(place.left.join(format!("more{n}")), [b'm'; 1_000]).unwrap();
    }
    let mut command = place.command("mirror");
    command.args(["--bwlimit", "200k"]);
    let child = command.spawn().expect("the program starts");
    let begun = Instant::now();
    while tree(&place.right).1.is_empty() && begun.elapsed() < Duration::from_secs(20) {
        sleep(Duration::from_millis(20));
    }
    signal(&child, "INT");
    assert_eq!(wait(child).code(), Some(130));
    let (arrived, left_over) = tree(&place.right);
    assert!(left_over.is_empty(), "left over: {left_over:?}");
    let (source, _) = tree(&place.left);
    assert!(arrived.iter().all(|(path, content)| source[path] == *content), "half a file is there");
    let again = place.sync("mirror");
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert!(tree(&place.right).0 == source);
}

#[test]
fn a_full_disk_is_said_and_the_next_run_goes_on_when_there_is_room() {
    let what = "a full disk";
    let place = Place::new();
    let mount = |size: &str, options: &str| {
        let options = format!("{options}size={size}");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&place.right).stderr(Stdio::null());
        command.status().is_ok_and(|s| s.success())
    };
    if !mount("2m", "") {
        return skipped(what, "a tmpfs cannot be mounted here (root is needed)");
    }
    place.fill(0);
    for n in 0..8 {
        fs::write(place.left.join(format!("large{n}")), vec![n; 500_000]).unwrap();
    }
    let (source, _) = tree(&place.left);
    let full = place.sync("mirror");
    let told = String::from_utf8_lossy(&full.stdout).into_owned() + &String::from_utf8_lossy(&full.stderr);
    let (arrived, left_over) = tree(&place.right);
    let grown = mount("64m", "remount,");
    let again = place.sync("mirror");
    let (after, _) = tree(&place.right);
    let unmounted = Command::new("umount").arg(&place.right).status().is_ok_and(|s| s.success());
    assert!(matches!(full.status.code(), Some(1 | 3)), "{}: {told}", full.status);
    assert!(left_over.is_empty(), "left over: {left_over:?}");
    assert!(arrived.iter().all(|(path, content)| source[path] == *content), "half a file is there");
    assert!(grown && unmounted, "the tmpfs is gone again");
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert!(after == source, "not in step");
}
