mod applications;
mod merging;
mod upkeep;

use std::collections::BTreeSet;

use super::*;
use crate::model::{
    HostName, Hour, MissedNames, NameSighting, NameSource, Note, Observation, ObservationKey, Opening, Protocol, Scope,
    Span, Sweep, Tally, Timestamp, Trace,
};

fn observation(dst_port: u16, src_ports: std::ops::Range<u16>) -> Observation {
    let key = ObservationKey {
        hour: Hour(500_000),
        protocol: Protocol::TCP,
        opening: Opening::Seen,
        src: "10.0.0.1".parse().unwrap(),
        dst: "fd00::2".parse().unwrap(),
        dst_port,
        vlans: "10,100.20".into(),
        tunnels: "vxlan:42".into(),
    };
    let trace = |src_port| Trace { src_port, from_src: Tally::one(0, 2, 80), ..Trace::default() };
    Observation { key, traces: src_ports.map(trace).collect() }
}

fn run(id: i64) -> Run {
    Run { id: RunId(id), site: "default".into(), packets: 7, ..Run::default() }
}

async fn all(store: &Store) -> Vec<Observation> {
    let mut all = Vec::new();
    store.observations(&Filter::default(), |_, observation| all.push(observation)).await.unwrap();
    all
}

#[tokio::test]
async fn a_run_written_early_and_late_reads_as_one_written_at_once() {
    let (parts, whole) = (Store::in_memory().await.unwrap(), Store::in_memory().await.unwrap());
    let mut writer = parts.begin_run().await.unwrap();
    writer.write(&[observation(80, 1..5), observation(443, 1..2)]).await.unwrap();
    writer.write(&[observation(80, 5..9)]).await.unwrap();
    assert_eq!(writer.finish(&mut run(5), &[observation(8_080, 1..3)]).await.unwrap(), Written::Added);
    let observations = [observation(80, 1..9), observation(443, 1..2), observation(8_080, 1..3)];
    whole.begin_run().await.unwrap().finish(&mut run(5), &observations).await.unwrap();
    assert_eq!(all(&parts).await, all(&whole).await);
    assert_eq!(all(&parts).await, observations);
    assert_eq!(parts.runs().await.unwrap(), [run(5)]);
}

#[tokio::test]
async fn a_run_known_already_adds_nothing_and_an_unfinished_one_leaves_nothing() {
    let store = Store::in_memory().await.unwrap();
    store.begin_run().await.unwrap().finish(&mut run(5), &[observation(80, 1..5)]).await.unwrap();
    let again = store.begin_run().await.unwrap().finish(&mut run(5), &[observation(81, 1..5)]).await.unwrap();
    assert_eq!(again, Written::Known(Box::new(run(5))));
    let mut writer = store.begin_run().await.unwrap();
    writer.write(&[observation(82, 1..5)]).await.unwrap();
    drop(writer);
    assert_eq!(all(&store).await, [observation(80, 1..5)]);
    assert!(store.remove_run(RunId(5)).await.unwrap());
    assert_eq!(all(&store).await, []);
}

#[tokio::test]
async fn a_snapshot_is_kept_once() {
    let store = Store::in_memory().await.unwrap();
    let snapshot = Snapshot {
        site: "default".into(),
        source: "cluster.json".into(),
        objects: vec!["{\"kind\":\"Pod\"}".into(), "{\"kind\":\"Node\"}".into(), "{\"kind\":\"Pod\"}".into()],
        ..Snapshot::default()
    };
    assert!(store.add_snapshot(&snapshot).await.unwrap());
    let shuffled = Snapshot { objects: snapshot.objects.iter().rev().cloned().collect(), ..snapshot };
    assert!(!store.add_snapshot(&shuffled).await.unwrap());
    assert_eq!(store.inventories(None).await.unwrap()["default"].objects.len(), 2);
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::new(seconds, 0)
}

fn change(seconds: i64, before: &str, after: &str) -> Change {
    let text = |words: &str| (!words.is_empty()).then(|| words.to_owned());
    Change { at: time(seconds), before: text(before), after: text(after) }
}

