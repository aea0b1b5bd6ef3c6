//! The daemon beside what it captures: its store, its rights and its figures; in network namespaces that the test makes and removes; needs root.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, SystemTime},
};

use crate::common::{
    Flowmap,
    lab::{Lab, expected, rows, status_of_threads, until},
    python::python,
    text,
};

#[test]
fn a_second_daemon_for_one_store_is_told_of_the_first() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let mut daemon = lab.watch(&flowmap, &["fm0"]);
    let store = text(&flowmap.path("store.db"));
    let second = flowmap.run(&["--db", &store, "capture", "lo", "--for", "1s"]);
    let words = format!("already running: process {} watches fm0", daemon.pid());
    second.is_an_error(&[&words, "hint: "]);
    let told = flowmap.json(&["--db", &store, "status"]);
    assert_eq!(told["daemon"]["pid"], daemon.pid());
    let started = told["daemon"]["started"].as_str().expect("a time");
    assert!(started.ends_with('Z') && started > "2026-", "{started}");
    daemon.stop();
    assert!(flowmap.json(&["--db", &store, "status"])["daemon"].is_null());
    flowmap.ok(&["--db", &store, "capture", "lo", "--for", "1s"]);
}

#[test]
fn it_holds_one_capability_and_can_get_no_other() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let mut daemon = lab.watch(&flowmap, &["fm0", "--promiscuous", "--metrics", "127.0.0.1:9464"]);
    lab.talk();
    // CAP_NET_RAW is number 13
    let raw = format!("{:016x}", 1u64 << 13);
    let none = format!("{:016x}", 0);
    for (set, value) in [("CapPrm", &raw), ("CapEff", &raw), ("CapBnd", &raw), ("CapInh", &none), ("CapAmb", &none)] {
        let lines = status_of_threads(daemon.pid(), set);
        assert!(lines.len() >= 4, "{lines:?}");
        for line in lines {
            assert!(line.ends_with(value.as_str()), "{line}");
        }
    }
    for (name, value) in [("NoNewPrivs:", "1"), ("Seccomp:", "2")] {
        let lines = status_of_threads(daemon.pid(), name);
        assert!(!lines.is_empty() && lines.iter().all(|line| line.ends_with(value)), "{lines:?}");
    }
    thread::sleep(Duration::from_secs(6));
    assert!(lab.figures("/metrics").contains("flowmap_flush_failures_total 0\n"));
    daemon.stop();
    assert!(!daemon.said.contains("not confined by capabilities"), "{}", daemon.said);
    assert_eq!(rows(&flowmap, &flowmap.path("store.db")), expected());
}

#[test]
fn a_locked_store_holds_nothing_up_and_is_written_when_it_is_free() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let mut daemon = lab.watch(&flowmap, &["fm0", "--metrics", "127.0.0.1:9464"]);
    let script = "import sqlite3, sys, time
c = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None); c.execute('BEGIN IMMEDIATE'); print('locked', flush=True); sys.stdin.read()";
    let lock = || {
        let mut child = Command::new(python())
            .args(["-c", script])
            .arg(flowmap.path("store.db"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = [0; 6];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
        crate::common::lab::Running(child)
    };
    let locked = lock();
    lab.talk();
    daemon.hear("the store is locked by another process; what is seen is kept in memory meanwhile");
    until("packets are counted", || {
        !lab.figures("/metrics").contains("flowmap_decoded_packets_total{interface=\"fm0\"} 0\n")
    });
    assert!(lab.figures("/healthz").starts_with("503 the store cannot be written"));
    drop(locked);
    daemon.hear("the store is written again");
    let locked = lock();
    lab.talk();
    daemon.signal("-TERM");
    let (code, took) = daemon.wait();
    assert_eq!(code, 2, "{}", daemon.said);
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(daemon.said.contains("the last seconds were not written: the store is locked"), "{}", daemon.said);
    drop(locked);
    assert_eq!(rows(&flowmap, &flowmap.path("store.db")), expected());
}

#[test]
fn a_full_disk_is_said_once_and_what_was_seen_is_written_when_there_is_room() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let disk = flowmap.path("disk");
    fs::create_dir(&disk).unwrap();
    let path = text(&disk);
    assert!(Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs", &path]).status().unwrap().success());
    let ended = std::panic::catch_unwind(|| {
        let store = disk.join("store.db");
        let mut daemon = lab.watch_store(&store, &["fm0", "--metrics", "127.0.0.1:9464"]);
        let mut rest = fs::File::create(disk.join("rest")).unwrap();
        let zeros = [0; 4096];
        while std::io::Write::write_all(&mut rest, &zeros).is_ok() {}
        lab.talk();
        daemon.hear("what is seen is kept in memory meanwhile");
        thread::sleep(Duration::from_secs(3));
        lab.talk();
        assert!(lab.figures("/healthz").starts_with("503 the store cannot be written"));
        // an open file keeps its room
        drop(rest);
        fs::remove_file(disk.join("rest")).unwrap();
        daemon.hear("the store is written again");
        daemon.stop();
        assert_eq!(daemon.said.matches("kept in memory").count(), 1, "{}", daemon.said);
        let twice: Vec<_> =
            expected().into_iter().map(|(a, b, port, out, count)| (a, b, port, out, count * 2)).collect();
        assert_eq!(rows(&flowmap, &store), twice);
    });
    assert!(Command::new("umount").arg(&path).status().unwrap().success());
    assert!(ended.is_ok());
}

#[test]
fn a_store_that_cannot_be_written_or_read_is_an_error_at_the_start() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    flowmap.write("noise.db", [0xee; 10_000]);
    let refused = |store: &str, words: &[&str]| {
        let mut command = lab.command(0, env!("CARGO_BIN_EXE_flowmap"));
        let output = command.args(["--db", store, "capture", "fm0", "--for", "5s"]).output().unwrap();
        crate::common::Output::of(&output).is_an_error(words);
    };
    refused(&text(&flowmap.path("noise.db")), &["noise.db: not a flowmap store", "hint: "]);
    let folder = flowmap.path("sealed");
    fs::create_dir(&folder).unwrap();
    flowmap.ok(&["--db", &text(&folder.join("store.db")), "runs"]);
    let path = text(&folder);
    for arguments in [&["--bind", &path][..], &["-o", "remount,bind,ro"]] {
        assert!(Command::new("mount").args(arguments).arg(&path).status().unwrap().success());
    }
    let ended = std::panic::catch_unwind(|| {
        refused(&text(&folder.join("store.db")), &["Read-only file system", "hint: "]);
    });
    assert!(Command::new("umount").arg(&path).status().unwrap().success());
    assert!(ended.is_ok());
}

/// A flush every five seconds, what a capture and a transaction take, and what a busy machine does.
const MOST_LOST_S: f64 = 5.0 + 2.0;

#[test]
fn killed_in_mid_traffic_it_leaves_a_whole_store_and_loses_one_interval_at_most() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let store = flowmap.path("store.db");
    let log = flowmap.path("sent");
    let server = lab.serve(
        1,
        "import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('10.9.0.2', 9999))
print('ready', flush=True)
while True: s.recv(100)",
    );
    // each from a port of its own, and written down before it is sent
    let client = lab.serve(
        0,
        &format!(
            "import socket, time
print('ready', flush=True)
log = open({:?}, 'w')
for n in range(40000):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('10.9.0.1', 20000 + n))
    print(time.time(), file=log, flush=True)
    s.sendto(b'%d' % n, ('10.9.0.2', 9999)); s.close(); time.sleep(0.01)",
            text(&log)
        ),
    );
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    let (mut watched, mut whole) = (Vec::new(), 0);
    for kill in 0..20 {
        let mut daemon = lab.watch(&flowmap, &["fm0"]);
        let begun = now();
        // in the middle of the first and of the second interval
        thread::sleep(Duration::from_millis(300 + 900 * (kill % 10)));
        daemon.signal("-KILL");
        watched.push((begun, now()));
        daemon.wait();
        crate::common::python::script("dump.py", &[&store]);
        let sent: Vec<f64> = fs::read_to_string(&log).unwrap().lines().filter_map(|line| line.parse().ok()).collect();
        let between = |from: f64, to: f64| sent.iter().filter(|time| (from..to).contains(*time)).count();
        let must: usize = watched.iter().map(|(from, to)| between(from + 0.3, to - MOST_LOST_S)).sum();
        let may: usize = watched.iter().map(|(from, to)| between(from - 1.0, to + 0.3)).sum();
        let flows = flowmap.json(&["--db", &text(&store), "flows", "--by", "address"]);
        let flow = flows.as_array().unwrap().iter().find(|flow| flow["port"] == 9999);
        let found = flow.map_or(0, |flow| usize::try_from(flow["connections"].as_u64().unwrap()).unwrap());
        assert!((must..=may).contains(&found), "kill {kill}: {found} of {must} to {may}");
        whole = must;
    }
    drop((client, server));
    assert!(whole > 50, "{whole}: those that lived for more than an interval");
}

