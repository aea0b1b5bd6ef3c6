//! What of another store is taken in, and what stays.

use super::*;
use crate::model::{Application, ApplicationSighting, Hops, How, LinkKey, LinkSighting, Mac, Protection, VlanStack};

/// The first hour of a day.
const DAY: i32 = 24 * 20_000;

/// Objects.
const API: &str = r#"{"name":"api"}"#;
const DB: &str = r#"{"name":"db"}"#;
const WEB: &str = r#"{"name":"web"}"#;

async fn store() -> Store {
    Store::in_memory().await.unwrap()
}

fn in_hour(hour: i32, ports: std::ops::Range<u16>) -> Observation {
    let mut row = observation(80, ports);
    row.key.hour = Hour(hour);
    row
}

/// A live run goes on, and had so many packets by then.
async fn extend(store: &Store, packets: u64, rows: &[Observation]) {
    let span = (rows.first(), rows.last());
    let (Some(first), Some(last)) = span else { panic!("nothing to add") };
    let run = Run {
        kind: RunKind::Live,
        packets,
        first_packet: Some(first.key.hour.start()),
        last_packet: Some(last.key.hour.start()),
        ..run(5)
    };
    assert_eq!(store.extend_run(&run, rows, &Learnt::default()).await.unwrap(), None);
}

async fn thin(store: &Store, before: i32) {
    let mut thinning = Thinning::default();
    while store.thin_some(&mut thinning, Some(Hour(before).start())).await.unwrap() == Thinned::Some {}
}

/// What was written of each run.
async fn take_in(store: &Store, other: &Store) -> Vec<Written> {
    let taken = store.take_in(other, TakingIn::default(), |_| ()).await.unwrap();
    taken.runs.into_iter().map(|(_, written)| written).collect()
}

/// The hours, and how many connections there were in each.
async fn told(store: &Store) -> Vec<(i32, u64)> {
    all(store).await.iter().map(|it| (it.key.hour.0 - DAY, it.traces.total())).collect()
}

#[tokio::test]
async fn of_two_copies_of_a_live_capture_the_later_one_counts_in_whatever_order_they_come() {
    let (early, late) = (store().await, store().await);
    extend(&early, 10, &[in_hour(DAY, 1..3), in_hour(DAY + 1, 1..2)]).await;
    // the hour that went on has more now
    extend(&late, 30, &[in_hour(DAY, 1..3), in_hour(DAY + 1, 1..6), in_hour(DAY + 2, 1..4)]).await;
    for order in [[&early, &late], [&late, &early]] {
        let store = store().await;
        for other in order {
            take_in(&store, other).await;
        }
        assert_eq!(told(&store).await, [(0, 2), (1, 5), (2, 3)]);
        assert_eq!(store.runs().await.unwrap(), late.runs().await.unwrap());
        assert!(matches!(take_in(&store, &late).await[..], [Written::Known(_)]), "nothing is new");
        assert_eq!(all(&store).await, all(&late).await);
    }
}

#[tokio::test]
async fn what_the_later_copy_has_forgotten_stays_and_so_does_the_time_of_the_run() {
    let (early, late) = (store().await, store().await);
    extend(&early, 10, &[in_hour(DAY, 1..3), in_hour(DAY + 30, 1..2)]).await;
    extend(&late, 30, &[in_hour(DAY + 30, 1..6)]).await;
    assert_eq!(take_in(&early, &late).await, [Written::Added]);
    assert_eq!(told(&early).await, [(0, 2), (30, 5)]);
    let run = &early.runs().await.unwrap()[0];
    assert_eq!((run.first_packet, run.packets), (Some(Hour(DAY).start()), 30));
}

