//! Names, reasons and policies of strangers on the review page and in what it exports: text, and nothing else.

#![cfg(feature = "cli")]

mod common;

use common::{Flowmap, review::Review};

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
