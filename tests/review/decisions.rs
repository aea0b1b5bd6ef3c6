//! The review page: what decisions come to, for whom they hold, and what two people at once decide.

use std::{fs, thread};

use crate::common::{
    Flowmap, files,
    proposal::{REDIS, SUGGEST},
    review::{API, Review},
};

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
    assert!(!flowmap.read("out/production/api.yaml").is_empty() && review.log().is_empty());
    // a rejection has a reason
    let form = preview.form("/decide");
    let again = review.post("/decide", &form);
    assert_eq!(again.status, 422);
    // what is missing is told at its field, and the form is still there
    assert!(again.body.contains("aria-invalid=\"true\" aria-describedby=\"reason-fault\""), "{}", again.body);
    for (name, value) in form.iter().filter(|(name, _)| name == "rule" || name == "on") {
        assert_eq!(again.field("/decide", name).as_ref(), Some(value), "{}", again.body);
    }
    review.decide(&preview, "no cache since May").lands("/policy");
    let seen = "/dependency?client=production%2Fapi&server=production%2Fcache&protocol=TCP&port=6379";
    let seen = review.get(seen).body;
    assert!(seen.contains("production/api: egress to cache (removed)<"), "{seen}");
    assert!(seen.contains("production/cache: ingress from api<"), "{seen}");
    let suggest = flowmap.run(&SUGGEST);
    assert_eq!(suggest.code, 1, "{}", suggest.stderr);
    assert!(!flowmap.read("out/production/api.yaml").contains("port: 6379"));
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
    let watched = || {
        review
            .get("/")
            .body
            .split("Watched, production: ")
            .nth(1)
            .unwrap()
            .split(" all the time")
            .next()
            .unwrap()
            .to_owned()
    };
    let before = watched();
    let mut form = review.approval("production/debug.yaml#debug");
    form.retain(|(name, _)| name != "op");
    form.extend([("op".into(), "reject-policy".into()), ("reason".into(), "debug pods are going".into())]);
    review.post("/decide", &form).lands("/policy");
    // the workload was watched as before
    assert_eq!(watched(), before);
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
    assert!(wider.body.contains("of workloads") && wider.body.contains("Opens "), "{}", wider.body);
    review.decide(&wider, "").lands("/policy");
    let stream = || flowmap.run(&["suggest", "-n", "production", "--out-dir", "-"]).stdout;
    assert!(stream().contains("#   added: ingress from all pods on TCP/8080"));
    let tier = review.edit(API, "egress", "db", "widen-tier", &[]);
    assert!(tier.body.contains("removed: egress to app=db on TCP/5432"), "{}", tier.body);
    review.decide(&tier, "").lands("/policy");
    assert!(stream().contains("#   removed: egress to app=db on TCP/5432"));
    // beside the addresses, or no prefix at all
    assert_eq!(review.edit(API, "egress", "cache", "prefix", &[("cidr", "10.0.0.0/8")]).status, 422);
    assert_eq!(review.edit(API, "egress", "cache", "shorten", &[]).status, 422);
    assert_eq!(review.edit(API, "egress", "cache", "prefix", &[("cidr", "anything")]).status, 422);
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
    let api = flowmap.read("out/production/api.yaml");
    flowmap.write("out/production/api.yaml", format!("{api}{REDIS}"));
    let output = flowmap.ok(&SUGGEST);
    assert!(output.stderr.contains("edited in out after Ann decided otherwise"), "{}", output.stderr);
    assert!(flowmap.read("out/production/api.yaml").contains("port: 6379"));
    let log = review.log();
    assert!(log.contains("edited in the folder") && log.contains("no longer removed"), "{log}");
    // taken out in the folder, then put back on the page before flowmap looks at the folder: the page counts
    let api = flowmap.read("out/production/api.yaml");
    flowmap.write("out/production/api.yaml", api.replacen(REDIS, "", 1));
    let page = review.edit(API, "egress", "cache", "restore", &[]);
    assert!(page.body.contains("no longer removed: egress to app=cache on TCP/6379"), "{}", page.body);
    review.decide(&page, "").lands("/policy");
    let output = flowmap.ok(&SUGGEST);
    assert!(output.stderr.contains("edited in out before Ann decided otherwise"), "{}", output.stderr);
    assert!(flowmap.read("out/production/api.yaml").contains("port: 6379"));
    // what was decided again in the folder cannot be taken back over it
    let refused = review.undo("gone");
    assert_eq!(refused.status, 409);
}

