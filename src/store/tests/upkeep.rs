//! What is done to keep a long history small, and what it costs.

use std::time::Duration;

use super::*;
use crate::model::TraceSet;

fn in_hour(hour: i32, ports: std::ops::Range<u16>) -> Observation {
    let mut row = observation(80, ports);
    row.key.hour = Hour(hour);
    row
}

fn live(id: i64) -> Run {
    Run { kind: RunKind::Live, ..run(id) }
}

async fn extend(store: &Store, rows: &[Observation]) -> Option<DamagedHours> {
    store.extend_run(&live(5), rows, &Learnt::default()).await.unwrap()
}

async fn numbers(store: &Store, sql: &'static str) -> Vec<i64> {
    sqlx::query_scalar(sql).fetch_all(&store.pool).await.unwrap()
}

/// Brings all days before this hour into one each; what it came to, but that there is more.
async fn thin(store: &Store, before: Option<i32>) -> Vec<Thinned> {
    let (mut thinning, mut told) = (Thinning::default(), Vec::new());
    loop {
        match store.thin_some(&mut thinning, before.map(|hour| Hour(hour).start())).await.unwrap() {
            Thinned::Done => return told,
            Thinned::Some => {}
            damaged @ Thinned::Damaged(_) => told.push(damaged),
        }
    }
}

/// A thousand connections with numbers that take their room.
fn crowd(dst_port: u16, hour: u16) -> Observation {
    let trace = |src_port: u16| {
        let identity =
            (u32::from(dst_port) << 16 | u32::from(src_port) << 1 | u32::from(hour)).wrapping_mul(2_654_435_761);
        let (answer, src_end, dst_end) = (!identity, identity.rotate_left(9), identity.rotate_left(19));
        Trace { src_port, identity, answer, src_end, dst_end, from_src: Tally::one(0, 2, 80), ..Trace::default() }
    };
    let key = ObservationKey { hour: Hour(DAY + i32::from(hour)), ..observation(dst_port, 1..2).key };
    Observation { key, traces: (0..1_000).map(trace).collect() }
}

/// The first hour of a day.
const DAY: i32 = 24 * 20_000;

#[tokio::test]
async fn counts_and_hours_as_no_capture_has_are_brought_together_up_to_their_bounds() {
    let store = Store::in_memory().await.unwrap();
    let countless = |hour| {
        let row = in_hour(hour, 1..9);
        Observation { traces: TraceSet::restore(row.traces.into_traces(), u64::MAX), ..row }
    };
    extend(&store, &[countless(DAY), countless(DAY + 1)]).await;
    extend(&store, &[countless(DAY), countless(DAY + 1)]).await;
    assert_eq!(thin(&store, Some(DAY + 24)).await, []);
    sqlx::query("UPDATE observation_part SET hour = 2147483647 WHERE hours = 24").execute(&store.pool).await.unwrap();
    let told: Vec<_> = all(&store).await.iter().map(|it| (it.key.hour, it.traces.total() > u64::MAX / 2)).collect();
    assert_eq!(told, [(Hour(i32::MAX), true); 2]);
}

#[tokio::test]
async fn a_packet_from_the_future_does_not_end_the_hour_that_goes_on() {
    let store = Store::in_memory().await.unwrap();
    extend(&store, &[in_hour(500_000, 1..3), in_hour(900_000, 1..3)]).await;
    for n in 0..5 {
        extend(&store, &[in_hour(500_000, n * 10 + 3..n * 10 + 5)]).await;
    }
    let batches = "SELECT count(*) FROM observation_part WHERE hour < 500001 GROUP BY hour";
    assert_eq!(numbers(&store, batches).await, [6]);
    extend(&store, &[in_hour(500_001, 1..3)]).await;
    assert_eq!(numbers(&store, batches).await, [1], "now it is over");
    assert_eq!(all(&store).await.iter().map(|it| it.traces.total()).collect::<Vec<_>>(), [12, 2, 2]);
}

