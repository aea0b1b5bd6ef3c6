//! The review page on a store that is empty, changes, or is looked at through a window.

use std::fs;

use crate::common::{
    Flowmap,
    review::{Answer, Review},
    sample,
};

#[test]
fn a_store_that_changes_is_read_anew() {
    let flowmap = Flowmap::new();
    flowmap.ok(&["import", &sample("node-1.pcap")]);
    flowmap.ok(&["inventory", "import", &sample("cluster.json")]);
    let review = Review::start(&flowmap, &[]);
    let before = review.get("/dependencies").body;
    flowmap.ok(&["import", &sample("node-2.pcap"), &sample("pod-api.pcap")]);
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
    flowmap.ok(&["import", &sample("node-1.pcap")]);
    flowmap.ok(&["inventory", "import", &sample("cluster.json")]);
    let review = Review::start(&flowmap, &[]);
    let web = "production/web.yaml#web";
    let form = review.approval(web);
    flowmap.ok(&["import", &sample("node-2.pcap"), &sample("pod-api.pcap")]);
    let on = |page: &Answer| page.field("/decide", "on");
    let shown = form.iter().find(|(name, _)| name == "on").map(|(_, it)| it.clone());
    Review::until(|| review.policy(web), |page| on(page) != shown);
    let answer = review.post("/decide", &form);
    assert_eq!(answer.status, 409, "{}", answer.body);
    // nobody approves what was never shown: it is to be looked at first
    assert!(!answer.body.contains("Decide so all the same"), "{}", answer.body);
    review.approve(web).lands("/policy");
}

#[test]
fn whoever_asks_for_a_window_at_the_same_time_is_answered() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &["--since", "9000d"]);
    let windows = ["", "&since=9000d", "&since=2020-01-01T00:00:00Z", "&since=8000d"];
    std::thread::scope(|scope| {
        for n in 0..24 {
            let path = format!("/?asked=yes&ns=production{}", windows[n % windows.len()]);
            let review = &review;
            scope.spawn(move || Review::until(|| review.get(&path), |page| page.status == 200));
        }
    });
    // a window that slides is the same window at the next look
    let body = review.get("/?asked=yes&ns=production&since=8000d").body;
    assert!(body.contains("every connection that was seen would still go through"), "{body}");
}

#[tokio::test]
async fn an_empty_store_says_what_to_do() {
    let flowmap = Flowmap::new();
    flowmap::store::Store::open(&flowmap.path("flowmap.db")).await.expect("a store").close().await;
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
fn a_store_that_is_not_there_is_told_and_not_made() {
    let flowmap = Flowmap::new();
    let args = ["review", "--listen", "127.0.0.1:0", "--db", "typo.db"];
    flowmap
        .run(&args)
        .is_an_error(&["flowmap: store typo.db: there is no such file", "hint: name the store with --db"]);
    assert!(!flowmap.path("typo.db").exists());
}

#[test]
fn captures_without_pods_are_no_proposal_in_which_nothing_is_denied() {
    let flowmap = Flowmap::new();
    flowmap.ok(&["import", &sample("node-1.pcap")]);
    flowmap.write("hosts.csv", "address,name\n192.0.2.1,printer\n");
    flowmap.ok(&["inventory", "import", "hosts.csv"]);
    let review = Review::start_unscoped(&flowmap, &[]);
    for path in ["/", "/map", "/dependencies", "/denied", "/changes", "/history", "/export", "/map.json"] {
        let page = review.get(path);
        for words in ["no pods are known", "flowmap inventory import cluster.json", "`flowmap graph`"] {
            assert!(page.body.contains(words), "{path}: no `{words}` in {}", page.body);
        }
        assert!(!page.body.contains("connections seen") && !page.body.contains("0 endpoints"), "{path}: {}", page.body);
    }
    // while the page is open
    flowmap.ok(&["inventory", "import", &sample("cluster.json")]);
    let page = Review::until(|| review.get("/"), |page| page.body.contains("connections seen"));
    assert!(!page.body.contains("no pods are known"), "{}", page.body);
}

#[test]
fn where_nothing_was_seen_of_what_is_asked_for_something_else_can_be_chosen() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start_unscoped(&flowmap, &[]);
    for ask in ["ns=default", "since=2026-12-24T00:00:00Z", "ns=nowhere"] {
        let page = review.get(&format!("/?asked=yes&{ask}")).body;
        for words in ["No proposal", "name=\"ns\" value=\"production\"", "name=\"since\""] {
            assert!(page.contains(words), "{ask}: no `{words}` in {page}");
        }
        assert!(!page.contains("connections seen"), "{ask}: {page}");
    }
}