#[test]
fn a_store_that_is_moved_away_or_replaced_is_noticed_and_what_follows_is_written_to_another() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let (store, moved) = (flowmap.path("store.db"), flowmap.path("moved.db"));
    let mut daemon = lab.watch(&flowmap, &["fm0", "--metrics", "127.0.0.1:9464"]);
    let is_written = || store.exists() && rows(&flowmap, &store) == expected();
    lab.talk();
    until("it is written", is_written);
    fs::rename(&store, &moved).unwrap();
    daemon.hear("another file is there than before, or none; it is opened again");
    lab.talk();
    until("it is written to the new one", is_written);
    assert_eq!(rows(&flowmap, &moved), expected());
    fs::write(flowmap.path("noise"), vec![0xee; 20_000]).unwrap();
    fs::rename(flowmap.path("noise"), &store).unwrap();
    daemon.hear("not a flowmap store; what is seen is kept in memory meanwhile");
    assert!(lab.figures("/healthz").starts_with("503 the store cannot be written"));
    lab.talk();
    fs::remove_file(&store).unwrap();
    daemon.hear("the store is written again");
    daemon.stop();
    assert_eq!(rows(&flowmap, &store), expected(), "what was seen after it was replaced");
}

#[test]
fn what_two_files_have_of_one_capture_comes_together_again() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let (store, moved) = (flowmap.path("store.db"), flowmap.path("moved.db"));
    let mut daemon = lab.watch(&flowmap, &["fm0"]);
    let is_written = || store.exists() && rows(&flowmap, &store) == expected();
    lab.talk();
    until("it is written", is_written);
    fs::rename(&store, &moved).unwrap();
    daemon.hear("another file is there than before, or none; it is opened again");
    lab.talk();
    daemon.stop();
    let run = |store: &Path| flowmap.json(&["--db", &text(store), "runs"])[0].clone();
    let [first, second] = [run(&moved), run(&store)];
    let number = |value: &serde_json::Value| value.as_u64().unwrap();
    let whole = format!("fm0: {} packets", number(&first["packets"]) + number(&second["packets"]));
    assert!(daemon.said.contains(&whole), "{whole}: {}", daemon.said);
    assert!(number(&second["packets"]) == number(&second["decoded"]) + not_decoded(&second), "{second}");
    assert!(second["first_packet"].as_str() >= first["last_packet"].as_str(), "{first} {second}");
    let twice: Vec<_> = expected().into_iter().map(|(a, b, port, out, count)| (a, b, port, out, count * 2)).collect();
    for order in [[&store, &moved], [&moved, &store]] {
        let both = flowmap.path(if order[0] == &store { "one.db" } else { "two.db" });
        flowmap.ok(&["--db", &text(&both), "import", &text(order[0]), &text(order[1])]);
        assert_eq!(rows(&flowmap, &both), twice);
    }
}

fn not_decoded(run: &serde_json::Value) -> u64 {
    run["not_decoded"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
}

#[test]
fn a_folder_that_is_replaced_is_told_for_what_it_is() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    flowmap.write("state/made", "");
    let store = flowmap.path("state/store.db");
    let mut daemon = lab.watch_store(&store, &["fm0"]);
    lab.talk();
    until("it is written", || store.exists() && rows(&flowmap, &store) == expected());
    if daemon.said.contains("landlock") {
        return crate::common::skipped("this kernel does not confine, and then it is written to the new one");
    }
    fs::rename(flowmap.path("state"), flowmap.path("away")).unwrap();
    fs::create_dir(flowmap.path("state")).unwrap();
    lab.talk();
    daemon.hear("its folder is another one than at the start");
    daemon.stop();
    let moved = flowmap.path("away/store.db");
    let words = format!("its folder was moved; the last of what was seen goes to {}", moved.display());
    assert!(daemon.said.contains(&words), "{}", daemon.said);
    let twice: Vec<_> = expected().into_iter().map(|(a, b, port, out, count)| (a, b, port, out, count * 2)).collect();
    assert_eq!(rows(&flowmap, &moved), twice);
    assert!(!store.exists());
}

#[test]
fn a_folder_that_is_removed_takes_what_was_seen_since_with_it_and_it_is_said() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    flowmap.write("state/made", "");
    let store = flowmap.path("state/store.db");
    let mut daemon = lab.watch_store(&store, &["fm0"]);
    fs::remove_dir_all(flowmap.path("state")).unwrap();
    lab.talk();
    daemon.hear("or gone, and this process may write to that one alone: start the daemon again and lose");
    daemon.signal("-TERM");
    assert_eq!(daemon.wait().0, 2, "{}", daemon.said);
    assert!(daemon.said.contains("the last seconds were not written"), "{}", daemon.said);
}