#[tokio::test]
async fn what_each_of_two_copies_has_forgotten_the_other_gives_in_whatever_order_they_come() {
    let (early, late) = (store().await, store().await);
    extend(&early, 10, &[in_hour(DAY, 1..3), in_hour(DAY + 1, 1..2)]).await;
    extend(&late, 30, &[in_hour(DAY + 1, 1..6), in_hour(DAY + 2, 1..4)]).await;
    for is_thin in [false, true] {
        // the whole day in one, which is then no later than what was known
        if is_thin {
            thin(&early, DAY + 24).await;
        }
        for order in [[&early, &late], [&late, &early]] {
            let store = store().await;
            for other in order {
                assert_eq!(take_in(&store, other).await, [Written::Added]);
            }
            assert_eq!(told(&store).await, [(0, 2), (1, 5), (2, 3)], "{is_thin}");
            let run = &store.runs().await.unwrap()[0];
            assert_eq!((run.packets, run.first_packet), (30, Some(Hour(DAY).start())));
            for other in order {
                assert!(matches!(take_in(&store, other).await[..], [Written::Known(_)]), "nothing is new");
            }
        }
    }
}

#[tokio::test]
async fn days_that_are_here_already_are_not_written_again() {
    let (here, there) = (store().await, store().await);
    let old = [in_hour(DAY, 1..400), in_hour(DAY + 1, 1..300)];
    extend(&there, 10, &old).await;
    take_in(&here, &there).await;
    extend(&there, 30, &[in_hour(DAY + 24, 1..3)]).await;
    let mut bytes = 0;
    here.take_in(&there, TakingIn::default(), |more| bytes += more).await.unwrap();
    assert!((1..200).contains(&bytes), "{bytes} bytes of the new day alone");
    assert_eq!(all(&here).await, all(&there).await);
}

#[tokio::test]
async fn a_day_that_was_not_over_when_it_was_brought_together_here_goes_on() {
    let (here, there) = (store().await, store().await);
    extend(&here, 10, &[in_hour(DAY, 1..3), in_hour(DAY + 1, 1..2)]).await;
    thin(&here, DAY + 24).await;
    // it has forgotten the first hour
    extend(&there, 30, &[in_hour(DAY + 1, 1..6), in_hour(DAY + 9, 1..4)]).await;
    assert_eq!(take_in(&here, &there).await, [Written::Added]);
    assert_eq!(told(&here).await, [(0, 2), (1, 5), (9, 3)]);
    thin(&here, DAY + 24).await;
    assert_eq!(told(&here).await, [(0, 2), (1, 5), (9, 3)]);
}

#[tokio::test]
async fn what_could_not_be_read_of_one_copy_comes_with_the_next_that_is_whole() {
    let rows = [in_hour(DAY, 1..3), in_hour(DAY + 1, 1..6)];
    let (broken, whole) = (store().await, store().await);
    for store in [&broken, &whole] {
        store.begin_run().await.unwrap().finish(&mut run(6), &rows).await.unwrap();
    }
    let sql = "UPDATE observation_part SET data = substr(data, 1, 9) WHERE hour = 480001";
    sqlx::query(sql).execute(&broken.pool).await.unwrap();
    for order in [[&broken, &whole], [&whole, &broken]] {
        let store = store().await;
        for other in order {
            take_in(&store, other).await;
        }
        assert_eq!(all(&store).await, rows);
        assert_eq!(store.runs().await.unwrap(), whole.runs().await.unwrap());
    }
}

