//! The review page: who is let in, and what becomes of requests that no page of ours sends.

use crate::common::{
    Flowmap,
    random::Random,
    review::{API, Answer, Review},
};

#[test]
fn only_who_has_the_key_is_let_in() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &[]);
    let stranger = review.stranger();
    assert_eq!(stranger.get("/").status, 401);
    assert_eq!(stranger.get("/map.json").status, 401);
    assert_eq!(stranger.get("/assets/review.css").status, 401);
    assert_eq!(stranger.get("/open").status, 401);
    assert_eq!(stranger.get("/open?token=").status, 401);
    let almost = review.token.replacen(|c: char| c != '0', "0", 1);
    assert_eq!(stranger.get(&format!("/open?token={almost}")).status, 401);
    let answer = stranger.get(&format!("/open?token={}", review.token));
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    let cookie = answer.header("set-cookie").unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && !cookie.contains(&review.token),
        "{cookie}"
    );
    assert_eq!(review.get("/").status, 200);
    // a cookie of another run
    let other = Review::start(&flowmap, &[]);
    assert_eq!(
        other
            .with_cookie(&review.cookie.replacen(&review.port.to_string(), &other.port.to_string(), 1))
            .get("/")
            .status,
        401
    );
}

#[test]
fn every_answer_forbids_what_pages_do_not_need() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &[]);
    let answers = [
        review.get("/"),
        review.get("/nowhere"),
        review.get("/map.json"),
        review.get("/assets/map.js"),
        review.stranger().get("/"),
        review.stranger().get(&format!("/open?token={}", review.token)),
    ];
    for answer in answers {
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';") && policy.contains("frame-ancestors 'none'")
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert!(answer.header("cache-control").is_some());
    }
    assert!(!review.get("/").body.contains("<script"), "a page that needs no script has none");
}

#[test]
fn requests_under_other_names_and_from_other_pages_are_refused() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &[]);
    for host in ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", "localhost", ""] {
        assert_eq!(review.ask("GET", "/", &[("Host", host)], "").status, 421, "{host}");
    }
    let localhost = format!("localhost:{}", review.port);
    assert_eq!(review.ask("GET", "/", &[("Host", &localhost)], "").status, 200);
    for (name, value) in [
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
        ("Origin", "https://127.0.0.1"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        let answer = review.post_with("/decide", &review.approval(API), &[(name, value)]);
        assert_eq!(answer.status, 403, "{name}: {value}");
    }
    // two of them, or none
    assert_eq!(review.raw("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").status, 421);
    assert_eq!(review.raw("GET / HTTP/1.0\r\n\r\n").status, 421);
    let from_ours = [("Origin", "null"), ("Sec-Fetch-Site", "same-origin")];
    assert!(!review.get("/history").body.contains("approved"));
    assert_eq!(review.post_with("/decide", &review.approval(API), &from_ours).status, 303);
}

#[test]
fn a_decision_needs_the_key_of_its_form() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &[]);
    let good = review.approval(API);
    let without: Vec<_> = good.iter().filter(|(name, _)| name != "csrf").cloned().collect();
    assert_eq!(review.post("/decide", &without).status, 403);
    let mut wrong = without.clone();
    wrong.push(("csrf".into(), "0".repeat(64)));
    assert_eq!(review.post("/decide", &wrong).status, 403);
    assert_eq!(review.post("/export", &wrong).status, 403);
    assert_eq!(review.post("/undo", &wrong).status, 403);
    let as_json = review.ask("POST", "/decide", &[("Content-Type", "application/json")], "{}");
    assert_eq!(as_json.status, 415);
    assert_eq!(review.stranger().post("/decide", &good).status, 401);
    assert!(!review.get("/history").body.contains(">approved<"));
    assert_eq!(review.post("/decide", &good).status, 303);
    assert!(review.get("/history").body.contains(">approved<"));
}

#[test]
fn wrong_addresses_methods_and_sizes_are_answered_in_words() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &[]);
    assert_eq!(review.get("/nowhere").status, 404);
    assert_eq!(review.get("/assets/../../etc/passwd").status, 404);
    assert_eq!(review.get("/policy?policy=no%23such").status, 404);
    assert_eq!(review.get("/?ns=no-such").status, 404);
    assert_eq!(review.get("/?since=yesterday").status, 400);
    assert_eq!(review.get("/decide").status, 405);
    assert_eq!(review.ask("DELETE", "/", &[], "").status, 405);
    let many = vec![("on".to_owned(), "x".to_owned()); 9_000];
    assert_eq!(review.post("/decide", &many).status, 400);
    let large = vec![("reason".to_owned(), "x".repeat(800_000))];
    assert_eq!(review.post("/decide", &large).status, 413);
    assert_eq!(review.raw(&format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(40_000))).status / 100, 4);
    let lines = "X-Line: a\r\n".repeat(200);
    assert_eq!(review.raw(&format!("GET / HTTP/1.1\r\n{lines}\r\n")).status, 431);
    assert_eq!(review.get("/").status, 200);
}

