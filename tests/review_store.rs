//! The review page on a store that is empty, changes, or is looked at through a window.

#![cfg(feature = "cli")]

mod common;

use common::{Flowmap, review::Review};

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