/// Every object of the site with its stretches: `web 10-20 30-`; `s` stands for the start of the snapshot.
async fn presences(store: &Store) -> Vec<String> {
    let inventory = store.inventories(None).await.unwrap().remove("default").unwrap();
    let second =
        |time: Option<Timestamp>, none: &str| time.map_or(none.to_owned(), |time| (time.0 / 1_000_000_000).to_string());
    let stretch = |presence: &Presence| format!(" {}-{}", second(presence.since, "s"), second(presence.until, ""));
    let line = |object: &StoredObject| object.body.clone() + &object.presences.iter().map(stretch).collect::<String>();
    let mut lines: Vec<String> = inventory.objects.iter().map(line).collect();
    lines.sort();
    lines
}

fn mk_watch(start: i64, objects: &[&str]) -> Watch {
    Watch {
        site: "default".into(),
        source: "cluster".into(),
        taken_at: time(start),
        objects: objects.iter().map(ToString::to_string).collect(),
        ..Watch::default()
    }
}

#[tokio::test]
async fn the_objects_of_a_watch_come_change_and_go() {
    let store = Store::in_memory().await.unwrap();
    let id = store.begin_watch(&mk_watch(10, &["web", "db"])).await.unwrap();
    let changes = [
        change(20, "", "job"),
        change(30, "web", "web2"),
        change(40, "job", ""),
        // as it was before
        change(50, "web2", "web"),
        change(55, "db", "db"),
    ];
    let expected = ["db s-", "job 20-40", "web s-30 50-", "web2 30-50"];
    // written in parts, and again after a failure that left it open whether it was written
    store.extend_watch(id, &changes[..2], time(30)).await.unwrap();
    store.extend_watch(id, &changes, time(60)).await.unwrap();
    assert_eq!(presences(&store).await, expected);
    store.extend_watch(id, &changes, time(45)).await.unwrap();
    assert_eq!(presences(&store).await, expected);
    let again = store.begin_watch(&mk_watch(10, &["web", "db"])).await.unwrap();
    assert_eq!((again, presences(&store).await), (id, expected.map(str::to_owned).to_vec()));
    let snapshot = store.inventories(None).await.unwrap().remove("default").unwrap().snapshots.remove(0);
    assert_eq!((snapshot.taken_at, snapshot.until), (Some(time(10)), Some(time(60))));
}

#[tokio::test]
async fn a_watch_that_begins_anew_is_another_snapshot() {
    let store = Store::in_memory().await.unwrap();
    let first = store.begin_watch(&mk_watch(10, &["web", "db"])).await.unwrap();
    store.extend_watch(first, &[], time(20)).await.unwrap();
    let second = store.begin_watch(&mk_watch(30, &["web"])).await.unwrap();
    assert_ne!(first, second);
    let inventory = store.inventories(None).await.unwrap().remove("default").unwrap();
    assert_eq!(inventory.snapshots.len(), 2);
    assert_eq!(presences(&store).await, ["db s-", "web s- s-"]);
}

#[tokio::test]
async fn the_last_word_on_what_a_snapshot_is_complete_in_counts() {
    let store = Store::in_memory().await.unwrap();
    let mut snapshot = Snapshot { site: "default".into(), objects: vec!["web".into()], ..Snapshot::default() };
    assert!(store.add_snapshot(&snapshot).await.unwrap());
    snapshot.complete.add("Pod", "shop");
    assert!(!store.add_snapshot(&snapshot).await.unwrap());
    let inventory = store.inventories(Some("default")).await.unwrap().remove("default").unwrap();
    assert!(inventory.snapshots[0].complete.covers("Pod", "shop"));
    assert!(!inventory.snapshots[0].complete.covers("Pod", "other"));
}

#[tokio::test]
async fn a_snapshot_of_an_older_store_is_one_of_a_moment_and_complete_in_nothing() {
    use sqlx::migrate::Migrator;

    let options = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1);
    let pool = options.connect("sqlite::memory:").await.unwrap();
    let older = open::MIGRATIONS.migrations.iter().take(2).cloned().collect();
    Migrator { migrations: older, ..Migrator::DEFAULT }.run(&pool).await.unwrap();
    for sql in [
        "INSERT INTO snapshot VALUES (7, 'default', 'cluster.json', 5, '[]')",
        "INSERT INTO object VALUES (1, 'web'), (2, 'db')",
        "INSERT INTO snapshot_object VALUES (7, 1), (7, 2)",
    ] {
        sqlx::query(sql).execute(&pool).await.unwrap();
    }
    open::MIGRATIONS.run(&pool).await.unwrap();
    let store = Store { pool };
    assert_eq!(presences(&store).await, ["db s-", "web s-"]);
    let snapshot = store.inventories(None).await.unwrap().remove("default").unwrap().snapshots.remove(0);
    assert_eq!((snapshot.taken_at, snapshot.until, snapshot.complete), (Some(Timestamp(5)), None, Scope::default()));
}

