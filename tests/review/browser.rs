//! The review page in a real browser: nothing is asked for elsewhere, nothing runs that is not the page's own, and nobody is
//! shut out.

use std::fs;

use serde_json::{Value, json};

use crate::common::{
    Flowmap, browser,
    cluster::{list, node, pod},
    review::Review,
};

#[track_caller]
fn nobody_is_hindered(found: &Value) {
    for (page, hindrances) in found.as_object().unwrap() {
        assert_eq!(*hindrances, json!([]), "{page}");
    }
}

#[test]
fn a_person_looks_decides_and_exports_in_a_browser() {
    if !browser::is_there() {
        return;
    }
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &["--out-dir", "out"]);
    let answer = &browser::run("review.mjs", &[&review.address()])["answer"];
    let text = |name: &str| answer[name].as_str().unwrap();
    assert!(answer["map"]["rows"].as_u64().unwrap() >= 9, "{answer}");
    assert!(answer["map"]["drawn"].as_str().unwrap().contains("drawn"), "{answer}");
    assert_eq!([text("entered"), text("approved")], ["open", "approved"]);
    assert!(text("verdict").contains("denied") && text("verdict").contains("production/cache"), "{answer}");
    assert!(text("removed").contains("6379"), "{answer}");
    assert!(text("written").contains("out is written: 1 policy"), "{answer}");
    assert_eq!(text("first"), "Skip to the content");
    assert_eq!(answer["wide"], false);
    nobody_is_hindered(&answer["found"]);
    // what was approved is there, and the next proposal honours the rest
    assert!(flowmap.path("out/production/db.yaml").exists() && !flowmap.path("out/production/api.yaml").exists());
    let output = flowmap.run(&["suggest", "-n", "production", "--out-dir", "out"]);
    assert_eq!(output.code, 1, "{}", output.stderr);
    let api = fs::read_to_string(flowmap.path("out/production/api.yaml")).unwrap();
    assert!(!api.contains("port: 6379") && api.contains("#   added: ingress from all pods on TCP/8080"), "{api}");
    assert!(review.policy("production/db.yaml#db").body.contains(">approved<"));
}

#[test]
fn hostile_names_run_nothing_in_a_browser() {
    if !browser::is_there() {
        return;
    }
    let flowmap = crate::common::review::hostile();
    let review = Review::start_unscoped(&flowmap, &[]);
    let run = browser::run("hostile.mjs", &[&review.address()]);
    assert_eq!(run["dialogs"], json!([]));
    assert!(run["answer"]["links"].as_u64().unwrap() >= 5, "{run}");
    for (page, seen) in run["answer"]["seen"].as_object().unwrap() {
        assert_eq!((&seen["scripts"], &seen["images"]), (&json!(0), &json!(0)), "{page}");
        assert_eq!((&seen["isWide"], &seen["hindrances"]), (&json!(false), &json!([])), "{page}");
    }
}

#[test]
fn ten_thousand_dependencies_stay_usable() {
    if !browser::is_there() {
        return;
    }
    let flowmap = crate::common::review::large(300, 10_000);
    let review = Review::start_unscoped(&flowmap, &[]);
    // until it is read once
    Review::until(|| review.get("/"), |page| page.status == 200);
    let times = &browser::run("large.mjs", &[&review.address()])["answer"];
    for (page, time) in times.as_object().unwrap() {
        // a build without optimisation, on a machine that builds beside
        assert!(time.as_u64().unwrap() < 30_000, "{page}: {time} ms");
    }
}