#[test]
fn a_port_in_use_and_an_open_address_are_errors_with_a_hint() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &[]);
    let taken = format!("127.0.0.1:{}", review.port);
    flowmap
        .run(&["review", "--listen", &taken])
        .is_an_error(&["somebody else listens there", "hint: another review may run there"]);
    flowmap.run(&["review", "--listen", "0.0.0.0:0"]).is_an_error(&["others could connect there", "ssh -L"]);
    flowmap.run(&["--db", "/proc/none/a.db", "review"]).is_an_error(&["/proc/none/a.db"]);
}

#[test]
fn a_signal_ends_it_at_once() {
    let flowmap = Flowmap::with_sample();
    for signal in ["INT", "TERM"] {
        let mut review = Review::start(&flowmap, &[]);
        // a browser that keeps its connection open is no reason to stay
        let _open = std::net::TcpStream::connect(("127.0.0.1", review.port)).unwrap();
        assert_eq!(review.end(signal), 0, "{signal}");
    }
}

#[test]
fn random_requests_break_nothing() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &["--out-dir", "out"]);
    let csrf = review.approval(API).iter().find(|(name, _)| name == "csrf").unwrap().1.clone();
    let real = review.approval(API).iter().find(|(name, _)| name == "on").unwrap().1.clone();
    let names = [
        "ns",
        "site",
        "since",
        "until",
        "granularity",
        "direction",
        "policy",
        "rule",
        "op",
        "port",
        "cidr",
        "q",
        "from",
        "by",
        "on",
        "entry",
        "author",
        "reason",
        "asked",
        "client",
        "server",
        "protocol",
    ];
    let values = [
        "",
        "production",
        "24h",
        "-1",
        "99999999999999999999",
        "2026-01-01T00:00:00Z",
        "workload",
        "tier",
        API,
        &real,
        "approve",
        "remove",
        "prefix",
        "0.0.0.0/0",
        "::/0",
        "::",
        "a:b:c",
        "\u{202e}\u{0}",
        "%",
        "<script>",
        "Ann",
        "both",
        "d",
        "9223372036854775807d",
    ];
    let paths = [
        "/",
        "/policy",
        "/edit",
        "/map",
        "/map.json",
        "/dependencies",
        "/dependency",
        "/denied",
        "/changes",
        "/history",
        "/export",
        "/decide",
        "/undo",
        "/open",
        "/assets/x",
        "/a/b",
    ];
    let mut random = Random::new(7);
    for round in 0..400 {
        let mut pick = |all: &[&str]| (*random.pick(all)).to_owned();
        let path = pick(&paths);
        let mut fields: Vec<(String, String)> = (0..6).map(|_| (pick(&names), pick(&values))).collect();
        fields.push(("csrf".into(), csrf.clone()));
        let answer = if round % 2 == 0 {
            review.get(&format!("{path}?{}", crate::common::review::encode(&fields)))
        } else {
            review.post(&path, &fields)
        };
        assert!(answer.status < 500, "{path} {fields:?}: {} {}", answer.status, answer.body);
    }
    for _ in 0..200 {
        let bytes: Vec<u8> = (0..random.below(200)).map(|_| u8::try_from(random.below(256)).unwrap()).collect();
        review.raw_bytes(&bytes);
        let path: String = bytes.iter().map(|byte| format!("%{byte:02x}")).take(60).collect();
        assert!(review.get(&format!("/{path}?{path}")).status < 500);
    }
    let Answer { status, .. } = review.get("/");
    assert_eq!(status, 200);
}

/// Who holds connections open and has no key stands in nobody's way.
#[test]
fn strangers_take_no_place_from_who_has_the_key() {
    use std::{
        io::Write,
        net::TcpStream,
        time::{Duration, Instant},
    };
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &[]);
    assert_eq!(review.get("/").status, 200);
    let mut strangers: Vec<TcpStream> =
        (0..200).map(|_| TcpStream::connect(("127.0.0.1", review.port)).unwrap()).collect();
    for stranger in &mut strangers {
        // who was shown the door already cannot say so
        let _ = stranger.write_all(b"GET / HTTP/1.1\r\n");
    }
    let asked = Instant::now();
    for _ in 0..5 {
        assert_eq!(review.get("/history").status, 200);
    }
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
}
