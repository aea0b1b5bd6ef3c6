//! The map of the review page without a browser: from namespaces to tiers to workloads by links, and a search.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::common::{Flowmap, review::Review};

#[test]
fn links_lead_from_a_namespace_by_its_tiers_to_a_workload_and_its_policy() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &[]);
    let whole = review.get("/map?asked=yes&ns=production&by=namespace");
    let namespace = whole.links("/map?").into_iter().find(|link| link.ends_with("at=production"));
    let tiers = review.get(&namespace.unwrap_or_else(|| panic!("{}", whole.body)));
    // the tier of data has two workloads in it
    let tier = tiers.links("/map?").into_iter().find(|link| link.ends_with("at=production%2Fdata"));
    let inside = review.get(&tier.unwrap_or_else(|| panic!("{}", tiers.body)));
    assert!(inside.body.contains("aria-label=\"Where on the map\""), "{}", inside.body);
    let db = inside.links("/endpoint?").into_iter().find(|link| link.ends_with("name=production%2Fdb"));
    let page = review.get(&db.unwrap_or_else(|| panic!("{}", inside.body)));
    assert!(page.body.contains("<bdi>production/db</bdi>") && page.body.contains("Who calls it"), "{}", page.body);
    let policies = page.links("/policy?");
    assert!(policies.iter().any(|link| link.ends_with("db.yaml%23db")), "{policies:?}");
    assert_eq!(review.get(&page.links("/dependency?")[0]).status, 200);
}

#[test]
fn a_line_leads_to_the_dependencies_that_it_stands_for() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &[]);
    let whole = review.get("/map?asked=yes&ns=production&by=tier");
    let lines = whole.links("/dependencies?");
    let lines: Vec<_> = lines.iter().filter(|link| link.contains("clients=")).collect();
    assert!(!lines.is_empty(), "{}", whole.body);
    for line in lines {
        let page = review.get(line);
        assert!(page.status == 200 && !page.links("/dependency?").is_empty(), "{line}: {}", page.body);
    }
}

#[test]
fn a_search_finds_who_is_within_a_box() {
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &[]);
    let page = review.get("/map?asked=yes&ns=production&by=namespace&q=CACHE");
    assert!(page.body.contains("1 found:") && page.body.contains("production/cache, data"), "{}", page.body);
    assert!(review.get("/map?q=nobody").body.contains("Nobody on this map"));
    // what is no part of a map is all of it
    assert_eq!(review.get("/map?at=a/b/c").status, 200);
}

/// More workloads than are drawn at once: what is drawn is told with the figures of all of it.
#[test]
fn of_a_map_that_is_too_large_every_line_between_drawn_boxes_is_there_and_figures_are_of_all() {
    const DRAWN: usize = 600;
    let flowmap = crate::common::review::large(700, 2_500);
    let review = Review::start_unscoped(&flowmap, &["-n", "shop"]);
    let page = Review::until(|| review.get("/map?asked=yes&ns=shop&by=workload"), |page| page.status == 200);
    assert!(
        page.body.contains("Too many to be drawn at once") && !page.body.contains("map-drawn"),
        "{}",
        page.body.len()
    );
    let map = review.get("/map.json?asked=yes&ns=shop&by=workload&q=shop/w699").body;
    let map: Value = serde_json::from_str(&map).expect("JSON");
    let nodes = map["nodes"].as_array().expect("boxes");
    assert_eq!(nodes.len(), DRAWN);
    let name = |party: &Value| match party["kind"].as_str() {
        Some("workload") => party["name"].as_str().unwrap_or_default().to_owned(),
        _ => "outside".to_owned(),
    };
    let flows = flowmap.json(&["flows"]);
    let pairs: BTreeSet<(String, String)> =
        flows.as_array().expect("flows").iter().map(|it| (name(&it["client"]), name(&it["server"]))).collect();
    let drawn: BTreeSet<&str> = nodes.iter().map(|node| node["name"].as_str().unwrap_or_default()).collect();
    let is_drawn = |(from, to): &&(String, String)| drawn.contains(from.as_str()) && drawn.contains(to.as_str());
    let edges = map["edges"].as_array().expect("lines").len();
    assert_eq!(edges, pairs.iter().filter(is_drawn).count());
    assert_eq!(map["left"], pairs.len() - edges);
    let sought = nodes.iter().find(|node| node["name"] == "shop/w699").expect("whoever was looked for is drawn");
    assert_eq!(sought["found"], true);
    assert_eq!(sought["calls"], pairs.iter().filter(|(from, _)| from == "shop/w699").count());
    assert_eq!(sought["callers"], pairs.iter().filter(|(_, to)| to == "shop/w699").count());
}