#[test]
fn a_log_that_is_removed_is_noticed_and_nothing_of_others_is_lost() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let store = flowmap.path("store.db");
    let remove = || ["store.db-wal", "store.db-shm"].map(|name| fs::remove_file(flowmap.path(name)).unwrap());
    let mut daemon = lab.watch(&flowmap, &["fm0"]);
    lab.talk();
    until("it is written", || store.exists() && rows(&flowmap, &store) == expected());
    remove();
    daemon.hear("its log was removed");
    until("it is in the file", || rows(&flowmap, &store) == expected());
    // whoever has no log open would not miss it; while it opens the store again it may hold one for a moment
    let mut held = 0;
    until("it writes again", || {
        held = if daemon.holds(&flowmap.path("store.db-wal")) { held + 1 } else { 0 };
        held > 20
    });
    remove();
    flowmap.write("flows.csv", "client,server,port,protocol\n10.1.1.1,10.1.1.2,80,tcp\n");
    let named = text(&store);
    flowmap.ok(&["--db", &named, "import", "flows.csv"]);
    // whether that was before the daemon looked, or after it, is chance
    daemon.hear("its log was removed");
    lab.talk();
    daemon.stop();
    let runs = flowmap.json(&["--db", &named, "runs"]);
    let mut kinds: Vec<&str> = runs.as_array().unwrap().iter().filter_map(|run| run["kind"].as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds.len(), 2, "{runs}");
    assert!(flowmap.ok(&["--db", &named, "flows"]).stdout.contains("10.1.1.2"));
}

/// Nothing passes the filter, whatever hosts say of themselves.
#[test]
fn without_traffic_it_hardly_wakes_and_writes_nothing_and_yet_notices_that_its_store_is_gone() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let (store, moved) = (flowmap.path("store.db"), flowmap.path("moved.db"));
    let mut daemon = lab.watch(&flowmap, &["fm0", "--filter", "udp port 4711", "--metrics", "127.0.0.1:9464"]);
    let flushes = || -> u64 {
        let figures = lab.figures("/metrics");
        let line = figures.lines().find_map(|line| line.strip_prefix("flowmap_flush_seconds_count "));
        line.unwrap().parse().unwrap()
    };
    until("its run is written", || flushes() == 1);
    let wakes = || -> u64 {
        let lines = status_of_threads(daemon.pid(), "voluntary_ctxt_switches");
        lines.iter().map(|line| line.rsplit('\t').next().unwrap().parse::<u64>().unwrap()).sum()
    };
    // the question itself wakes it
    thread::sleep(Duration::from_secs(2));
    let before = wakes();
    thread::sleep(Duration::from_secs(15));
    let woken = wakes() - before;
    assert!(woken <= 20, "{woken} times in 15 s");
    assert_eq!(flushes(), 1);
    assert_eq!(lab.figures("/healthz"), "ok\n");
    fs::rename(&store, &moved).unwrap();
    daemon.hear("another file is there than before, or none; it is opened again");
    until("its run is in the new one", || {
        store.exists() && flowmap.json(&["--db", &text(&store), "runs"]).as_array().unwrap().len() == 1
    });
    daemon.stop();
}

/// What the log of a moved store holds is taken into it, also where somebody reads there: until that ends it stays open.
#[test]
fn a_store_that_is_moved_while_somebody_reads_it_is_whole() {
    let Some(lab) = Lab::new() else { return };
    let flowmap = Flowmap::new();
    let (store, moved) = (flowmap.path("store.db"), flowmap.path("moved.db"));
    let mut daemon = lab.watch(&flowmap, &["fm0", "--metrics", "127.0.0.1:9464"]);
    lab.talk();
    until("it is written", || store.exists() && !rows(&flowmap, &store).is_empty());
    let reader = lab.serve(
        0,
        &format!(
            "import sqlite3, time
store = sqlite3.connect({:?}, isolation_level=None); store.execute('BEGIN')
store.execute('SELECT count(*) FROM run').fetchone()
print('ready', flush=True); time.sleep(600)",
            text(&store)
        ),
    );
    // something that is in the log alone, for who reads keeps it from the file
    lab.talk();
    until("it is written too", || rows(&flowmap, &store).iter().any(|row| row.4 == 6));
    fs::rename(&store, &moved).unwrap();
    daemon.hear("the store is locked by another process; what is seen is kept in memory meanwhile");
    lab.talk();
    drop(reader);
    daemon.hear("another file is there than before, or none; it is opened again");
    daemon.hear("the store is written again");
    daemon.stop();
    let doubled: Vec<_> = expected().into_iter().map(|(a, b, port, out, count)| (a, b, port, out, count * 2)).collect();
    assert_eq!(rows(&flowmap, &moved), doubled, "what was seen before it was moved");
    assert_eq!(rows(&flowmap, &store), expected(), "what was seen after");
}

