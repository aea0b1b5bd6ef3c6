//! `flowmap inventory sync --watch` where the store is busy, full, moved or removed.

use std::{
    fs,
    process::{Child, Command},
    thread,
    time::Duration,
};

use flowmap::store::Store;

use super::api::{End, PODS, Reply, Server, bookmark, event, flowmap_of, is, list, pod, pods, start, stop, until};
use crate::common::{Flowmap, Output, is_root, skipped, text};

/// Keeps others from writing to the store.
fn while_locked<T>(flowmap: &Flowmap, act: impl FnOnce() -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { Store::open(&flowmap.path("flowmap.db")).await.unwrap().while_alone(act).await })
}

/// A pod that comes so long after the beginning.
fn comes(server: &Server, after: Duration) {
    server.on("GET", PODS, list("7", "", &[pod("a", "10.0.0.1", "1")]));
    let added = event("ADDED", &pod("b", "10.0.0.2", "8"));
    server.on("WATCH", PODS, Reply::Slow(vec![(Duration::ZERO, bookmark("7")), (after, added)], End::Open));
}

fn terminate(child: Child) -> Output {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    Output::of(&child.wait_with_output().unwrap())
}

#[test]
fn a_store_that_is_busy_for_long_gets_what_was_heard_meanwhile() {
    let server = Server::new();
    comes(&server, Duration::from_secs(3));
    let flowmap = flowmap_of(&server.url);
    let child = start(&flowmap);
    server.asked_at("WATCH", PODS, 1);
    while_locked(&flowmap, || thread::sleep(Duration::from_secs(18)));
    until("what came meanwhile is written", || pods(&flowmap) == [is("shop/a", "10.0.0.1"), is("shop/b", "10.0.0.2")]);
    let output = stop(child);
    assert_eq!(output.stderr.matches("the store is locked").count(), 1, "{}", output.stderr);
    assert!(output.stderr.contains("the store is written again"), "{}", output.stderr);
}

#[test]
fn who_is_told_to_stop_while_the_store_is_busy_says_that_the_last_is_lost() {
    let server = Server::new();
    comes(&server, Duration::from_secs(1));
    let flowmap = flowmap_of(&server.url);
    let child = start(&flowmap);
    server.asked_at("WATCH", PODS, 1);
    let output = while_locked(&flowmap, || {
        thread::sleep(Duration::from_secs(3));
        terminate(child)
    });
    assert_eq!(output.code, 2, "{output:?}");
    let last = "flowmap: the last seconds were not written: the store is locked by another process\nhint: ";
    assert!(output.stderr.contains(last), "{}", output.stderr);
}

#[test]
fn a_full_disk_is_waited_for() {
    if !is_root() {
        return skipped("no file system can be mounted");
    }
    let server = Server::new();
    comes(&server, Duration::from_secs(5));
    let flowmap = flowmap_of(&server.url);
    let disk = flowmap.path("disk");
    fs::create_dir(&disk).unwrap();
    let path = text(&disk);
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs", &path]).status();
    if !mounted.is_ok_and(|status| status.success()) {
        return skipped("no file system can be mounted");
    }
    let ended = std::panic::catch_unwind(|| {
        let store = text(&disk.join("flowmap.db"));
        let mut command =
            flowmap.command(&["--db", &store, "inventory", "sync", "--kubeconfig", "kubeconfig", "--watch"]);
        let child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
        server.asked_at("WATCH", PODS, 1);
        let mut rest = fs::File::create(disk.join("rest")).unwrap();
        let zeros = [0; 4096];
        while std::io::Write::write_all(&mut rest, &zeros).is_ok() {}
        thread::sleep(Duration::from_secs(12));
        drop(rest);
        fs::remove_file(disk.join("rest")).unwrap();
        let known = || flowmap.ok(&["--db", &store, "inventory", "list"]).stdout.contains("shop/b");
        until("what came meanwhile is written", known);
        let output = stop(child);
        assert!(output.stderr.contains("what is heard is kept in memory meanwhile"), "{}", output.stderr);
    });
    assert!(Command::new("umount").arg(&path).status().unwrap().success());
    assert!(ended.is_ok());
}

#[test]
fn a_store_that_is_moved_away_or_removed_is_begun_anew() {
    for is_moved in [true, false] {
        let server = Server::new();
        server.beats();
        server.on("GET", PODS, list("7", "", &[pod("a", "10.0.0.1", "1")]));
        let flowmap = flowmap_of(&server.url);
        let child = start(&flowmap);
        server.asked_at("WATCH", PODS, 1);
        thread::sleep(Duration::from_secs(1));
        server.on("GET", PODS, list("9", "", &[pod("b", "10.0.0.2", "8")]));
        let store = flowmap.path("flowmap.db");
        if is_moved {
            fs::rename(&store, flowmap.path("old.db")).unwrap();
        } else {
            fs::remove_file(&store).unwrap();
        }
        server.asked_at("WATCH", PODS, 2);
        until("it is written to what is there", || store.exists() && pods(&flowmap) == [is("shop/b", "10.0.0.2")]);
        let output = stop(child);
        assert!(output.stderr.contains("another file is there than before, or none"), "{}", output.stderr);
        if is_moved {
            let old = text(&flowmap.path("old.db"));
            assert!(flowmap.ok(&["--db", &old, "inventory", "list"]).stdout.contains("shop/a"));
        }
    }
}