#[tokio::test]
async fn what_cannot_be_read_is_said_and_holds_up_neither_flushes_nor_other_days() {
    let store = Store::in_memory().await.unwrap();
    for day in 0..3 {
        extend(&store, &[in_hour(DAY + day * 24, 1..3)]).await;
        extend(&store, &[in_hour(DAY + day * 24, 3..5)]).await;
    }
    let sql = "UPDATE observation_part SET data = x'07' WHERE hour = 480024";
    sqlx::query(sql).execute(&store.pool).await.unwrap();
    // the first of two batches that are to be brought together
    let sql = "UPDATE observation_part SET data = x'07' WHERE hour = 480048 AND batch = 1";
    sqlx::query(sql).execute(&store.pool).await.unwrap();
    let damage = extend(&store, &[in_hour(DAY + 49, 1..3)]).await.unwrap();
    assert_eq!(damage.hour, Hour(DAY + 48));
    assert_eq!(damage.to_string().split(" of run ").next().unwrap(), "the hour 2024-10-06T00:00:00Z");
    extend(&store, &[in_hour(DAY + 24 * 5, 1..3)]).await;
    let told = thin(&store, Some(DAY + 24 * 6)).await;
    let days: Vec<Hour> = told.iter().map(|it| if let Thinned::Damaged(it) = it { it.hour } else { Hour(0) }).collect();
    assert_eq!(days, [Hour(DAY + 24), Hour(DAY + 48)]);
    assert_eq!(
        numbers(&store, "SELECT hour FROM observation_part WHERE hours = 24 ORDER BY hour").await,
        [i64::from(DAY), i64::from(DAY + 24 * 5)]
    );
}

#[tokio::test]
async fn what_comes_late_to_a_day_that_is_whole_goes_into_it() {
    let store = Store::in_memory().await.unwrap();
    extend(&store, &[in_hour(DAY, 1..3), in_hour(DAY + 5, 1..5)]).await;
    thin(&store, Some(DAY + 24)).await;
    extend(&store, &[in_hour(DAY, 7..9), in_hour(DAY + 3, 9..11), in_hour(DAY + 5, 4..6)]).await;
    thin(&store, Some(DAY + 24)).await;
    assert_eq!(numbers(&store, "SELECT hours FROM observation_part").await, [24]);
    assert_eq!(numbers(&store, "SELECT count(*) FROM hidden_batch").await, [0]);
    let told: Vec<(i32, u64)> = all(&store).await.iter().map(|it| (it.key.hour.0 - DAY, it.traces.total())).collect();
    assert_eq!(told, [(0, 4), (3, 2), (5, 5)]);
}

#[tokio::test]
async fn steps_are_small_and_what_an_unfinished_day_left_is_taken_out_also_where_hours_stay() {
    let store = Store::in_memory().await.unwrap();
    // more than are written in one step
    for hour in 0..2u16 {
        extend(&store, &(1..60).map(|port| crowd(port, hour)).collect::<Vec<_>>()).await;
    }
    let before = all(&store).await;
    let mut thinning = Thinning::default();
    let at = Some(Hour(DAY + 24).start());
    let (mut parts, mut most) = (numbers(&store, "SELECT count(*) FROM observation_part").await[0], 0);
    assert!(parts > 30, "{parts}");
    assert_eq!(store.thin_some(&mut thinning, at).await.unwrap(), Thinned::Some);
    assert!(numbers(&store, "SELECT count(*) FROM hidden_batch").await[0] > 0);
    drop(thinning);
    assert!(all(&store).await == before);
    assert_eq!(thin(&store, None).await, []);
    assert_eq!(numbers(&store, "SELECT count(*) FROM observation_part").await, [parts]);
    assert_eq!(numbers(&store, "SELECT count(*) FROM hidden_batch").await, [0]);
    let mut thinning = Thinning::default();
    while store.thin_some(&mut thinning, at).await.unwrap() != Thinned::Done {
        let now = numbers(&store, "SELECT count(*) FROM observation_part").await[0];
        most = most.max(now.abs_diff(parts));
        parts = now;
    }
    assert!(most <= 64, "{most} parts in one step");
}

