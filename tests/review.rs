//! The review page: who is let in, what decisions come to, and what is exported.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![cfg(feature = "cli")]

mod common;

use std::{fs, thread};

use common::{
    Flowmap, files,
    random::Random,
    review::{Answer, Review},
};

const SUGGEST: [&str; 5] = ["suggest", "-n", "production", "--out-dir", "out"];
const API: &str = "production/api.yaml#api";

/// The rule by which api reaches cache.
const REDIS: &str = "  - to:\n    - podSelector:\n        matchLabels:\n          app: cache\n    ports:\n    - protocol: TCP\n      port: 6379\n";

fn read(flowmap: &Flowmap, name: &str) -> String {
    fs::read_to_string(flowmap.path(name)).unwrap()
}

#[test]
fn only_who_has_the_key_is_let_in() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &[]);
    let stranger = review.stranger();
    assert_eq!(stranger.get("/").status, 401);
    assert_eq!(stranger.get("/map.json").status, 401);
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
    assert_eq!(review.get(&format!("/?{}", "ns=a&".repeat(600))).status, 400);
    let large = vec![("reason".to_owned(), "x".repeat(300_000))];
    assert_eq!(review.post("/decide", &large).status, 413);
    assert_eq!(review.raw(&format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(40_000))).status / 100, 4);
    let lines = "X-Line: a\r\n".repeat(200);
    assert_eq!(review.raw(&format!("GET / HTTP/1.1\r\n{lines}\r\n")).status, 431);
    assert_eq!(review.get("/").status, 200);
}

#[test]
fn decisions_are_honoured_by_the_next_proposal_and_can_be_taken_back() {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&SUGGEST);
    let before = files(&flowmap.path("out"));
    let review = Review::start(&flowmap, &["--out-dir", "out"]);
    // the verdict is told before anything is decided
    let preview = review.edit(API, "egress", "cache", "remove", &[]);
    assert!(preview.body.contains("removed: egress to app=cache on TCP/6379"), "{}", preview.body);
    assert!(preview.body.contains("production/cache") && preview.body.contains(">denied<"));
    assert!(!read(&flowmap, "out/production/api.yaml").is_empty() && review.log().is_empty());
    // a rejection has a reason
    let form = preview.form("/decide");
    assert_eq!(review.post("/decide", &form).status, 422);
    review.decide(&preview, "no cache since May").lands("/policy");
    let suggest = flowmap.run(&SUGGEST);
    assert_eq!(suggest.code, 1, "{}", suggest.stderr);
    assert!(!read(&flowmap, "out/production/api.yaml").contains("port: 6379"));
    let stream = flowmap.run(&["suggest", "-n", "production", "--out-dir", "-"]);
    assert_eq!(stream.stdout.matches("port: 6379").count(), 1);
    let log = review.log();
    assert!(log.contains("no cache since May") && log.contains("by <bdi>Ann</bdi>"), "{log}");
    // taken back, everything is as it was
    review.undo("no cache since May").lands("/policy");
    assert!(review.log().contains("taken back"));
    flowmap.ok(&SUGGEST);
    assert!(files(&flowmap.path("out")) == before);
    // and not twice
    let gone = Review::undo_form_of(&log, "no cache since May");
    assert_eq!(review.post("/undo", &gone).status, 404);
}

#[test]
fn a_policy_that_is_rejected_stays_away_until_it_is_proposed_again() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &["--out-dir", "out"]);
    let mut form = review.approval("production/debug.yaml#debug");
    form.retain(|(name, _)| name != "op");
    form.extend([("op".into(), "reject-policy".into()), ("reason".into(), "debug pods are going".into())]);
    review.post("/decide", &form).lands("/policy");
    flowmap.run(&SUGGEST);
    assert!(!flowmap.path("out/production/debug.yaml").exists());
    let page = review.policy("production/debug.yaml#debug");
    assert!(page.body.contains(">rejected<"), "{}", page.body);
    let mut back = page.form("/decide");
    back.push(("author".into(), "Bob".into()));
    review.post("/decide", &back).lands("/policy");
    flowmap.run(&SUGGEST);
    assert!(flowmap.path("out/production/debug.yaml").exists());
}

