//! A proposal says where somebody else may have been at an end than the inventory tells.

use super::warnings::{SUGGEST, flowmap, review};
use crate::common::{
    cluster::{of, pod, service},
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