#[tokio::test]
async fn however_many_days_cannot_be_read_the_others_are_brought_together() {
    const DAMAGED: usize = 1_500;
    let store = Store::in_memory().await.unwrap();
    let hours: Vec<Observation> =
        (0..1_501).map(|day| in_hour(DAY + 24 * day, 1..2)).chain([in_hour(DAY + 24 * 1_500 + 1, 1..2)]).collect();
    extend(&store, &hours).await;
    let damage = "UPDATE observation_part SET data = x'ff' WHERE hour < 480000 + 24 * 1500";
    sqlx::query(damage).execute(&store.pool).await.unwrap();
    assert_eq!(thin(&store, Some(DAY + 24 * 2_000)).await.len(), DAMAGED);
    let days = "SELECT hour FROM seen_part WHERE hours > 1";
    assert_eq!(numbers(&store, days).await, [i64::from(DAY + 24 * 1_500)]);
}

#[tokio::test]
async fn an_hour_that_is_known_to_be_damaged_is_not_tried_again() {
    let store = Store::in_memory().await.unwrap();
    for n in 0..3 {
        extend(&store, &[in_hour(DAY, n..n + 1)]).await;
    }
    sqlx::query("UPDATE observation_part SET data = x'ff' WHERE batch = 1").execute(&store.pool).await.unwrap();
    let damage = extend(&store, &[in_hour(DAY + 1, 1..2)]).await.expect("the hour before cannot be brought together");
    let known = BTreeSet::from([(damage.run, damage.hour)]);
    let mut batch = Batch::default();
    batch.add(&[in_hour(DAY + 1, 2..3)]);
    let told = store.extend_run_by(&live(5), &batch, &Learnt::default(), &known).await.unwrap();
    assert_eq!(told, None);
    assert_eq!(extend(&store, &[in_hour(DAY + 1, 3..4)]).await, Some(damage), "unknown it is told again");
}

#[tokio::test]
async fn a_flush_in_pieces_is_written_as_one_in_the_order_of_its_keys() {
    let (pieces, whole) = (Store::in_memory().await.unwrap(), Store::in_memory().await.unwrap());
    let mut batch = Batch::default();
    batch.add(&[in_hour(DAY, 1..3), in_hour(DAY + 1, 1..3)]);
    batch.add(&[in_hour(DAY, 3..5), in_hour(DAY + 2, 1..2)]);
    batch.add(&[]);
    batch.add(&[crowd(79, 0), in_hour(DAY, 5..9)]);
    batch.settle();
    pieces.extend_run_by(&live(5), &batch, &Learnt::default(), &BTreeSet::new()).await.unwrap();
    let rows = [crowd(79, 0), in_hour(DAY, 1..9), in_hour(DAY + 1, 1..3), in_hour(DAY + 2, 1..2)];
    extend(&whole, &rows).await;
    assert!(all(&pieces).await == rows);
    for sql in [
        "SELECT hour * 10 + batch FROM observation_part ORDER BY 1",
        "SELECT length(data) FROM observation_part ORDER BY 1",
    ] {
        assert_eq!(numbers(&pieces, sql).await, numbers(&whole, sql).await);
    }
}

#[tokio::test]
async fn a_run_tells_of_the_samples_that_it_holds_now() {
    let store = Store::in_memory().await.unwrap();
    let samples = |store: Store| async move { store.runs().await.unwrap()[0].loss.notes.values().sum::<u64>() };
    extend(&store, &[in_hour(DAY, 1..2_000), in_hour(DAY + 1, 1..2_000)]).await;
    assert_eq!(samples(store.clone()).await, 2);
    thin(&store, Some(DAY + 24)).await;
    assert_eq!(samples(store.clone()).await, 1);
    while store.forget_some(Hour(DAY + 24).start(), &[RunId(5)]).await.unwrap() {}
    assert_eq!(samples(store).await, 0);
}

#[tokio::test]
async fn runs_of_which_nothing_is_left_go_unless_they_go_on_and_none_ends_before_it_begins() {
    let store = Store::in_memory().await.unwrap();
    let at = |hour: i32| Some(Hour(hour).start());
    let mut write = Vec::new();
    for (id, first, last) in [(1, at(DAY), at(DAY + 1)), (2, at(DAY), at(DAY + 1)), (3, None, None), (4, None, None)] {
        let run = Run { first_packet: first, last_packet: last, ..live(id) };
        store.extend_run(&run, &[], &Learnt::default()).await.unwrap();
        write.push(run);
    }
    let going_on = [RunId(2), RunId(4)];
    assert!(store.forget_some(Hour(DAY + 100).start(), &going_on).await.unwrap());
    assert!(!store.forget_some(Hour(DAY + 100).start(), &going_on).await.unwrap(), "and not at every flush again");
    let told: Vec<_> = store.runs().await.unwrap().iter().map(|it| (it.id, it.first_packet, it.last_packet)).collect();
    assert_eq!(told, [(RunId(2), None, None), (RunId(4), None, None)]);
}