#[test]
fn a_peer_is_widened_and_addresses_are_put_together() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &[]);
    let wider = review.edit(API, "ingress", "web", "widen-namespace", &[]);
    assert!(wider.body.contains("added: ingress from all pods on TCP/8080"), "{}", wider.body);
    review.decide(&wider, "").lands("/policy");
    let stream = || flowmap.run(&["suggest", "-n", "production", "--out-dir", "-"]).stdout;
    assert!(stream().contains("#   added: ingress from all pods on TCP/8080"));
    let tier = review.edit(API, "egress", "db", "widen-tier", &[]);
    assert!(tier.body.contains("removed: egress to app=db on TCP/5432"), "{}", tier.body);
    review.decide(&tier, "").lands("/policy");
    assert!(stream().contains("#   removed: egress to app=db on TCP/5432"));
    // beside the addresses, or no prefix at all
    assert_eq!(review.edit(API, "egress", "cache", "prefix", &[("cidr", "10.0.0.0/8")]).status, 422);
    assert_eq!(review.edit(API, "egress", "cache", "prefix", &[("cidr", "anything")]).status, 422);
    assert_eq!(review.edit(API, "egress", "cache", "shorten", &[]).status, 422);
}

#[test]
fn an_approval_holds_for_what_was_approved_alone() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &[]);
    review.approve(API).lands("/policy");
    assert!(review.policy(API).body.contains(">approved<"));
    let preview = review.edit(API, "egress", "cache", "remove", &[]);
    review.decide(&preview, "gone").lands("/policy");
    let page = review.policy(API);
    assert!(page.body.contains(">approved as it was<"), "{}", page.body);
    assert!(page.body.contains("no longer: egress to app=cache on TCP/6379"), "{}", page.body);
    assert!(review.get("/export").body.contains("Nothing is approved as it is now"));
    review.undo("gone").lands("/policy");
    assert!(review.policy(API).body.contains(">approved<"));
}

#[test]
fn the_second_of_two_reviewers_is_told_about_the_first() {
    let flowmap = Flowmap::with_sample();
    let (ann, bob) = (Review::start(&flowmap, &["--author", "Ann"]), Review::start(&flowmap, &["--author", "Bob"]));
    // both look, then both decide
    let (first, second) = (ann.approval(API), bob.edit(API, "egress", "cache", "remove", &[]));
    ann.post("/decide", &first).lands("/policy");
    let conflict = bob.decide(&second, "not needed");
    assert_eq!(conflict.status, 409);
    assert!(conflict.body.contains("Somebody decided on this policy since you looked at it"), "{}", conflict.body);
    assert!(conflict.body.contains("by <bdi>Ann</bdi>") && conflict.body.contains("not needed"), "{}", conflict.body);
    assert!(!bob.log().contains("not needed"));
    // chosen again, knowingly
    bob.post("/decide", &conflict.form("/decide")).lands("/policy");
    assert!(ann.log().contains("not needed"));
    // decisions on two policies stand in nobody's way
    let (one, other) = (ann.approval("production/db.yaml#db"), bob.approval("production/web.yaml#web"));
    ann.post("/decide", &one).lands("/policy");
    bob.post("/decide", &other).lands("/policy");
}

#[test]
fn many_decisions_at_once_are_all_kept() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &[]);
    let policies = ["api", "cache", "db", "debug", "web"].map(|name| format!("production/{name}.yaml#{name}"));
    let forms = policies.clone().map(|policy| review.approval(&policy));
    thread::scope(|scope| {
        for form in &forms {
            scope.spawn(|| review.post("/decide", form).lands("/policy"));
        }
    });
    // and of twice the same at one time one alone
    let form = review.approval("production/default-deny.yaml#default-deny");
    let codes: Vec<u16> = thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| review.post("/decide", &form).status));
        both.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(codes.contains(&303) && codes.contains(&409), "{codes:?}");
    assert_eq!(review.log().matches(">approved<").count(), 6);
}

#[test]
fn the_later_word_counts_between_the_page_and_the_folder_and_it_is_said() {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&SUGGEST);
    let review = Review::start(&flowmap, &["--out-dir", "out"]);
    let preview = review.edit(API, "egress", "cache", "remove", &[]);
    review.decide(&preview, "gone").lands("/policy");
    flowmap.run(&SUGGEST);
    // put back in the folder, after the page: the folder counts
    let api = read(&flowmap, "out/production/api.yaml");
    flowmap.write("out/production/api.yaml", format!("{api}{REDIS}"));
    let output = flowmap.ok(&SUGGEST);
    assert!(output.stderr.contains("edited in out after Ann decided otherwise"), "{}", output.stderr);
    assert!(read(&flowmap, "out/production/api.yaml").contains("port: 6379"));
    let log = review.log();
    assert!(log.contains("edited in the folder") && log.contains("no longer removed"), "{log}");
    // taken out in the folder, then put back on the page before flowmap looks at the folder: the page counts
    let api = read(&flowmap, "out/production/api.yaml");
    flowmap.write("out/production/api.yaml", api.replacen(REDIS, "", 1));
    let page = review.edit(API, "egress", "cache", "restore", &[]);
    assert!(page.body.contains("no longer removed: egress to app=cache on TCP/6379"), "{}", page.body);
    review.decide(&page, "").lands("/policy");
    let output = flowmap.ok(&SUGGEST);
    assert!(output.stderr.contains("edited in out before Ann decided otherwise"), "{}", output.stderr);
    assert!(read(&flowmap, "out/production/api.yaml").contains("port: 6379"));
    // what was decided again in the folder cannot be taken back over it
    let refused = review.undo("gone");
    assert_eq!(refused.status, 409);
}