#[test]
fn what_a_folder_taught_can_be_taken_back_and_then_what_was_before_it() {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&SUGGEST);
    let review = Review::start(&flowmap, &["--out-dir", "out"]);
    review.decide(&review.edit(API, "egress", "cache", "remove", &[]), "gone").lands("/policy");
    flowmap.run(&SUGGEST);
    let api = flowmap.read("out/production/api.yaml");
    flowmap.write("out/production/api.yaml", format!("{api}{REDIS}"));
    flowmap.ok(&SUGGEST);
    assert_eq!(review.undo("gone").status, 409);
    review.undo("edited in the folder").lands("/policy");
    flowmap.run(&SUGGEST);
    assert!(!flowmap.read("out/production/api.yaml").contains("port: 6379"));
    review.undo("gone").lands("/policy");
    flowmap.ok(&SUGGEST);
    assert!(flowmap.read("out/production/api.yaml").contains("port: 6379"));
}

#[test]
fn a_file_from_the_future_does_not_make_the_page_the_later_word_for_ever() {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&SUGGEST);
    let debug = flowmap.read("out/production/debug.yaml");
    flowmap.write("out/production/debug.yaml", format!("# see TICKET-7\n{debug}").replace("port: 8080", "port: 8081"));
    let file = fs::File::open(flowmap.path("out/production/debug.yaml")).unwrap();
    file.set_modified(std::time::SystemTime::now() + std::time::Duration::from_hours(48)).unwrap();
    let output = flowmap.run(&SUGGEST);
    assert!(output.stderr.contains("production/debug.yaml: was changed in the future"), "{}", output.stderr);
    let review = Review::start(&flowmap, &["--out-dir", "out"]);
    review.decide(&review.edit(API, "egress", "cache", "remove", &[]), "gone").lands("/policy");
    flowmap.run(&SUGGEST);
    // put back in the folder after that: the folder's is the later word
    let api = flowmap.read("out/production/api.yaml");
    flowmap.write("out/production/api.yaml", format!("{api}{REDIS}"));
    let output = flowmap.run(&SUGGEST);
    assert!(output.stderr.contains("edited in out after Ann decided otherwise"), "{}", output.stderr);
    assert!(flowmap.read("out/production/api.yaml").contains("port: 6379"));
}

#[test]
fn of_many_that_are_ticked_one_that_is_another_stops_itself_alone() {
    let flowmap = Flowmap::with_sample();
    let (ann, bob) = (Review::start(&flowmap, &["--author", "Ann"]), Review::start(&flowmap, &["--author", "Bob"]));
    let ticks = ann.get("/").form("/decide");
    bob.decide(&bob.edit(API, "egress", "cache", "remove", &[]), "no cache").lands("/policy");
    let conflict = ann.post("/decide", &ticks);
    assert_eq!(conflict.status, 409);
    assert!(!conflict.body.contains("Decide so all the same"), "{}", conflict.body);
    assert!(!ann.log().contains(">approved<"));
    ann.post("/decide", &conflict.form("/decide")).lands("/");
    let others = ticks.iter().filter(|(name, _)| name == "on").count() - 1;
    assert_eq!(ann.log().matches(">approved<").count(), others);
    assert!(!ann.policy(API).body.contains(">approved<"));
}

#[test]
fn of_many_that_are_ticked_none_is_lost_where_one_was_decided_on_meanwhile() {
    let flowmap = Flowmap::with_sample();
    let (ann, bob) = (Review::start(&flowmap, &["--author", "Ann"]), Review::start(&flowmap, &["--author", "Bob"]));
    let ticks = ann.get("/").form("/decide");
    bob.approve(API).lands("/policy");
    let conflict = ann.post("/decide", &ticks);
    assert_eq!(conflict.status, 409);
    assert!(conflict.body.contains("Decide so all the same, and approve the"), "{}", conflict.body);
    ann.post("/decide", &conflict.form("/decide")).lands("/");
    let all = ticks.iter().filter(|(name, _)| name == "on").count();
    // Bob's, and all of Ann's
    assert_eq!(ann.log().matches(">approved<").count(), all + 1);
}

#[test]
fn what_a_flow_log_did_not_count_is_not_told_as_none() {
    let flowmap = crate::common::review::outside();
    let review = Review::start_unscoped(&flowmap, &[]);
    let link = review.get("/dependencies").links("/dependency?").remove(0);
    let page = review.get(&link).body;
    assert!(page.contains("not counted") && !page.contains("<dd>0</dd>"), "{page}");
}

#[test]
fn a_window_that_ends_before_it_begins_is_an_error() {
    let flowmap = Flowmap::with_sample();
    for command in ["flows", "review"] {
        flowmap.run(&[command, "--since", "1h", "--until", "2h"]).is_an_error(&["--until", "is before --since"]);
    }
    let review = Review::start(&flowmap, &[]);
    let page = review.get("/?asked=yes&ns=production&since=1h&until=2h");
    assert!(page.status == 400 && page.body.contains("before it begins"), "{}: {}", page.status, page.body);
}
