//! Small transactions: one row changed and one line of activity, durable when answered. Eight writers in one process, whose
//! batches may share a commit, and eight processes with one each, whose commits stand apart on SQLite.

use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use portbook::model::TenantId;
use portbook::store::{Store, Value, Write};
use uuid::Uuid;

use super::{Figures, Place, execute, tenancy};

const WRITERS: usize = 8;

pub(super) async fn measure(place: &Place, seconds: u64) -> Figures {
    let store = place.open().await;
    let mut names = Vec::new();
    for _ in 0..WRITERS {
        names.push(tenancy(&*store).await.0);
    }
    let length = Duration::from_secs(seconds);
    let mut figures = Figures::new();
    let mut keep = |name, counts: &[u64]| {
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        println!("{name}: {:.0} (a writer: {least} to {most})", sum(counts) / seconds as f64);
        figures.insert(name, sum(counts) / seconds as f64);
    };
    keep("one_writer_per_s", &[work(&store, names[0], length).await]);
    let together = names.iter().map(|tenant| work(&store, *tenant, length));
    keep("eight_writers_one_process_per_s", &join_all(together).await);
    store.shutdown().await;

    let counts = eight_processes(place, &names, seconds);
    keep("eight_processes_per_s", &counts);
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    let share = *least as f64 / (*most).max(1) as f64;
    figures.insert("eight_processes_least_to_most", share);
    figures.insert("fdatasync_per_s", flushes(Path::new(env!("CARGO_TARGET_TMPDIR"))));
    println!("fdatasync_per_s: {:.0}", figures["fdatasync_per_s"]);
    figures
}

fn sum(counts: &[u64]) -> f64 {
    counts.iter().sum::<u64>() as f64
}

/// One transaction after the other until the time is up: how many.
async fn work(store: &Arc<dyn Store>, tenant: TenantId, length: Duration) -> u64 {
    let user = store
        .query(
            tenant,
            portbook::store::Statement::new("SELECT id FROM users WHERE tenant_id = ?1", vec![Value::Uuid(tenant.0)]),
        )
        .await
        .unwrap();
    let user = user.first().unwrap().uuid(0).unwrap();
    let (end, mut count) = (Instant::now() + length, 0);
    while Instant::now() < end {
        let change = execute(
            "UPDATE sync_conduit SET total_syncs = total_syncs + 1, updated_at = ?2 WHERE tenant_id = ?1",
            vec![Value::Uuid(tenant.0), Value::Time(1_763_707_869_123_456)],
        );
        store.write(tenant, vec![change, line(tenant, user)]).await.unwrap();
        count += 1;
    }
    count
}

/// A line of activity.
pub(super) fn line(tenant: TenantId, user: Uuid) -> Write {
    execute(
        "INSERT INTO sync_activity_log (id, org_id, sync_id, entity_type, action, status, record_count, user_id) \
         VALUES (?1, ?2, 'bench', 'file', 'sync_complete', 'completed', 1, ?3)",
        vec![Value::Uuid(Uuid::now_v7()), Value::Uuid(tenant.0), Value::Uuid(user)],
    )
}

/// This program again, once per tenant; all begin when all have opened the book.
fn eight_processes(place: &Place, tenants: &[TenantId], seconds: u64) -> Vec<u64> {
    let program = std::env::current_exe().unwrap();
    let start = |tenant: &TenantId| {
        let mut command = Command::new(&program);
        command.args(["worker", "--at", place.text(), "--tenant", &tenant.0.to_string()]);
        command.args(["--seconds", &seconds.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        (child, lines)
    };
    let mut children: Vec<(Child, _)> = tenants.iter().map(start).collect();
    let mut word = String::new();
    for (_, lines) in &mut children {
        lines.read_line(&mut word).unwrap();
    }
    for (child, _) in &mut children {
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }
    let counted = children.iter_mut().map(|(child, lines)| {
        let mut count = String::new();
        lines.read_line(&mut count).unwrap();
        assert!(child.wait().unwrap().success());
        count.trim().parse().unwrap()
    });
    counted.collect()
}

/// One of the eight: says that it is ready, waits for the word, says how many it did.
pub(super) async fn work_for_parent(place: &Place, tenant: &str, seconds: u64) {
    let store = place.open().await;
    println!("ready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    println!("{}", work(&store, TenantId(tenant.parse().unwrap()), Duration::from_secs(seconds)).await);
    store.shutdown().await;
}

/// How often a second the disk answers when 4 KiB are written over and flushed, one after the other.
fn flushes(directory: &Path) -> f64 {
    use std::os::unix::fs::FileExt;
    let mut file = tempfile::tempfile_in(directory).unwrap();
    file.write_all(&vec![1; 1 << 20]).unwrap();
    File::sync_all(&file).unwrap();
    let (begun, mut count) = (Instant::now(), 0_u64);
    while begun.elapsed() < Duration::from_secs(2) {
        file.write_all_at(&[count as u8; 4096], count % 256 * 4096).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    count as f64 / begun.elapsed().as_secs_f64()
}