#[test]
fn what_is_approved_is_exported_with_its_order_and_the_way_back() {
    let flowmap = Flowmap::with_sample();
    let mut cluster: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(common::sample("cluster.json")).unwrap()).unwrap();
    let deployed = serde_json::json!([
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
         "metadata": {"name": "db", "namespace": "production", "uid": "1", "resourceVersion": "7", "annotations": {"owner": "dba"}},
         "spec": {"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"], "ingress": [{}]}},
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "other", "namespace": "production"},
         "spec": {"podSelector": {"matchLabels": {"app": "cache"}}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {}}]}]}},
    ]);
    cluster["items"].as_array_mut().unwrap().extend(deployed.as_array().unwrap().clone());
    flowmap.write("cluster.json", cluster.to_string());
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    let review = Review::start(&flowmap, &["--out-dir", "out"]);
    review.approve_all();
    let page = review.get("/export");
    review.post("/export", &page.form("/export")).lands("/export");
    let rollout = read(&flowmap, "out/ROLLOUT.md");
    let place = |word: &str| rollout.find(word).unwrap_or_else(|| panic!("no `{word}` in {rollout}"));
    // what closes the namespace is last, and what goes together stands in one step
    assert!(place("- production/default-deny") > place("- production/api"), "{rollout}");
    assert!(rollout.contains("kubectl apply -f production/allow-dns.yaml -f production/api.yaml"), "{rollout}");
    assert!(rollout.contains("approved by Ann") && rollout.contains("0 denied"), "{rollout}");
    // the model of a cluster: names to policies
    let objects = |text: &str| -> Vec<serde_json::Value> { flowmap::yaml::read_all(text).unwrap() };
    let name = |object: &serde_json::Value| object["metadata"]["name"].as_str().unwrap().to_owned();
    let mut there: std::collections::BTreeMap<String, serde_json::Value> =
        deployed.as_array().unwrap().iter().map(|object| (name(object), object.clone())).collect();
    let before = there.clone();
    for (path, bytes) in files(&flowmap.path("out/production")) {
        let is_policies = !path.ends_with('/') && path != "kustomization.yaml";
        for object in objects(std::str::from_utf8(&bytes).unwrap()).into_iter().filter(|_| is_policies) {
            there.insert(name(&object), object);
        }
    }
    assert!(there.len() > before.len());
    let undo = read(&flowmap, "out/UNDO.sh");
    let (deletes, restores) = undo.split_once("<<'UNDO'\n").unwrap();
    for line in deletes.lines().filter(|line| line.starts_with("kubectl delete")) {
        assert!(line.contains("-n 'production' 'default-deny'"), "{line}");
        for gone in line.split('\'').skip(3).step_by(2) {
            assert!(there.remove(gone).is_some(), "{gone}");
        }
    }
    for object in objects(restores.split("\nUNDO\n").next().unwrap()) {
        assert!(object["metadata"].get("uid").is_none() && object["metadata"]["annotations"]["owner"] == "dba");
        there.insert(name(&object), object);
    }
    let write = |file: &str, all: &std::collections::BTreeMap<String, serde_json::Value>| {
        let items: Vec<_> = all.values().collect();
        flowmap.write(file, serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string());
    };
    write("before.json", &before);
    write("after.json", &there);
    let diff = flowmap.run(&["diff", "before.json", "after.json", "--inventory", "cluster.json"]);
    assert_eq!(diff.code, 0, "{}{}", diff.stdout, diff.stderr);
    // the folder is one that simulate and suggest take, and the way back outlasts the next proposal
    assert_ne!(flowmap.run(&["simulate", "out"]).code, 2);
    flowmap.run(&SUGGEST);
    assert_eq!(read(&flowmap, "out/UNDO.sh"), undo);
}

