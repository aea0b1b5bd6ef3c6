//! What a run that goes on tells of itself, and what becomes of it; in network namespaces that the test makes and removes; needs root.

use crate::common::{
    Flowmap,
    lab::{Lab, expected, rows, until},
    sample, text,
};

#[test]
fn a_run_that_goes_on_is_not_taken_back_and_can_be_when_it_is_over() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let store = text(&flowmap.path("store.db"));
    let mut daemon = lab.watch(&flowmap, &["fm0"]);
    lab.talk();
    until("it is written", || !flowmap.json(&["--db", &store, "runs"]).as_array().unwrap().is_empty());
    let of_daemon = flowmap.json(&["--db", &store, "runs"])[0]["id"].as_str().unwrap().to_owned();
    let refused = flowmap.run(&["--db", &store, "runs", "rm", &of_daemon]);
    let pid = daemon.pid();
    let words = format!("run `{of_daemon}`: goes on: process {pid} writes it");
    refused.is_an_error(&[&words, &format!("hint: stop it first: kill {pid}")]);
    let link = flowmap.path("link.db");
    std::os::unix::fs::symlink(flowmap.path("store.db"), &link).unwrap();
    let by_link = flowmap.run(&["--db", &text(&link), "runs", "rm", &of_daemon]);
    by_link.is_an_error(&[&words]);
    daemon.stop();
    // the run that was there before a daemon is not its own
    let _next = lab.watch(&flowmap, &["fm0"]);
    flowmap.ok(&["--db", &store, "runs", "rm", &of_daemon]);
    assert_eq!(rows(&flowmap, &flowmap.path("store.db")), []);
}

#[test]
fn a_store_by_another_name_is_written_and_locked_as_itself() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    std::fs::create_dir(flowmap.path("far")).unwrap();
    let (store, link) = (flowmap.path("far/store.db"), flowmap.path("link.db"));
    std::os::unix::fs::symlink("far/store.db", &link).unwrap();
    let mut daemon = lab.watch_store(&link, &["fm0"]);
    lab.talk();
    let second = flowmap.run(&["--db", &text(&store), "capture", "lo", "--for", "1s"]);
    second.is_an_error(&[&format!("already running: process {} watches fm0", daemon.pid())]);
    daemon.stop();
    assert_eq!(rows(&flowmap, &store), expected());
}

/// By another name SQLite would keep another log beside the file, and both daemons would write over each other.
#[test]
fn a_store_by_two_hard_links_has_one_daemon() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let (store, link) = (flowmap.path("store.db"), flowmap.path("link.db"));
    let mut daemon = lab.watch(&flowmap, &["fm0"]);
    std::fs::hard_link(&store, &link).unwrap();
    let second = flowmap.run(&["--db", &text(&link), "capture", "lo", "--for", "1s"]);
    second.is_an_error(&[
        "already running: another daemon writes to",
        "link.db, by another name of this file",
        "hint: ",
    ]);
    daemon.stop();
    let mut daemon = lab.watch_store(&link, &["fm0"]);
    let second = flowmap.run(&["--db", &text(&store), "capture", "lo", "--for", "1s"]);
    second.is_an_error(&["already running: another daemon writes to", "store.db, by another name of this file"]);
    daemon.stop();
}

/// What SQLite says of a store.
fn sql(lab: &Lab, store: &std::path::Path, sql: &str) -> String {
    let script = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone()[0])";
    let output = lab.command(0, "python3").args(["-c", script, &text(store), sql]).output().expect("Python runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The file stays the same, and its log still holds what was written before: nothing of that may come into the other store.
#[test]
fn a_store_that_another_one_is_copied_over_is_noticed_and_neither_is_mixed_into_the_other() {
    let Some(lab) = Lab::new() else { return };
    for is_its_own in [false, true] {
        let flowmap = Flowmap::new();
        let (store, copy) = (flowmap.path("store.db"), flowmap.path("copy.db"));
        let is_there = |times: u64| {
            let talked: Vec<_> =
                rows(&flowmap, &store).into_iter().filter(|row| row.0.starts_with("10.9.0.")).collect();
            let wanted: Vec<_> =
                expected().into_iter().map(|row| (row.0, row.1, row.2, row.3, row.4 * times)).collect();
            talked == wanted
        };
        let mut daemon = lab.watch(&flowmap, &["fm0"]);
        lab.talk();
        until("it is written", || is_there(1));
        if is_its_own {
            sql(&lab, &store, &format!("VACUUM INTO '{}'", text(&copy)));
        } else {
            flowmap.ok(&["--db", &text(&copy), "import", &sample("node-1.pcap")]);
        }
        let runs = sql(&lab, &copy, "SELECT count(*) FROM run");
        let rows_before = if is_its_own { Vec::new() } else { rows(&flowmap, &copy) };
        lab.talk();
        until("more is written", || is_there(2));
        std::fs::copy(&copy, &store).unwrap();
        daemon.hear("another file was written over it while it was open");
        daemon.hear("the store is written again");
        lab.talk();
        daemon.stop();
        assert_eq!(sql(&lab, &store, "PRAGMA integrity_check"), "ok");
        assert!(is_there(if is_its_own { 2 } else { 1 }), "{:?}", rows(&flowmap, &store));
        // what follows is a run of its own: between the copy and it nobody watched who is in the store
        let wanted = runs.parse::<u64>().unwrap() + 1;
        assert_eq!(sql(&lab, &store, "SELECT count(*) FROM run"), wanted.to_string());
        let after = rows(&flowmap, &store);
        assert!(rows_before.iter().all(|row| after.contains(row)));
    }
}

/// How often the daemon with its figures at their usual place has written.
fn flushes(lab: &Lab) -> u64 {
    let figures = lab.figures("/metrics");
    let line = figures.lines().find_map(|line| line.strip_prefix("flowmap_flush_seconds_count "));
    line.and_then(|count| count.parse().ok()).unwrap_or_default()
}

/// Where a process closes a file, the system takes away all of its locks on it: others would take the store for closed.
#[test]
fn the_store_stays_locked_against_its_end_while_the_daemon_looks_after_it() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let daemon = lab.watch(&flowmap, &["fm0", "--metrics", "127.0.0.1:9464"]);
    for count in 1..=2 {
        lab.talk();
        until("a flush", || flushes(&lab) >= count);
    }
    let inode = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(flowmap.path("store.db")).unwrap());
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    let (pid, file) = (format!(" {} ", daemon.pid()), format!(":{inode} "));
    let is_held = |line: &&str| line.contains("POSIX") && line.contains(&pid) && line.contains(&file);
    assert_eq!(locks.lines().filter(is_held).count(), 1, "{locks}");
}