#[test]
fn the_map_is_gone_through_by_keyboard_and_says_where_one_is() {
    if !browser::is_there() {
        return;
    }
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &[]);
    let answer = &browser::run("map_keys.mjs", &[&review.address()])["answer"];
    let said: Vec<&str> = answer["said"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    // a box, another one, a line of it, and that box again
    assert!(said.iter().all(|it| !it.is_empty()) && said[0] != said[1] && said[1] == said[3], "{said:?}");
    assert!(said[1].contains("Called by") && said[2].contains('→'), "{said:?}");
    assert_eq!((&answer["hindrances"], &answer["endHindrances"]), (&json!([]), &json!([])));
    assert_eq!(answer["outline"], "solid");
    assert!(answer["found"].as_str().unwrap().contains("Stands for several"), "{answer}");
    assert_eq!(answer["part"], "/map production/data");
    assert!(answer["inside"].as_str().unwrap().starts_with("production/cache"), "{answer}");
    assert_eq!(answer["end"], "/endpoint production/cache");
    assert_eq!(answer["links"][0], "/endpoint");
    assert!(answer["edge"].as_str().unwrap().contains("no box further left"), "{answer}");
    assert!(answer["drawing"]["boxes"].as_u64().unwrap() > 5, "{answer}");
    assert_eq!((&answer["drawing"]["covered"], &answer["wide"]), (&json!([]), &json!([])));
    assert_eq!(answer["scrolled"], true, "the wheel alone is the page's");
    assert!(answer["links"].as_array().unwrap().contains(&json!("/dependency")), "{answer}");
    assert!(answer["moved"].as_str().unwrap() != answer["found"] && answer["focus"] == "map", "{answer}");
}

#[test]
fn the_map_can_be_read_at_any_width_and_grows_without_a_keyboard() {
    if !browser::is_there() {
        return;
    }
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &[]);
    let answer = &browser::run("map_reading.mjs", &[&review.address()])["answer"];
    let numbers =
        |name: &str| answer[name].as_array().unwrap().iter().map(|it| it.as_f64().unwrap()).collect::<Vec<_>>();
    assert!(numbers("names").iter().all(|px| *px > 9.9), "{answer}");
    assert!(numbers("named").iter().all(|ports| *ports >= 8.0), "{answer}");
    assert_eq!((&answer["covered"], &answer["hindrances"]), (&json!([]), &json!([])));
    assert!(answer["word"].as_str().unwrap().contains("drag it, or show all"), "{answer}");
    let levels = numbers("levels");
    assert!(levels[1] > levels[0] && levels[2] < levels[1] && levels[3] < levels[0], "{answer}");
    assert_eq!(answer["whole"], true);
    assert!(answer["pinched"].as_f64().unwrap() > 1.5, "{answer}");
    assert_eq!((&answer["again"], &answer["focus"]), (&answer["line"], &json!("map")));
}

/// Two boxes of one column, one above the other: the line between them is shorter than its port.
#[test]
fn on_a_short_line_the_port_lies_level() {
    if !browser::is_there() {
        return;
    }
    let flowmap = Flowmap::new();
    let pods = [
        pod("storefront", "10.244.1.3"),
        pod("nightly-job", "10.244.1.4"),
        node("node-1", "192.0.2.1", "10.244.1.0/24"),
    ];
    flowmap.write("cluster.json", list(&pods));
    let rows = ["203.0.113.9,10.244.1.3,TCP,8080", "10.244.1.4,10.244.1.3,TCP,8443"];
    let rows = rows.map(|row| format!("{row},2026-11-24T10:00:00Z,2026-11-24T10:00:01Z,established\n")).concat();
    flowmap.write("flows.csv", format!("client,server,protocol,port,first_seen,last_seen,outcome\n{rows}"));
    flowmap.ok(&["import", "flows.csv"]);
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    let review = Review::start_unscoped(&flowmap, &[]);
    let answer = &browser::run("map_ports.mjs", &[&review.address()])["answer"];
    assert_eq!(*answer, json!({"lines": 2, "named": 2, "level": ["TCP/8443"]}));
}

#[test]
fn paper_has_the_policies_and_says_what_was_asked_for() {
    if !browser::is_there() {
        return;
    }
    let flowmap = Flowmap::with_sample();
    let review = Review::start(&flowmap, &[]);
    let answer = &browser::run("paper.mjs", &[&review.address()])["answer"];
    let policies = &answer["policies"];
    assert!(policies["names"].as_array().unwrap().contains(&json!("db")), "{answer}");
    let asked = policies["asked"].as_str().unwrap();
    for words in ["production; from 2020-01-01T00:00:00Z until now", "one policy for each workload", "closing ingress;"]
    {
        assert!(asked.contains(words), "{asked}");
    }
    assert_eq!(policies["buttons"], json!(["The past, held against this proposal", "Policies"]));
    assert_eq!((&policies["wide"], &answer["policy"]), (&json!(false), &json!({"cut": false, "yaml": true})));
    assert_eq!(answer["screen"], false);
}