/// Where a process closes a file, the system takes away all of its locks on it: others would take the store for closed.
#[test]
fn a_store_that_is_read_anew_stays_locked_against_its_end() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &[]);
    let inode = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(flowmap.path("flowmap.db")).unwrap());
    let (pid, file) = (format!(" {} ", review.pid()), format!(":{inode} "));
    let is_held = || {
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        locks.lines().any(|line| line.contains("POSIX") && line.contains(&pid) && line.contains(&file))
    };
    assert!(is_held());
    for source in ["one.csv", "two.csv"] {
        let address = if source == "one.csv" { "203.0.113.7" } else { "203.0.113.8" };
        let times = "2026-11-23T23:23:30Z,2026-11-23T23:23:31Z";
        let head = "client,server,protocol,port,first_seen,last_seen";
        flowmap.write(source, format!("{head}\n10.244.1.4,{address},TCP,8443,{times}\n"));
        flowmap.ok(&["import", source]);
        Review::until(|| review.get("/dependencies?q=8443"), |page| page.body.contains(address));
        assert!(is_held(), "{source}");
    }
}

#[tokio::test]
async fn what_is_read_while_somebody_writes_is_of_one_moment() {
    use flowmap::store::{Filter, Store};
    let flowmap = Flowmap::new();
    flowmap.ok(&["import", &sample("node-1.pcap")]);
    let store = Store::open(&flowmap.path("flowmap.db")).await.expect("a store");
    store.hold_moment().await.expect("it may be read");
    assert_eq!(store.runs().await.expect("runs").len(), 1);
    flowmap.ok(&["import", &sample("node-2.pcap")]);
    let mut seen = std::collections::BTreeSet::new();
    store.observations(&Filter::default(), |run, _| seen.extend([run])).await.expect("observations");
    assert_eq!((store.runs().await.expect("runs").len(), seen.len()), (1, 1));
    store.let_go_moment().await.expect("the end of it");
    assert_eq!(store.runs().await.expect("runs").len(), 2);
}

/// Rejects the policy of a workload without traffic, as the page does.
fn reject_debug(review: &Review) -> Answer {
    let mut form = review.approval("production/debug.yaml#debug");
    form.retain(|(name, _)| name != "op");
    form.extend([("op".into(), "reject-policy".into()), ("reason".into(), "debug pods are going".into())]);
    review.post("/decide", &form)
}

/// Another store, with one capture of the sample alone.
fn other() -> Flowmap {
    let other = Flowmap::new();
    other.ok(&["import", &sample("node-1.pcap")]);
    other.ok(&["inventory", "import", &sample("cluster.json")]);
    other
}

#[test]
fn what_was_decided_is_in_the_file_itself_and_no_log_of_it_meets_another() {
    for is_during in [false, true] {
        let flowmap = Flowmap::with_sample();
        let mut review = Review::start(&flowmap, &[]);
        reject_debug(&review).lands("/policy");
        let log = flowmap.path("flowmap.db-wal");
        assert!(fs::metadata(&log).map_or(0, |data| data.len()) == 0, "what a copy of the file alone would lack");
        if !is_during {
            assert_eq!(review.end("INT"), 0);
        }
        // moved into its place, as the documents advise
        let other = other();
        let before = other.told();
        fs::rename(flowmap.path("flowmap.db"), flowmap.path("old.db")).unwrap();
        fs::rename(other.path("flowmap.db"), flowmap.path("flowmap.db")).unwrap();
        if is_during {
            // the page is of the other now, and what is decided is kept there
            assert!(!review.log().contains("debug pods are going"));
            reject_debug(&review).lands("/policy");
            assert_eq!(review.end("TERM"), 0);
        }
        assert_eq!(flowmap.told(), before, "the other is as it was: {is_during}");
        let old = flowmap.path("old.db");
        let out = ["--db", old.to_str().unwrap(), "suggest", "-n", "production", "--out-dir", "out"];
        flowmap.run(&out);
        assert!(!flowmap.path("out/production/debug.yaml").exists(), "the old one has the decision");
    }
}

#[test]
fn nothing_is_decided_where_the_store_is_gone() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &[]);
    let approval = review.approval("production/debug.yaml#debug");
    fs::rename(flowmap.path("flowmap.db"), flowmap.path("moved.db")).unwrap();
    let answer = review.post("/decide", &approval);
    assert!(answer.status >= 400, "{}", answer.body);
    assert!(answer.body.contains("flowmap.db: is there no more"), "{}", answer.body);
    assert!(!flowmap.path("flowmap.db").exists(), "no other was made in its place");
    fs::rename(flowmap.path("moved.db"), flowmap.path("flowmap.db")).unwrap();
    review.approve("production/debug.yaml#debug").lands("/policy");
}