/// By hand: `cargo nextest run --release --run-ignored only --no-capture -E 'test(a_flush_beside_a_long_history)'`.
#[tokio::test]
#[ignore = "a measurement"]
async fn a_flush_beside_a_long_history() {
    const FLUSHES: u16 = 200;
    let folder = tempfile::tempdir().unwrap();
    for days in [1, 90] {
        let store = Store::open_for_daemon(&folder.path().join(format!("{days}.db"))).await.unwrap();
        let rows = |hour: i32| -> Vec<Observation> {
            let row = |port: u16| {
                let mut row = observation(port, 1..900);
                row.key.hour = Hour(hour);
                row
            };
            (1..40).map(row).collect()
        };
        for hour in 0..days * 24 {
            extend(&store, &rows(DAY + hour)).await;
        }
        let parts = numbers(&store, "SELECT count(*) FROM observation_part").await[0];
        let begun = std::time::Instant::now();
        for n in 0..FLUSHES {
            extend(&store, &[in_hour(DAY + days * 24, n..n + 1)]).await;
        }
        let flush = begun.elapsed() / u32::from(FLUSHES);
        let begun = std::time::Instant::now();
        store.forget_some(Hour(DAY).start(), &[]).await.unwrap();
        println!("{days} days, {parts} parts: a flush {flush:?}, nothing to forget {:?}", begun.elapsed());
        store.close().await;
    }
}

#[tokio::test]
async fn a_time_that_is_kept_is_there_again_and_what_is_later_than_the_clock_is_not_believed() {
    let store = Store::in_memory().await.unwrap();
    assert_eq!(store.kept_time().await.unwrap(), None);
    let doubted = Some((Timestamp(9_000), Duration::from_secs(7)));
    for time in [KeptTime { believed: Timestamp(5), doubted }, KeptTime { believed: Timestamp(6), doubted: None }] {
        store.keep_time(time).await.unwrap();
        assert_eq!(store.kept_time().await.unwrap(), Some(time));
    }
    for (id, last) in [(5, 100), (6, 900)] {
        let run = Run { first_packet: Some(Timestamp(1)), last_packet: Some(Timestamp(last)), ..live(id) };
        store.extend_run(&run, &[in_hour(0, 1..2)], &Learnt::default()).await.unwrap();
    }
    assert_eq!(store.newest(Timestamp(500)).await.unwrap(), Some(Timestamp(100)));
    assert_eq!(store.newest(Timestamp(50)).await.unwrap(), None);
}

/// A daemon of the version before began days under numbers below 0, and may go on beside this one.
#[tokio::test]
async fn a_day_that_an_earlier_version_left_half_done_never_counts() {
    let store = Store::in_memory().await.unwrap();
    extend(&store, &[in_hour(DAY, 1..5)]).await;
    extend(&store, &[in_hour(DAY + 1, 5..9)]).await;
    let sql = "INSERT INTO observation_part SELECT * FROM observation_part WHERE hour = 480000";
    let columns = "SELECT name FROM pragma_table_info('observation_part')";
    let names: Vec<String> = sqlx::query_scalar(columns).fetch_all(&store.pool).await.unwrap();
    let picked: Vec<String> =
        names.iter().map(|name| if name == "batch" { "-1".to_owned() } else { name.clone() }).collect();
    let sql = sql.replace("SELECT *", &format!("SELECT {}", picked.join(", ")));
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&store.pool).await.unwrap();
    let count = async || {
        let mut count = 0;
        store.observations(&Filter::default(), |_, row| count += row.traces.total()).await.unwrap();
        count
    };
    assert_eq!(count().await, 8);
    assert_eq!(thin(&store, Some(DAY + 24)).await, []);
    assert_eq!(count().await, 8);
    assert_eq!(numbers(&store, "SELECT COUNT(*) FROM observation_part WHERE batch < 0").await, [0]);
}