fn sighting(name: &str, used_by: Option<&str>, seconds: (i64, i64), times: u64) -> NameSighting {
    NameSighting {
        address: "203.0.113.9".parse().unwrap(),
        name: HostName::parse(name.as_bytes()).unwrap(),
        source: NameSource::Dns,
        used_by: used_by.map(|user| user.parse().unwrap()),
        ttl_s: 60,
        span: Span { first: Timestamp::new(seconds.0, 5), last: Timestamp::new(seconds.1, 5) },
        times,
    }
}

/// Writes a run that saw nothing else.
async fn write_learnt(store: &Store, mut run: Run, learnt: Learnt) {
    let mut writer = store.begin_run().await.unwrap();
    writer.learn(learnt).await.unwrap();
    writer.finish(&mut run, &[]).await.unwrap();
}

fn learnt_names(told: &[NameSighting]) -> Learnt {
    Learnt { names: told.to_vec(), ..Learnt::default() }
}

async fn names(store: &Store) -> Vec<NameSighting> {
    store.names(&Filter::default()).await.unwrap().into_iter().map(|(_, sighting)| sighting).collect()
}

#[tokio::test]
async fn names_are_written_with_their_run_and_go_with_it() {
    let store = Store::in_memory().await.unwrap();
    let told = [sighting("a.example", None, (3, 9), 4), sighting("b.example", Some("fd00::1"), (-3, 9), 1)];
    let missed = MissedNames { not_a_name: 3, beyond_bound: 2, cut_off: 1 };
    let whole = Run { loss: Loss { names: missed, ..Loss::default() }, ..run(5) };
    write_learnt(&store, whole.clone(), learnt_names(&told)).await;
    // the same capture again
    write_learnt(&store, whole.clone(), learnt_names(&told)).await;
    assert_eq!(names(&store).await, told);
    assert_eq!(store.runs().await.unwrap(), [whole]);
    let without = Filter { exclude: [RunId(5)].into(), ..Filter::default() };
    assert_eq!(store.names(&without).await.unwrap(), []);
    store.remove_run(RunId(5)).await.unwrap();
    assert_eq!(names(&store).await, []);
    let rest: i64 = sqlx::query_scalar("SELECT count(*) FROM name_missed").fetch_one(&store.pool).await.unwrap();
    assert_eq!(rest, 0);
}

#[tokio::test]
async fn what_is_learnt_once_it_is_known_which_run_it_is_goes_with_the_rows_written_before() {
    let store = Store::in_memory().await.unwrap();
    let told = [sighting("a.example", None, (3, 9), 4)];
    let mut writer = store.begin_run().await.unwrap();
    writer.write(&[observation(80, 1..5)]).await.unwrap();
    assert_eq!(writer.identify(&run(5)).await.unwrap(), None);
    writer.learn(learnt_names(&told)).await.unwrap();
    writer.write(&[observation(443, 1..2)]).await.unwrap();
    assert_eq!(writer.finish(&mut run(5), &[]).await.unwrap(), Written::Added);
    assert_eq!(names(&store).await, told);
    assert_eq!(all(&store).await, [observation(80, 1..5), observation(443, 1..2)]);
    assert_eq!(store.runs().await.unwrap(), [run(5)]);
}

#[tokio::test]
async fn names_of_a_run_that_goes_on_grow_to_its_latest_figures() {
    let store = Store::in_memory().await.unwrap();
    let parts = [((5, 5), 1), ((3, 9), 4), ((3, 9), 4)];
    for (seconds, times) in parts {
        let told = [sighting("a.example", None, seconds, times)];
        store.extend_run(&run(5), &[], &learnt_names(&told)).await.unwrap();
    }
    assert_eq!(names(&store).await, [sighting("a.example", None, (3, 9), 4)]);
}

