//! Applications in and out.

use super::*;
use crate::model::{Application, ApplicationSighting, Note, Protection};

fn sighting(client: &str, application: Application, seconds: (i64, i64), times: u64) -> ApplicationSighting {
    ApplicationSighting {
        client: client.parse().ok(),
        server: "203.0.113.9".parse().unwrap(),
        port: 5_432,
        protocol: Protocol::TCP,
        application,
        protection: Protection::Undecided,
        span: Span { first: Timestamp::new(seconds.0, 0), last: Timestamp::new(seconds.1, 0) },
        times,
    }
}

async fn applications(store: &Store) -> Vec<ApplicationSighting> {
    store.applications(&Filter::default()).await.unwrap().into_iter().map(|(_, sighting)| sighting).collect()
}

fn learnt(applications: &[ApplicationSighting]) -> Learnt {
    Learnt { applications: applications.to_vec(), ..Learnt::default() }
}

#[tokio::test]
async fn applications_are_written_with_their_run_and_go_with_it() {
    let store = Store::in_memory().await.unwrap();
    let told = [
        sighting("", Application::Postgresql, (-10, 20), 2),
        sighting("10.0.0.1", Application::Mysql, (0, 10), 1),
        sighting("fd00::1", Application::Smtp, (0, 10), 1),
    ];
    for _ in 0..2 {
        write_learnt(&store, run(5), learnt(&told)).await;
    }
    assert_eq!(applications(&store).await, told);
    for filter in [
        Filter { exclude: [RunId(5)].into(), ..Filter::default() },
        Filter { site: Some("other".into()), ..Filter::default() },
    ] {
        assert_eq!(store.applications(&filter).await.unwrap(), []);
    }
    store.remove_run(RunId(5)).await.unwrap();
    assert_eq!(applications(&store).await, []);
}

#[tokio::test]
async fn applications_of_a_run_that_goes_on_grow_to_its_latest_figures() {
    let store = Store::in_memory().await.unwrap();
    for (seconds, times) in [((50, 50), 1), ((30, 90), 4), ((30, 90), 4)] {
        let told = learnt(&[sighting("10.0.0.1", Application::Smtp, seconds, times)]);
        store.extend_run(&run(5), &[], &told).await.unwrap();
    }
    assert_eq!(applications(&store).await, [sighting("10.0.0.1", Application::Smtp, (30, 90), 4)]);
}

#[tokio::test]
async fn what_a_sample_shows_encrypted_is_open() {
    let store = Store::in_memory().await.unwrap();
    let told = [Application::Ssh, Application::Tls].map(|application| ApplicationSighting {
        protection: Protection::Encrypted,
        ..sighting("10.0.0.1", application, (0, 10), 1)
    });
    let mut light = run(5);
    light.loss.notes.insert(Note::Light, 32);
    for (run, expected) in [(light, [Protection::Encrypted, Protection::Open]), (run(6), [Protection::Encrypted; 2])] {
        let id = run.id;
        write_learnt(&store, run, learnt(&told)).await;
        let protections: Vec<Protection> = applications(&store).await.iter().map(|it| it.protection).collect();
        assert_eq!(protections, expected);
        store.remove_run(id).await.unwrap();
    }
}

#[tokio::test]
async fn an_application_that_this_version_does_not_know_is_not_read() {
    let store = Store::in_memory().await.unwrap();
    store.begin_run().await.unwrap().finish(&mut run(5), &[]).await.unwrap();
    for (application, protection) in [("gopher", "clear"), ("http", "rumoured")] {
        let sql = "INSERT INTO application VALUES (5, x'cb007109', 80, 6, x'', $1, $2, 0, 0, 1)";
        sqlx::query(sql).bind(application).bind(protection).execute(&store.pool).await.unwrap();
    }
    assert_eq!(applications(&store).await, []);
}

#[tokio::test]
async fn what_a_live_run_saw_spoken_is_forgotten_with_its_hours() {
    let store = Store::in_memory().await.unwrap();
    let live = Run { kind: RunKind::Live, last_packet: Some(Timestamp::new(9_000_000, 0)), ..run(5) };
    let (old, late) = (
        sighting("10.0.0.1", Application::Smtp, (0, 10), 1),
        sighting("10.0.0.1", Application::Ftp, (0, 8_000_000), 2),
    );
    store.extend_run(&live, &[], &learnt(&[old, late.clone()])).await.unwrap();
    while store.forget_some(Timestamp::new(4_000_000, 0), &[RunId(5)]).await.unwrap() {}
    assert_eq!(applications(&store).await, [late]);
}