#[test]
fn what_the_kernel_holds_of_an_interface_that_goes_away_is_taken_in() {
    const COUNT: u64 = 20_000;
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    lab.cable("fm1", 8);
    let mut daemon = lab.watch(&flowmap, &["fm0", "--filter", "udp port 4711", "--buffer", "64"]);
    // frames that an interface sends are seen at once
    let burst = format!(
        "import os, socket, struct
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('fm0', 0))
ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 28, 1, 0, 64, 17, 0, bytes([10, 1, 0, 1]), bytes([10, 2, 0, 1]))
frame = bytes(12) + b'\\x08\\x00' + ip + struct.pack('!HHHH', 5000, 4711, 8, 0) + bytes(18)
for n in range({COUNT}): s.send(frame)
os.execvp('ip', ['ip', 'link', 'del', 'fm0'])"
    );
    lab.python(0, &burst);
    daemon.hear("fm0: ");
    daemon.stop();
    let store = text(&flowmap.path("store.db"));
    let run = &flowmap.json(&["--db", &store, "runs"])[0];
    let number = |name: &str| run[name].as_u64().unwrap();
    assert_eq!(number("packets") + number("dropped_by_kernel"), COUNT, "{run}");
    let bounds: Vec<&String> = run["bounds"].as_object().unwrap().keys().collect();
    let are_told = |told: &[&String]| matches!(told, [filter, away] if filter.starts_with("filter was set") && away.starts_with("times the interface was away:"));
    assert!(are_told(&bounds), "{run}");
}

#[test]
fn a_run_that_was_in_light_mode_for_a_part_says_so() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    flowmap.write("etc/flowmap.yaml", "mode: connections\n");
    let config = text(&flowmap.path("etc/flowmap.yaml"));
    let mut daemon = lab.watch(&flowmap, &["fm0", "--config", &config]);
    flowmap.write("etc/flowmap.yaml", "mode: packets\n");
    daemon.signal("-HUP");
    daemon.hear("fm0 is opened again");
    lab.talk();
    daemon.stop();
    let status = flowmap.ok(&["--db", &text(&flowmap.path("store.db")), "status"]).stdout;
    assert!(status.contains("(--mode connections): TCP's packets and bytes are too low"), "{status}");
}

/// The clock is days ahead of a live capture in the store, as it is where it was set wrong at boot: neither the first daemon nor
/// one that is started after it forgets by it, though the first has written by that clock.
#[tokio::test]
async fn a_restart_under_a_clock_that_is_far_ahead_forgets_nothing() {
    use flowmap::store::{Filter, Learnt, Run, RunId, RunKind, Store};
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let path = flowmap.path("store.db");
    flowmap.ok(&["--db", &text(&path), "import", &sample("node-1.pcap")]);
    let old = RunId(4_711);
    let store = Store::open(&path).await.unwrap();
    let imported = store.runs().await.unwrap().remove(0);
    let mut rows = Vec::new();
    store.observations(&Filter::default(), |_, row| rows.push(row)).await.unwrap();
    let live = Run { id: old, kind: RunKind::Live, ..imported };
    store.extend_run(&live, &rows, &Learnt::default()).await.unwrap();
    store.close().await;
    for _ in 0..2 {
        let mut daemon = lab.watch(&flowmap, &["fm0", "--keep", "1d", "--metrics", "127.0.0.1:9464"]);
        for count in 1..=2 {
            lab.talk();
            until("what is too old was looked for", || flushes(&lab) >= count);
        }
        daemon.stop();
        let (store, mut left) = (Store::open(&path).await.unwrap(), 0);
        store.observations(&Filter::default(), |run, _| left += usize::from(run == old)).await.unwrap();
        store.close().await;
        assert_eq!(left, rows.len());
    }
}