#[tokio::test]
async fn a_day_that_one_of_them_has_brought_together_is_there_once() {
    // the last hour came late, when the day was whole
    let hours = [in_hour(DAY, 1..3), in_hour(DAY + 5, 2..9)];
    let late = in_hour(DAY + 7, 40..43);
    let whole = [(0, 2), (5, 7), (7, 3)];
    for (is_thin_here, is_thin_there) in [(false, true), (true, false), (true, true), (false, false)] {
        let (here, there) = (store().await, store().await);
        extend(&here, 10, &hours).await;
        extend(&there, 20, &hours).await;
        if is_thin_there {
            thin(&there, DAY + 24).await;
        }
        extend(&there, 30, std::slice::from_ref(&late)).await;
        if is_thin_here {
            extend(&here, 11, std::slice::from_ref(&late)).await;
            thin(&here, DAY + 24).await;
        }
        assert_eq!(take_in(&here, &there).await, [Written::Added]);
        assert_eq!(told(&here).await, whole, "{is_thin_here} {is_thin_there}");
        thin(&here, DAY + 24).await;
        assert_eq!(told(&here).await, whole, "{is_thin_here} {is_thin_there}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_left_out_and_told_or_refused() {
    let (here, there) = (store().await, store().await);
    extend(&here, 10, &[in_hour(DAY + 1, 1..2)]).await;
    extend(&there, 30, &[in_hour(DAY, 1..3), in_hour(DAY + 1, 1..6), in_hour(DAY + 2, 1..4)]).await;
    // cut off, and about another stretch than it says
    for sql in [
        "UPDATE observation_part SET data = substr(data, 1, 9) WHERE hour = 480001",
        "UPDATE observation_part SET hours = 2 WHERE hour = 480002",
    ] {
        sqlx::query(sql).execute(&there.pool).await.unwrap();
    }
    let strict = TakingIn { is_strict: true, ..TakingIn::default() };
    assert!(matches!(here.take_in(&there, strict, |_| ()).await, Err(StoreError::Damaged(_))));
    assert_eq!(told(&here).await, [(1, 1)], "nothing of it is written");

    assert_eq!(take_in(&here, &there).await, [Written::Added]);
    assert_eq!(told(&here).await, [(0, 2), (1, 1)], "what was known of the hour stays");
    let damage = here.runs().await.unwrap()[0].loss.damage.clone().unwrap();
    assert!(damage.starts_with("what was seen in 2 hours or days, from 2024-10-04T01:00:00Z on, cannot"), "{damage}");
}

#[tokio::test]
async fn what_was_damaged_of_a_live_run_is_told_until_a_copy_that_goes_as_far_is_whole() {
    let (early, broken, whole) = (store().await, store().await, store().await);
    extend(&early, 10, &[in_hour(DAY, 1..3), in_hour(DAY + 1, 1..2)]).await;
    for late in [&broken, &whole] {
        extend(late, 30, &[in_hour(DAY, 1..3), in_hour(DAY + 1, 1..6), in_hour(DAY + 2, 1..4)]).await;
    }
    let sql = "UPDATE observation_part SET data = substr(data, 1, 9) WHERE hour > 480000";
    sqlx::query(sql).execute(&broken.pool).await.unwrap();
    let here = store().await;
    let damage = async || here.runs().await.unwrap()[0].loss.damage.clone();
    take_in(&here, &broken).await;
    assert!(damage().await.is_some());
    take_in(&here, &early).await;
    assert_eq!(told(&here).await, [(0, 2), (1, 1)]);
    assert!(damage().await.is_some(), "the last two hours are still not whole");
    assert_eq!(take_in(&here, &whole).await, [Written::Added]);
    assert_eq!((all(&here).await, damage().await), (all(&whole).await, None));
    assert!(matches!(take_in(&here, &whole).await[..], [Written::Known(_)]), "nothing is new");
}

#[tokio::test]
async fn more_loss_makes_a_copy_the_later_one_though_no_packet_came() {
    let rows = [in_hour(DAY, 1..3)];
    let with = |notes: &[(Note, u64)], dropped| {
        let loss = Loss { notes: notes.iter().cloned().collect(), dropped_by_kernel: dropped, ..Loss::default() };
        Run { kind: RunKind::Live, packets: 10, loss, ..run(5) }
    };
    let early = with(&[], 0);
    for late in [with(&[(Note::Away, 1)], 0), with(&[(Note::Filtered, 1)], 0), with(&[], 200)] {
        let stores = [store().await, store().await];
        for (store, run) in stores.iter().zip([&early, &late]) {
            assert_eq!(store.extend_run(run, &rows, &Learnt::default()).await.unwrap(), None);
        }
        for order in [[0, 1], [1, 0]] {
            let here = store().await;
            for n in order {
                take_in(&here, &stores[n]).await;
            }
            assert_eq!(here.runs().await.unwrap(), stores[1].runs().await.unwrap());
            assert_eq!(all(&here).await, rows);
        }
    }
}

/// An object that is not what its id says, and one that is none though its id fits.
#[tokio::test]
async fn a_listing_that_cannot_be_read_is_not_taken_in() {
    let odd = content_id(&[b"not JSON"]);
    for sql in [
        "UPDATE object SET body = '{\"name\":\"other\"}'".to_owned(),
        format!("INSERT INTO object VALUES ({odd}, 'not JSON'); UPDATE snapshot_object SET object = {odd}"),
    ] {
        let (here, there) = (store().await, store().await);
        there.begin_watch(&mk_watch(10, &[WEB])).await.unwrap();
        extend(&there, 30, &[in_hour(DAY, 1..3)]).await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&there.pool).await.unwrap();
        let taken = here.take_in(&there, TakingIn::default(), |_| ()).await;
        assert!(matches!(taken, Err(StoreError::Damaged(_))), "{taken:?}");
        assert_eq!(told(&here).await, [], "nothing of it is written");
    }
}

#[tokio::test]
async fn names_sweeps_and_what_was_missed_come_with_their_run_and_go_with_it() {
    let (here, there) = (store().await, store().await);
    let name = NameSighting {
        address: "192.0.2.1".parse().unwrap(),
        name: HostName::parse(b"db.example").unwrap(),
        source: NameSource::Dns,
        used_by: Some("10.0.0.1".parse().unwrap()),
        ttl_s: 60,
        span: Span::at(time(100)),
        times: 3,
    };
    let sweep = Sweep {
        hour: Hour(DAY),
        protocol: Protocol::TCP,
        src: "10.0.0.9".parse().unwrap(),
        attempts: 900,
        packets: 901,
        bytes: 40_000,
        hosts: 250,
        targets: 800,
        ports: 4,
        span: Span::at(time(100)),
    };
    let mut run = Run { sweeps: vec![sweep], ..run(6) };
    run.loss.names = MissedNames { not_a_name: 4, ..MissedNames::default() };
    run.loss.not_decoded.insert("arp".into(), 7);
    let mut writer = there.begin_run().await.unwrap();
    writer.learn(Learnt { names: vec![name], ..Learnt::default() }).await.unwrap();
    assert_eq!(writer.finish(&mut run, &[observation(80, 1..4)]).await.unwrap(), Written::Added);

    assert_eq!(take_in(&here, &there).await, [Written::Added]);
    assert_eq!(here.runs().await.unwrap(), there.runs().await.unwrap());
    let names = async |store: &Store| store.names(&Filter::default()).await.unwrap();
    assert_eq!(names(&here).await, names(&there).await);
    assert!(here.remove_run(RunId(6)).await.unwrap());
    assert_eq!((names(&here).await.len(), all(&here).await.len()), (0, 0));
}

/// A daemon that goes on for long gathers more than fits into memory, and more than are read at a time.
#[tokio::test]
async fn what_a_run_learnt_comes_whole_however_much_it_is() {
    const MANY: u16 = 20_000;
    let (here, there) = (store().await, store().await);
    let address = |n: u16| std::net::IpAddr::from([10, 0, n.to_be_bytes()[0], n.to_be_bytes()[1]]);
    let name = |n| NameSighting {
        address: address(n),
        name: HostName::parse(b"db.example").unwrap(),
        source: NameSource::Dns,
        used_by: (n % 3 > 0).then(|| address(1)),
        ttl_s: 60,
        span: Span::at(time(100)),
        times: 3,
    };
    let application = |n| ApplicationSighting {
        client: (n % 3 > 0).then(|| address(1)),
        server: address(n / 2),
        port: n % 2,
        protocol: Protocol::TCP,
        application: Application::Tls,
        protection: Protection::Encrypted,
        span: Span::at(time(100)),
        times: 3,
    };
    let learnt = Learnt {
        names: (0..MANY).map(name).collect(),
        applications: (0..MANY).map(application).collect(),
        links: (0..MANY).map(|n| link(Some(address(n)), (1, 2), 3, (64, 60))).collect(),
    };
    write_learnt(&there, run(6), learnt).await;
    take_in(&here, &there).await;
    let filter = Filter::default();
    assert_eq!(here.names(&filter).await.unwrap().len(), usize::from(MANY));
    assert_eq!(here.names(&filter).await.unwrap(), there.names(&filter).await.unwrap());
    assert_eq!(here.applications(&filter).await.unwrap().len(), usize::from(MANY));
    assert_eq!(here.applications(&filter).await.unwrap(), there.applications(&filter).await.unwrap());
    assert_eq!(here.link_sightings(&filter).await.unwrap().len(), usize::from(MANY));
    assert_eq!(here.link_sightings(&filter).await.unwrap(), there.link_sightings(&filter).await.unwrap());
}

#[tokio::test]
async fn what_a_daemon_forgot_of_links_and_learnt_again_takes_nothing_away() {
    let store = store().await;
    let parts = [((10, 50), 9, (64, 60)), ((70, 80), 2, (0, 0)), ((90, 95), 4, (63, 62)), ((90, 99), 5, (65, 62))];
    for (seconds, packets, hops) in parts {
        let learnt = Learnt { links: vec![link(None, seconds, packets, hops)], ..Learnt::default() };
        store.extend_run(&run(5), &[], &learnt).await.unwrap();
    }
    let seen = store.link_sightings(&Filter::default()).await.unwrap();
    assert_eq!(seen.into_iter().map(|it| it.sighting).collect::<Vec<_>>(), [link(None, (10, 99), 9, (65, 60))]);
}

fn link(
    address: Option<std::net::IpAddr>,
    (first, last): (i64, i64),
    packets: u64,
    (high, low): (u8, u8),
) -> LinkSighting {
    let (interface, vlans, how, mac) =
        (String::new(), Some(VlanStack::default()), How::Traffic, Mac([2, 0, 0, 0, 0, 1]));
    LinkSighting {
        key: LinkKey { interface, vlans, how, mac, address, prefix: 0 },
        span: Span { first: time(first), last: time(last) },
        packets,
        received: 0,
        hops: Hops { high, low },
    }
}

#[tokio::test]
async fn a_site_that_is_named_takes_all_of_it_and_twice_adds_nothing() {
    let (here, there) = (store().await, store().await);
    there.begin_run().await.unwrap().finish(&mut run(6), &[observation(80, 1..4)]).await.unwrap();
    there.begin_watch(&mk_watch(10, &[WEB])).await.unwrap();
    let named = TakingIn { site: Some("lab"), ..TakingIn::default() };
    for (is_first, new) in [(true, 1), (false, 0)] {
        let taken = here.take_in(&there, named, |_| ()).await.unwrap();
        assert_eq!(taken.runs[0].1 == Written::Added, is_first);
        assert_eq!((taken.listings, taken.new_listings), (1, new));
    }
    assert_eq!(here.sites().await.unwrap(), ["lab".to_owned()].into());
    // beside it stands what keeps its own
    assert_eq!(take_in(&here, &there).await, [Written::Added]);
    assert_eq!(here.sites().await.unwrap(), ["default".to_owned(), "lab".to_owned()].into());
}

#[tokio::test]
async fn of_two_copies_of_a_watch_the_later_one_says_who_has_gone_in_whatever_order_they_come() {
    let (early, late) = (store().await, store().await);
    for (store, changes, until) in [
        (&early, vec![change(20, "", DB)], 25),
        (&late, vec![change(20, "", DB), change(30, WEB, ""), change(40, "", API)], 50),
    ] {
        let id = store.begin_watch(&mk_watch(10, &[WEB])).await.unwrap();
        store.extend_watch(id, &changes, time(until)).await.unwrap();
    }
    for order in [[&early, &late], [&late, &early]] {
        let store = store().await;
        for other in order {
            take_in(&store, other).await;
        }
        let there = [format!("{API} 40-"), format!("{DB} 20-"), format!("{WEB} s-30")];
        assert_eq!(presences(&store).await, there);
        assert_eq!(store.inventories(None).await.unwrap(), late.inventories(None).await.unwrap());
    }
}
