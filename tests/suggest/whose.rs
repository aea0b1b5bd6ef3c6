//! A proposal says where somebody else may have been at an end than the inventory tells.

use serde_json::Value;

use super::warnings::{SUGGEST, flowmap, review, talk};
use crate::common::{
    Flowmap,
    cluster::{list, node, of, pod, service},
    packets::Capture,
};

#[test]
fn a_service_that_led_to_somebody_whom_the_inventory_does_not_know_behind_it_is_named() {
    let mut capture = Capture::new();
    capture.at("2026-11-24T10:00:00Z").through("10.244.1.5:40000", "10.96.0.7:80", "10.244.1.6:8080");
    let objects = [service("api", "10.96.0.7"), of("ops", pod("batch", "10.244.1.7"))];
    let as_listed = flowmap(&capture, &objects);
    let stderr = as_listed.ok(&SUGGEST).stderr;
    assert!(!stderr.contains("by way of") && !review(&as_listed).contains("Was it somebody else?"), "{stderr}");

    // the next pod of the API has the address that was another's when the cluster was listed
    capture.at("2026-11-24T11:00:00Z").through("10.244.1.5:40001", "10.96.0.7:80", "10.244.1.7:8080");
    let moved = flowmap(&capture, &objects);
    let pair = "shop/web -> ops/batch on TCP/8080 by way of shop/api";
    let stderr = moved.ok(&SUGGEST).stderr;
    assert!(stderr.contains(&format!("flowmap: {pair}: the inventory knows nobody there of that Service")), "{stderr}");
    let review = review(&moved);
    assert!(review.contains(&format!("- **Was it somebody else?** {pair}: the inventory knows")), "{review}");
}

/// What `kubectl get ... -A` lists of the pods `web` and `api`, and of others.
fn listed(others: &[Value]) -> String {
    let elsewhere = [("a", "10.244.1.98"), ("b", "10.244.1.99")].map(|(name, address)| of(name, pod("x", address)));
    let own = [node("node-1", "192.0.2.1", "10.244.1.0/24"), pod("web", "10.244.1.5"), pod("api", "10.244.1.6")];
    list(&[&own, others, &elsewhere[..]].concat())
}

#[test]
fn what_rests_on_an_address_that_a_later_list_does_not_know_any_more_is_named() {
    let mut capture = talk();
    capture.at("2026-11-24T11:00:00Z").talk("10.244.1.7:40000", "10.244.1.6:8080");
    let batch = pod("batch", "10.244.1.7");
    for (later, is_named) in [(vec![], true), (vec![batch.clone()], false)] {
        let flowmap = flowmap(&capture, std::slice::from_ref(&batch));
        flowmap.write("later.json", listed(&later));
        flowmap.ok(&["inventory", "import", "--taken-at", "2026-11-24T13:00:00Z", "later.json"]);
        let stderr = flowmap.ok(&SUGGEST).stderr;
        let pair = "shop/batch -> shop/api on TCP/8080: all of it is later than any list that shows one of these ends";
        assert_eq!(stderr.contains(&format!("flowmap: {pair}")), is_named, "{stderr}");
        let review = review(&flowmap);
        assert_eq!(
            review.contains(&format!("- **Was it somebody else?** {pair} with its address")),
            is_named,
            "{review}"
        );
        assert!(!review.contains("shop/web -> shop/api on"), "{review}");
    }
}

#[test]
fn captures_that_go_on_past_the_last_list_of_pods_are_told() {
    let flowmap = flowmap(&talk(), &[]);
    let told = |flowmap: &Flowmap| {
        flowmap.ok(&SUGGEST);
        (review(flowmap), flowmap.ok(&["status"]).stdout)
    };
    let (review, status) = told(&flowmap);
    let caution = "- **Captures later than the inventory:** No list of pods tells of a time after 2026-11-24 00:00 UTC, and captures \
                   end 12 hours later.";
    assert!(review.contains(caution), "{review}");
    let line = "inventory     pods were last listed at 2026-11-24T00:00:00Z; connections end 12 hours later";
    assert!(status.contains(line), "{status}");
    // a list that was taken at the end may tell of nothing in the last minutes
    flowmap.write("later.json", listed(&[]));
    flowmap.ok(&["inventory", "import", "--taken-at", "2026-11-24T11:55:00Z", "later.json"]);
    let (review, status) = told(&flowmap);
    assert!(!review.contains("Captures later") && !status.contains("last listed"), "{review}{status}");
}

#[test]
fn who_was_there_for_a_small_part_of_the_window_alone_is_named() {
    let mut young = pod("newcomer", "10.244.1.8");
    young["status"]["startTime"] = "2026-11-24T11:50:00Z".into();
    let older = pod("newcomer", "10.244.1.9");
    for (pods, is_named) in [(vec![young.clone()], true), (vec![young, older], false)] {
        let flowmap = flowmap(&talk(), &pods);
        let stderr = flowmap.ok(&SUGGEST).stderr;
        let named = "shop/newcomer (10 minutes): there for a small part of the window alone";
        assert_eq!(stderr.contains(&format!("flowmap: {named}")), is_named, "{stderr}");
        let review = review(&flowmap);
        assert_eq!(review.contains(&format!("- **Watched for a short time:** {named}")), is_named, "{review}");
        assert!(!review.contains("shop/web ("), "{review}");
    }
}