#[test]
fn a_part_that_is_approved_is_exported_alone() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &["--out-dir", "out"]);
    review.approve("production/db.yaml#db").lands("/policy");
    let page = review.get("/export");
    review.post("/export", &page.form("/export")).lands("/export");
    let names: Vec<String> = files(&flowmap.path("out")).into_keys().filter(|name| !name.ends_with('/')).collect();
    assert_eq!(
        names,
        [
            "REVIEW.md",
            "ROLLOUT.md",
            "UNDO.sh",
            "evidence.json",
            "production/db.yaml",
            "production/kustomization.yaml",
            "report.html"
        ]
    );
    assert!(read(&flowmap, "out/production/kustomization.yaml").contains("- db.yaml"));
    assert!(!read(&flowmap, "out/production/kustomization.yaml").contains("api.yaml"));
    // the whole proposal into the same folder is as if nothing had been there
    flowmap.ok(&SUGGEST);
    let elsewhere = Flowmap::with_sample();
    elsewhere.ok(&SUGGEST);
    let own = |flowmap: &Flowmap| {
        let mut own = files(&flowmap.path("out/production"));
        own.retain(|name, _| !name.ends_with('/'));
        own
    };
    assert!(own(&flowmap) == own(&elsewhere));
}

#[test]
fn a_store_that_changes_is_read_anew() {
    let flowmap = Flowmap::new();
    flowmap.ok(&["import", &common::sample("node-1.pcap")]);
    flowmap.ok(&["inventory", "import", &common::sample("cluster.json")]);
    let review = Review::start(&flowmap, &[]);
    let before = review.get("/dependencies").body;
    flowmap.ok(&["import", &common::sample("node-2.pcap"), &common::sample("pod-api.pcap")]);
    let after = Review::until(
        || review.get("/dependencies"),
        |page| page.body != before && !page.body.contains("class=\"banner\""),
    );
    assert!(after.body.contains("production/db"));
    // a form from before is about another policy
    assert_eq!(review.get("/").status, 200);
}

#[test]
fn a_form_on_what_changed_meanwhile_is_told_so() {
    let flowmap = Flowmap::new();
    flowmap.ok(&["import", &common::sample("node-1.pcap")]);
    flowmap.ok(&["inventory", "import", &common::sample("cluster.json")]);
    let review = Review::start(&flowmap, &[]);
    let web = "production/web.yaml#web";
    let form = review.approval(web);
    flowmap.ok(&["import", &common::sample("node-2.pcap"), &common::sample("pod-api.pcap")]);
    Review::until(|| review.policy(web), |page| page.form("/decide") != form);
    let is_another = review.policy(web).field("/decide", "on")
        != form.iter().find(|(name, _)| name == "on").map(|(_, it)| it.clone());
    let answer = review.post("/decide", &form);
    assert_eq!(answer.status, if is_another { 409 } else { 303 }, "{}", answer.body);
}

#[test]
fn an_empty_store_says_what_to_do() {
    let flowmap = Flowmap::new();
    let review = Review::start_unscoped(&flowmap, &[]);
    let page = review.get("/");
    assert!(
        page.body.contains("nothing was captured or imported yet") && page.body.contains("flowmap import FILE"),
        "{}",
        page.body
    );
    assert_eq!(review.get("/map.json").status, 200);
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
fn hostile_names_are_text_and_nothing_else() {
    let flowmap = common::review::hostile();
    let review = Review::start_unscoped(&flowmap, &["--out-dir", "out"]);
    for page in ["/", "/map", "/dependencies", "/denied", "/changes", "/history", "/export", "/map.json"] {
        let answer = review.get(page);
        assert_eq!(answer.status, 200, "{page}");
        let body = if page == "/map.json" { String::new() } else { answer.body };
        assert!(!body.contains("<script>") && !body.contains("<img src=x"), "{page}");
        assert!(!body.contains('\u{202e}') && !body.contains('\u{7}'), "{page}");
    }
    let all = review.get("/dependencies").body;
    assert!(all.contains("&#60;script&#62;") || all.contains("&lt;script&gt;"), "the names are there: {all}");
    // every link of the list leads to a page
    for link in review.get("/dependencies").links("/dependency?").iter().take(40) {
        let answer = review.get(link);
        assert_eq!(answer.status, 200, "{link}");
        assert!(!answer.body.contains("<script>") && !answer.body.contains("<img src=x"), "{link}");
    }
}

#[test]
fn a_workload_that_no_policy_can_be_named_after_is_told_and_breaks_nothing() {
    let flowmap = Flowmap::new();
    let name = "<script>alert(1)</script>";
    let items = [common::cluster::pod(name, "10.244.1.9"), common::cluster::pod("api", "10.244.1.10")];
    flowmap.write("cluster.json", serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string());
    flowmap.write("flows.csv", "client,server,protocol,port\n10.244.1.9,10.244.1.10,TCP,80\n");
    flowmap.ok(&["import", "flows.csv"]);
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    let review = Review::start_unscoped(&flowmap, &[]);
    let page = review.get("/");
    assert_eq!(page.status, 422);
    assert!(page.body.contains("must be a DNS") && !page.body.contains("<script>"), "{}", page.body);
}

/// Whatever comes is answered, with what is no fault of the server's.
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
            review.get(&format!("{path}?{}", common::review::encode(&fields)))
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
