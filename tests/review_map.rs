//! The map of the review page without a browser: from namespaces to tiers to workloads by links, and a search.

#![cfg(feature = "cli")]

mod common;

use common::{Flowmap, review::Review};

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