#[test]
fn a_connection_that_crosses_two_interfaces_counts_once_whichever_way_each_side_goes() {
    let Some(lab) = Lab::new() else { return };
    lab.cable("fm1", 8);
    let routed = "import socket, struct, sys
out = {name: socket.socket(socket.AF_PACKET, socket.SOCK_RAW) for name in ('fm0', 'fm1')}
for name, s in out.items(): s.bind((name, 0))
def send(places, src, dst, protocol, payload, ident):
    for hops, name in enumerate(places):
        ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(payload), ident, 0, 64 - hops, protocol, 0, bytes(src), bytes(dst))
        out[name].send(bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]) + ip + payload)
A, B = [10, 1, 0, 1], [10, 2, 0, 1]
def tcp(places, back, port):
    seg = lambda s, d, q, a, f, n=0: struct.pack('!HHIIBBHHH', s, d, q, a, 0x50, f, 9000, 0, 0) + bytes(n)
    c = [(1, 0x02, 100, 0, 0), (0, 0x12, 900, 101, 0), (1, 0x10, 101, 901, 0), (1, 0x18, 101, 901, 50), (0, 0x18, 901, 151, 70), (1, 0x11, 151, 971, 0), (0, 0x11, 971, 152, 0)]
    for up, f, q, a, n in c:
        if up: send(places, A, B, 6, seg(40000, port, q, a, f, n), 1)
        else: send(back, B, A, 6, seg(port, 40000, q, a, f, n), 1)
def udp(places, back, port, number):
    d = lambda s, t, x: struct.pack('!HHHH', s, t, 8 + len(x), 0) + x
    send(places, A, B, 17, d(40000, port, b'question' + bytes([number])), number)
    send(back, B, A, 17, d(port, 40000, b'answer' + bytes([number])), number + 100)
both = ('fm0', 'fm1')
tcp(both, both[::-1], 80); tcp(('fm0',), ('fm1',), 81)
udp(both, both[::-1], 53, 1); udp(('fm0',), ('fm1',), 123, 2)";
    let told = |flowmap: &Flowmap, interfaces: &[&str]| -> Vec<String> {
        let mut daemon = lab.watch(flowmap, interfaces);
        lab.python(1, routed);
        thread::sleep(Duration::from_millis(700));
        daemon.stop();
        let flows = flowmap.json(&["--db", &text(&flowmap.path("store.db")), "flows", "--by", "address"]);
        let of_test = |flow: &&serde_json::Value| {
            flow["client"]["name"].as_str().unwrap().starts_with("10.1.")
                || flow["client"]["name"].as_str().unwrap().starts_with("10.2.")
        };
        let word = |flow: &serde_json::Value| {
            let name = |end: &str| flow[end]["name"].as_str().unwrap().to_owned();
            let numbers =
                ["port", "connections", "packets", "bytes_to_server", "bytes_to_client"].map(|it| flow[it].to_string());
            format!("{} > {} {} {}", name("client"), name("server"), flow["outcome"], numbers.join(" "))
        };
        flows.as_array().unwrap().iter().filter(of_test).map(word).collect()
    };
    let (two, any) = (Flowmap::new(), Flowmap::new());
    let wanted = [
        "10.1.0.1 > 10.2.0.1 \"established\" 80 1 7 210 190",
        "10.1.0.1 > 10.2.0.1 \"established\" 81 1 7 210 190",
        "10.1.0.1 > 10.2.0.1 \"established\" 53 1 2 37 35",
        "10.1.0.1 > 10.2.0.1 \"established\" 123 1 2 37 35",
    ];
    let sorted = |mut all: Vec<String>| {
        all.sort();
        all
    };
    let wanted = sorted(wanted.map(str::to_owned).to_vec());
    // a table for each interface, and one for all of them
    assert_eq!(sorted(told(&two, &["fm0", "fm1"])), wanted);
    assert_eq!(sorted(told(&any, &["any"])), wanted);
}
