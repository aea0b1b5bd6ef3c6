//! A cluster of 100,000 pods in 300 namespaces with a day of churn, listed every hour: how long the import takes, how
//! long the timeline takes to build, how many lookups a second it answers on one core, and what memory it takes.
//!
//! `make bench-inventory`. A plain program: what is measured takes seconds, so that no statistics are needed.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

use std::{net::IpAddr, time::Instant};

use flowmap::{
    inventory::{self, Directory, Listing, Owner, Sighted, Sighting},
    model::{Span, Timestamp},
    store::{Snapshot, Store},
};
use serde_json::{Value, json};

const PODS: u32 = 100_000;
const NAMESPACES: u32 = 300;
const HOURS: i64 = 24;
/// Addresses are handed on: this many serve all pods.
const ADDRESSES: u32 = 32_000;
const LOOKUPS: u32 = 20_000_000;
/// Monday, 2026-11-23T00:00:00Z.
const START_S: i64 = 1_795_392_000;

/// A pod of the day: it lives for about six hours, and has an address that others had before.
struct Life {
    number: u32,
    start_s: i64,
    end_s: i64,
}

fn lives() -> Vec<Life> {
    let generations = PODS.div_ceil(ADDRESSES);
    let length_s = HOURS * 3_600 / i64::from(generations);
    let life = |number: u32| {
        let start_s = START_S + i64::from(number / ADDRESSES) * length_s + i64::from(number % 1_800);
        Life { number, start_s, end_s: start_s + length_s - 1_900 }
    };
    (0..PODS).map(life).collect()
}

fn address(number: u32) -> IpAddr {
    let place = number % ADDRESSES;
    IpAddr::from([10, 244 + u8::try_from(place >> 16).unwrap(), (place >> 8).to_be_bytes()[3], place.to_be_bytes()[3]])
}

fn time(seconds: i64) -> String {
    Timestamp::new(seconds, 0).to_string()
}

fn pod(life: &Life) -> Value {
    let Life { number, start_s, .. } = *life;
    let (namespace, app) = (format!("team-{}", number % NAMESPACES), format!("app-{}", number % 9_000));
    let (address, start) = (address(number).to_string(), time(start_s));
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("{app}-5d78c9869d-{number:05}"), "namespace": namespace, "uid": format!("uid-{number}"),
            "creationTimestamp": start,
            "labels": {"app.kubernetes.io/name": app, "app.kubernetes.io/part-of": "shop", "pod-template-hash": "5d78c9869d"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{app}-5d78c9869d"), "controller": true}],
        },
        "spec": {
            "nodeName": format!("node-{}", number % 500),
            "containers": [{"name": "app", "image": "registry.example.com/app:1.2.3",
                            "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]}],
        },
        "status": {
            "phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "startTime": start,
            "hostIP": format!("192.168.{}.{}", number % 500 / 250, number % 250 + 1),
        },
    })
}

/// What `kubectl get pods -A -o json` prints at an hour; all pods of the day where none is named.
fn list(lives: &[Life], hour: Option<i64>) -> String {
    let moment = hour.map(|hour| START_S + hour * 3_600 + 1_800);
    let is_alive = |life: &&Life| moment.is_none_or(|moment| (life.start_s..life.end_s).contains(&moment));
    let mut items: Vec<String> = lives.iter().filter(is_alive).map(|life| pod(life).to_string()).collect();
    let made = time(moment.unwrap_or(START_S));
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "creationTimestamp": made}});
    items.push(namespace.to_string());
    format!(r#"{{"apiVersion": "v1", "items": [{}], "kind": "List"}}"#, items.join(","))
}

/// A figure of this process's memory, in MB.
fn memory_mb(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1_024
}

/// Times a piece of work; tells the most memory that the process had meanwhile, its input included.
fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    // resets the peak (proc(5)); where that is not allowed the peak is that of all before
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let begun = Instant::now();
    let result = work();
    println!("{what:<44}{:>8.2} s, at most {} MB", begun.elapsed().as_secs_f64(), memory_mb("VmHWM:"));
    result
}

fn snapshot(source: &str, text: &str) -> Snapshot {
    let reading = inventory::read(source, text.as_bytes()).unwrap();
    assert_eq!(reading.problems, []);
    Snapshot {
        site: "default".into(),
        source: source.into(),
        taken_at: reading.taken_at,
        complete: reading.complete,
        problems: Vec::new(),
        objects: reading.objects,
    }
}

/// As commands that read do it.
async fn directory(store: &Store) -> Directory {
    let mut inventory = store.inventories(None).await.unwrap().remove("default").unwrap();
    let listings: Vec<Listing> = inventory
        .snapshots
        .drain(..)
        .map(|it| Listing { source: it.source, taken_at: it.taken_at, until: it.until, complete: it.complete })
        .collect();
    let sighting = |it: flowmap::store::Presence| Sighting { listing: it.snapshot, since: it.since, until: it.until };
    let objects = inventory.objects.into_iter().map(|it| Sighted {
        object: serde_json::from_str(&it.body).unwrap(),
        sightings: it.presences.into_iter().map(sighting).collect(),
    });
    Directory::over(&listings, objects)
}

/// Looks up addresses at random times of the day; tells how many belonged to a pod.
fn look_up(what: &str, who: impl Fn(IpAddr, Timestamp) -> bool) {
    let begun = Instant::now();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut found = 0u32;
    for _ in 0..LOOKUPS {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = u32::try_from(random >> 40).unwrap() % ADDRESSES;
        let at = Timestamp::new(START_S + i64::try_from((random >> 16) % 86_400).unwrap(), 0);
        found += u32::from(who(address(number), at));
    }
    let seconds = begun.elapsed().as_secs_f64();
    let share = f64::from(found) / f64::from(LOOKUPS) * 100.0;
    println!("{what:<44}{:>8.1} million/s, {share:.0} % a pod's", f64::from(LOOKUPS) / seconds / 1e6);
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lives = lives();
    let folder = tempfile::tempdir().unwrap();

    let whole = list(&lives, None);
    println!("{} pods in {NAMESPACES} namespaces; as one list {} MB", lives.len(), whole.len() >> 20);
    let store = runtime.block_on(Store::open(&folder.path().join("one.db"))).unwrap();
    timed("import one list of all", || runtime.block_on(store.add_snapshot(&snapshot("all.json", &whole))).unwrap());
    drop(whole);

    let store = runtime.block_on(Store::open(&folder.path().join("day.db"))).unwrap();
    let hours: Vec<String> = (0..HOURS).map(|hour| list(&lives, Some(hour))).collect();
    let bytes: usize = hours.iter().map(String::len).sum();
    println!("{HOURS} lists, one an hour, {} MB", bytes >> 20);
    timed("import them", || {
        for (hour, text) in hours.iter().enumerate() {
            runtime.block_on(store.add_snapshot(&snapshot(&format!("{hour}.json"), text))).unwrap();
        }
    });
    drop(hours);

    let before = memory_mb("VmRSS:");
    let directory = timed("read the store, settle who had what when", || runtime.block_on(directory(&store)));
    println!("{:<44}{:>8} MB", "of which the directory keeps", memory_mb("VmRSS:").saturating_sub(before));
    look_up("who(address, time)", |address, at| matches!(directory.who(address, at), Owner::Pod(_)));
    look_up("who_over(address, ten seconds)", |address, at| {
        let last = Timestamp(at.0 + 10_000_000_000);
        matches!(directory.who_over(address, Span { first: at, last }), Owner::Pod(_))
    });
}