#[tokio::test]
async fn a_name_that_this_version_would_not_write_is_not_read() {
    let store = Store::in_memory().await.unwrap();
    let told = [sighting("a.example", None, (3, 9), 4)];
    write_learnt(&store, run(5), learnt_names(&told)).await;
    for (name, source) in [("x\n- evil: {}", "dns"), ("x\u{1b}[2J", "dns"), ("", "dns"), ("b.example", "rumour")] {
        let sql = "INSERT INTO name VALUES (5, x'cb007109', $1, $2, x'', 60, 3, 9, 1)";
        sqlx::query(sql).bind(name).bind(source).execute(&store.pool).await.unwrap();
    }
    assert_eq!(names(&store).await, told);
}

#[tokio::test]
async fn rows_that_an_older_version_wrote_are_laid_out_in_parts_and_read_alike() {
    let store = Store::in_memory().await.unwrap();
    store.begin_run().await.unwrap().finish(&mut run(5), &[observation(80, 1..3)]).await.unwrap();
    // two connections as version 2 wrote them: ports 7 and 9, a packet of 40 bytes each
    let connection =
        |first: u8, port: u8| [&[first, 0, port][..], &[0; 8], &[0, 0, 32, 1, 0, 1, 40, 0, 64, 64, 0, 0]].concat();
    let traces = [&[2, 2][..], &connection(5, 7), &connection(1, 9)].concat();
    let sql = "INSERT INTO observation VALUES (5, 500000, 6, 1, x'0a000001', x'0a000002', $1, '', '', 2, $2)";
    for port in [443, 22] {
        sqlx::query(sql).bind(port).bind(&traces).execute(&store.pool).await.unwrap();
    }
    store.lay_out_old_rows().await.unwrap();
    let all = all(&store).await;
    let told: Vec<(u16, u64)> = all.iter().map(|it| (it.key.dst_port, it.traces.total())).collect();
    assert_eq!(told, [(22, 2), (443, 2), (80, 2)]);
    let ports: Vec<u16> = all[0].traces.iter().map(|trace| trace.src_port).collect();
    assert_eq!(BTreeSet::from_iter(ports), [7, 9].into());
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM observation").fetch_one(&store.pool).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_run_that_goes_on_is_brought_together_and_counts_its_samples_once() {
    let store = Store::in_memory().await.unwrap();
    let later = |hours: i32| {
        let row = observation(80, 0..900);
        Observation { key: ObservationKey { hour: Hour(500_000 + hours), ..row.key }, ..row }
    };
    for n in 0..40u16 {
        let row = observation(80, n * 100..n * 100 + 100);
        store.extend_run(&run(5), &[row], &Learnt::default()).await.unwrap();
    }
    store.extend_run(&run(5), &[later(1)], &Learnt::default()).await.unwrap();
    let batches: Vec<i64> = sqlx::query_scalar("SELECT count(*) FROM observation_part GROUP BY hour ORDER BY hour")
        .fetch_all(&store.pool)
        .await
        .unwrap();
    assert_eq!(batches, [1, 1]);
    let all = all(&store).await;
    assert_eq!(all.iter().map(|it| it.traces.total()).collect::<Vec<_>>(), [4_000, 900]);
    let notes = store.runs().await.unwrap()[0].loss.notes.clone();
    assert_eq!(notes.into_values().collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn sums_of_sweeps_are_replaced_by_larger_ones_and_go_with_their_run() {
    let store = Store::in_memory().await.unwrap();
    let sweep = |attempts: u64| Sweep {
        hour: Hour(500_000),
        protocol: Protocol::TCP,
        src: "10.0.0.1".parse().unwrap(),
        attempts,
        packets: 2 * attempts,
        bytes: 80 * attempts,
        hosts: 1,
        targets: attempts,
        ports: 7,
        span: Span { first: time(5), last: time(9) },
    };
    // after a jump of the clock it begins again with an hour
    for attempts in [1_000, 3_000, 200] {
        let run = Run { sweeps: vec![sweep(attempts)], ..run(5) };
        store.extend_run(&run, &[], &Learnt::default()).await.unwrap();
    }
    assert_eq!(store.runs().await.unwrap()[0].sweeps, [sweep(3_000)]);
    store.remove_run(RunId(5)).await.unwrap();
    assert!(store.sweeps().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_live_captures_saw_too_long_ago_is_forgotten_and_what_was_imported_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flowmap.db");
    let store = Store::open(&path).await.unwrap();
    let at = |hour: i32| Some(Hour(hour).start());
    let live = |id, first, last| Run { kind: RunKind::Live, first_packet: at(first), last_packet: at(last), ..run(id) };
    let row = |hour| {
        let mut row = observation(80, 1..900);
        row.key.hour = Hour(hour);
        row
    };
    let old: Vec<Observation> = (499_000..499_900).map(row).collect();
    store.extend_run(&live(1, 499_000, 500_001), &old, &Learnt::default()).await.unwrap();
    store.extend_run(&live(1, 499_000, 500_001), &[row(500_000), row(500_001)], &Learnt::default()).await.unwrap();
    store.extend_run(&live(2, 499_000, 499_001), &[row(499_000)], &Learnt::default()).await.unwrap();
    let file = Run { kind: RunKind::File, first_packet: at(499_000), last_packet: at(499_001), ..run(3) };
    store.extend_run(&file, &[row(499_000)], &Learnt::default()).await.unwrap();
    let pages = |store: Store| async move {
        sqlx::query_scalar::<_, i64>("PRAGMA page_count").fetch_one(&store.pool).await.unwrap()
    };
    let before = pages(store.clone()).await;
    let mut steps = 0;
    while store.forget_some(Hour(500_001).start(), &[RunId(1)]).await.unwrap() {
        steps += 1;
    }
    assert!(steps > 10, "in small steps");
    assert_eq!(all(&store).await, [row(500_001), row(499_000)]);
    let left: Vec<(RunId, Option<Timestamp>)> =
        store.runs().await.unwrap().iter().map(|run| (run.id, run.first_packet)).collect();
    assert_eq!(left, [(RunId(3), at(499_000)), (RunId(1), at(500_001))]);
    for _ in 0..100 {
        store.forget_some(Hour(500_001).start(), &[RunId(1)]).await.unwrap();
    }
    let after = pages(store.clone()).await;
    assert!(after * 4 < before, "{before} pages became {after}");
}

#[tokio::test]
async fn the_log_is_in_the_order_in_which_it_was_written_and_keeps_the_times_that_were_told() {
    let store = Store::in_memory().await.expect("a store");
    let entry = |second: i64| LogEntry {
        namespace: "shop".into(),
        policy: "shop/web.yaml#web".into(),
        time: Timestamp(second * 1_000_000_000),
        author: "Ann".into(),
        action: "approve".into(),
        body: "{}".into(),
    };
    // a clock that was wrong, and the same told twice
    for second in [90, 10, 90] {
        let change = DecisionChange { entries: vec![entry(second)], ..DecisionChange::default() };
        assert_eq!(store.decide("site", &change).await.expect("an end"), Decided::Done);
    }
    let log = store.decision_log("site").await.expect("a log");
    assert_eq!(log.iter().map(|(_, entry)| entry.clone()).collect::<Vec<_>>(), [entry(90), entry(10), entry(90)]);
    // whoever knows all but the last does not know enough
    let heads = [("shop/web.yaml#web".to_owned(), Some(log[1].0))].into();
    let change = DecisionChange { heads, entries: vec![entry(95)], ..DecisionChange::default() };
    assert_eq!(store.decide("site", &change).await.expect("an end"), Decided::Decided("shop/web.yaml#web".into()));
}

/// A daemon brings the batches of an hour into one while a command reads them.
#[tokio::test]
async fn what_is_read_is_of_one_moment_whatever_is_written_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flowmap.db");
    let in_hour = |hour, ports| {
        let mut row = observation(80, ports);
        row.key.hour = Hour(hour);
        row
    };
    let store = Store::open(&path).await.unwrap();
    for rows in [[in_hour(1_000, 1..3), in_hour(1_001, 1..3)], [in_hour(1_000, 3..5), in_hour(1_001, 3..5)]] {
        store.extend_run(&run(5), &rows, &Learnt::default()).await.unwrap();
    }
    let before = [in_hour(1_000, 1..5), in_hour(1_001, 1..5)];
    let mut read = Vec::new();
    let take = |_, observation| {
        if read.is_empty() {
            let (path, next) = (path.clone(), in_hour(1_002, 1..2));
            let write = async move {
                let daemon = Store::open(&path).await.unwrap();
                daemon.extend_run(&run(5), &[next], &Learnt::default()).await.unwrap();
            };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            std::thread::spawn(move || runtime.block_on(write)).join().unwrap();
        }
        read.push(observation);
    };
    store.observations(&Filter::default(), take).await.unwrap();
    assert_eq!(read, before);
    assert_eq!(all(&store).await.len(), 3, "and then what was written meanwhile");
}
