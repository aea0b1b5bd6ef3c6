//! `report.html`: what it says, and how it reads in a browser.

use std::{fmt::Write as _, fs};

use serde_json::{Value, json};

use crate::common::{Flowmap, browser};

/// The report, without the places where a line may break.
fn page(flowmap: &Flowmap) -> String {
    fs::read_to_string(flowmap.path("policies-out/report.html")).expect("a report").replace("<wbr>", "")
}

fn evidence(flowmap: &Flowmap) -> Value {
    let text = fs::read_to_string(flowmap.path("policies-out/evidence.json")).expect("an index");
    serde_json::from_str(&text).expect("JSON")
}

fn with_report() -> Flowmap {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&["suggest", "-n", "production"]);
    flowmap
}

#[test]
fn the_report_of_the_sample_tells_each_policy_and_all_that_was_left_out() {
    let flowmap = with_report();
    let (page, evidence) = (page(&flowmap), evidence(&flowmap));
    let production = &evidence["namespaces"]["production"];
    for (name, policy) in production["policies"].as_object().expect("policies") {
        assert!(page.contains(&format!("<h5>{name}</h5>")), "{name}");
        for side in ["ingress", "egress"] {
            for access in policy[side].as_array().expect("accesses") {
                let peer = access["peer"].as_str().expect("a peer");
                assert!(page.contains(&format!("<tr><th scope=\"row\">{peer}<td>")), "{name}: {peer}");
            }
        }
    }
    for name in ["allow-dns-api", "allow-dns-debug", "allow-dns-web"] {
        assert!(page.contains(&format!("<h5>{name}</h5>")), "{name}");
    }
    for left in production["left_out"].as_array().expect("left out") {
        let [from, reason] = [&left["client"], &left["reason"]].map(|it| it.as_str().expect("a word"));
        let row = page
            .lines()
            .find(|it| it.starts_with(&format!("<tr><th scope=\"row\">{from}<td>")) && it.ends_with(reason));
        assert!(row.is_some(), "{from}: {reason}");
    }
    for words in [
        "Nothing that was seen would break.",
        "232 of 232 connections would be allowed.",
        "Closed besides: 128 attempts",
        "<b>5 of 5</b>",
        "<b>6.0 → 1.2</b>",
        "<td>4 targets<td>20 ports<td class=\"n\">120<td>part of a scan",
        "traffic was seen in one hour alone",
        "42 pairs are open before, 10 after",
        "kubectl apply -k production",
    ] {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn the_report_belongs_to_the_proposal_like_its_other_files() {
    let flowmap = with_report();
    let files: Vec<Value> = evidence(&flowmap)["files"].as_array().expect("files").clone();
    assert!(files.contains(&json!("report.html")));
    let once = page(&flowmap);
    flowmap.ok(&["suggest", "-n", "production"]);
    assert_eq!(once, page(&flowmap), "the same flows give the same bytes");
    // what flowmap did not write is never touched
    let other = Flowmap::with_sample();
    other.write("policies-out/report.html", "mine");
    other.run(&["suggest", "-n", "production"]).is_an_error(&["report.html", "flowmap did not write it"]);
    assert_eq!(page(&other), "mine");
}

#[test]
fn what_would_be_denied_comes_first_and_is_red() {
    let flowmap = with_report();
    let path = flowmap.path("policies-out/production/db.yaml");
    fs::remove_file(path).expect("a policy");
    flowmap.write("policies-out/production/deny.yaml", "");
    let edited =
        fs::read_to_string(flowmap.path("policies-out/production/api.yaml")).expect("a policy").replace("5432", "5999");
    flowmap.write("policies-out/production/api.yaml", edited);
    assert_eq!(flowmap.run(&["suggest", "-n", "production"]).code, 1);
    let page = page(&flowmap);
    assert!(
        page.contains("Something that was seen would break.")
            && page.contains("<span class=\"tag stop\">denied</span>")
    );
    assert!(page.contains("class=\"line denied") && page.contains("Decided by hand"));
}

/// The after-map of a report.
fn after(page: &str) -> &str {
    let (_, after) = page.split_once("<figure class=\"figure-after\">").expect("a map of what stays possible");
    after.split_once("</figure>").expect("its end").0
}

#[test]
fn what_stays_possible_keeps_the_ports_of_a_line_that_are_not_denied() {
    let flowmap = Flowmap::new();
    crate::common::cluster::two_ports(&flowmap);
    let suggest = ["suggest", "-n", "shop", "--isolate-unseen", "--from", "flows.csv", "--inventory", "cluster.json"];
    flowmap.run(&suggest);
    let path = flowmap.path("policies-out/shop/b.yaml");
    let edited = fs::read_to_string(&path).expect("a policy").replace("port: 81", "port: 5999");
    flowmap.write("policies-out/shop/b.yaml", edited);
    assert_eq!(flowmap.run(&suggest).code, 1);
    let page = page(&flowmap);
    assert!(page.contains("shop/a → shop/b: TCP/80, TCP/81, 91 connections, DENIED: TCP/81 (1 of 91)"));
    assert!(after(&page).contains("<title>shop/a → shop/b: TCP/80, 90 connections</title>"), "{}", after(&page));
}

#[test]
fn what_is_left_open_is_not_told_to_be_closed() {
    let flowmap = Flowmap::new();
    crate::common::cluster::two_ports(&flowmap);
    flowmap.run(&["suggest", "-n", "shop", "--from", "flows.csv", "--inventory", "cluster.json"]);
    let page = page(&flowmap);
    let caption = after(&page);
    for words in [
        "After, 2 pairs can.",
        "Possible as before and not drawn: 1 line between boxes that this proposal does not close.",
        "Left open: 2 boxes, with a dashed edge.",
    ] {
        assert!(caption.contains(words), "{words}: {caption}");
    }
    assert!(!caption.contains("Nothing is allowed between boxes"), "b may still call a");
}

/// The page asks for nothing, and nothing that slipped in would run.
#[test]
fn the_page_is_sealed() {
    let page = page(&with_report());
    let csp =
        page.lines().find(|line| line.contains("Content-Security-Policy")).expect("a policy").replace("&#39;", "'");
    for part in
        ["default-src 'none'", "style-src 'sha256-", "script-src 'sha256-", "base-uri 'none'", "form-action 'none'"]
    {
        assert!(csp.contains(part), "{csp}");
    }
    assert!(!csp.contains("unsafe") && !page.contains(" style=\"") && !page.contains(" onclick"));
    let links = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!links.contains("http://") && !links.contains("https://") && !links.contains("src=\""));
}

fn read_in_browser(flowmap: &Flowmap) -> Option<Value> {
    if !browser::is_there() {
        return None;
    }
    let address = browser::address(&flowmap.path("policies-out/report.html"));
    Some(browser::run("report.mjs", &[&address])["answer"].clone())
}

fn is_readable(answer: &Value) {
    for scheme in ["light", "dark"] {
        assert_eq!(answer[scheme]["hindrances"], json!([]), "{scheme}");
    }
    assert_ne!(answer["light"]["background"], answer["dark"]["background"]);
    let levels: Vec<i64> = answer["headings"].as_array().expect("headings").iter().filter_map(Value::as_i64).collect();
    assert_eq!(levels.first(), Some(&1));
    assert!(levels.windows(2).all(|it| it[1] <= it[0] + 1), "no level is left out: {levels:?}");
    assert_eq!(answer["outside"], json!([]), "no name leaves its box");
    assert_eq!(answer["first"], "Skip to the policies");
    assert_eq!(answer["second"], "search");
    assert_eq!(answer["after"], true);
    assert_eq!(answer["injected"], 0);
    assert_eq!(answer["plain"]["tools"], false, "what needs a script is not shown without one");
}

#[test]
fn the_report_reads_in_a_browser_in_light_in_dark_and_by_keyboard() {
    let Some(answer) = read_in_browser(&with_report()) else { return };
    is_readable(&answer);
    assert_eq!(answer["found"], "2 of 8 policies");
    assert_eq!(answer["shown"], json!(["api", "db"]));
    assert_eq!(answer["opened"], 1);
    assert_eq!(answer["plain"]["policies"], 8);
}

#[test]
fn hostile_names_stay_text_in_the_report() {
    let flowmap = Flowmap::new();
    let long = "n".repeat(253);
    let names = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "\u{202e}evil\u{202c}",
        "a\u{0}\u{1b}b",
        "{{ 7 }}",
        &long,
    ];
    let pod = |name: &str, namespace: &str, app: &str, address: &str| {
        json!({"kind": "Pod", "apiVersion": "v1",
            "metadata": {"name": name, "namespace": namespace, "labels": {"app": app}},
            "spec": {"nodeName": name}, "status": {"phase": "Running", "podIP": address}})
    };
    let mut pods = vec![pod("api", "shop", "api", "10.0.1.1")];
    let mut flows = String::from("src_ip,dst_ip,proto,dst_port,packets,connections,outcome\n");
    for (n, name) in names.iter().enumerate() {
        let address = format!("10.0.0.{}", n + 1);
        pods.push(pod(name, "other", &format!("app-{n}"), &address));
        let _ = write!(flows, "{address},10.0.1.1,tcp,5432,20,4,established\n{address},10.0.1.1,tcp,99,20,4,refused\n");
    }
    flowmap.write("cluster.json", json!({"kind": "List", "apiVersion": "v1", "items": pods}).to_string());
    flowmap.write("flows.csv", flows);
    flowmap.run(&["suggest", "-n", "shop", "--isolate-unseen", "--from", "flows.csv", "--inventory", "cluster.json"]);
    let page = page(&flowmap);
    for forbidden in ["<script>alert", "<img", "\u{202e}", "\u{1b}", "\u{0}"] {
        assert!(!page.contains(forbidden), "{forbidden:?}");
    }
    assert!(page.contains("&#60;script&#62;alert(1)") || page.contains("&lt;script&gt;alert(1)"), "the name is there");
    let Some(answer) = read_in_browser(&flowmap) else { return };
    is_readable(&answer);
}

/// `make bench-report` measures ten times as much, which takes a minute in a build for development.
#[test]
fn a_hundred_workloads_fit_in_600_kilobytes() {
    let flowmap = Flowmap::new();
    let [flows, cluster] = crate::common::cluster::made_up(&flowmap, 100, 2_000);
    flowmap.ok(&["suggest", "-A", "--isolate-unseen", "--from", &flows, "--inventory", &cluster]);
    let size = page(&flowmap).len();
    assert!((100_000..600_000).contains(&size), "{size}");
}
