//! `flowmap graph`: the map as a picture, whatever it is made of.

use std::{collections::BTreeSet, fmt::Write as _, process::Command};

use serde_json::json;

use crate::common::{Flowmap, browser, cluster::made_up, python, sample, skipped, text};

#[derive(Clone, Copy, Debug)]
struct Rect {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Rect {
    fn overlaps(self, other: Self) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }

    fn holds(self, (x, y): (f64, f64)) -> bool {
        x > self.x && x < self.x + self.width && y > self.y && y < self.y + self.height
    }
}

/// The value of an attribute.
fn attribute<'t>(element: &'t str, name: &str) -> &'t str {
    let (_, rest) = element.split_once(&format!(" {name}=\"")).unwrap_or_else(|| panic!("no {name} in {element}"));
    rest.split_once('"').expect("a closing quote").0
}

fn number(element: &str, name: &str) -> f64 {
    attribute(element, name).parse().expect("a number")
}

/// Boxes (or frames, or bands) of a picture.
fn rects(svg: &str, class: &str) -> Vec<Rect> {
    let start = format!("<g class=\"{class}");
    let of = |line: &str| {
        let (_, rect) = line.split_once("<rect").expect("a rectangle");
        let [x, y, width, height] = ["x", "y", "width", "height"].map(|name| number(rect, name));
        Rect { x, y, width, height }
    };
    svg.lines().filter(|line| line.starts_with(&start)).map(of).collect()
}

/// Points on a path of `M`, `C` and `H`, close to each other.
fn points(path: &str) -> Vec<(f64, f64)> {
    let spaced: String =
        path.chars().flat_map(|it| if it.is_alphabetic() { vec![' ', it, ' '] } else { vec![it] }).collect();
    let mut tokens = spaced.split_whitespace();
    let mut points = Vec::new();
    let mut at = (0.0, 0.0);
    while let Some(command) = tokens.next() {
        let mut next = || tokens.next().expect("a number").parse::<f64>().expect("a number");
        match command {
            "M" => at = (next(), next()),
            "H" => {
                let x = next();
                points.extend((0..=40).map(|n| (at.0 + (x - at.0) * f64::from(n) / 40.0, at.1)));
                at.0 = x;
            }
            "C" => {
                let bends = [at, (next(), next()), (next(), next()), (next(), next())];
                for n in 0..=60 {
                    let (t, u) = (f64::from(n) / 60.0, 1.0 - f64::from(n) / 60.0);
                    let weights = [u * u * u, 3.0 * u * u * t, 3.0 * u * t * t, t * t * t];
                    let sum = |pick: fn((f64, f64)) -> f64| weights.iter().zip(bends).map(|(w, it)| w * pick(it)).sum();
                    points.push((sum(|it| it.0), sum(|it| it.1)));
                }
                at = bends[3];
            }
            _ => panic!("{command} in {path}"),
        }
    }
    points
}

fn holds_together(svg: &str) {
    let boxes = rects(svg, "node ");
    let [frames, bands] = ["frame\"", "band\""].map(|class| rects(svg, class));
    for (n, one) in boxes.iter().enumerate() {
        for other in &boxes[n + 1..] {
            assert!(!one.overlaps(*other), "{one:?} {other:?}");
        }
        let around = bands.iter().filter(|band| band.overlaps(*one)).count();
        assert_eq!(around, 1, "{one:?} lies in one band");
    }
    for (n, one) in frames.iter().enumerate() {
        assert!(frames[n + 1..].iter().all(|other| !one.overlaps(*other)), "{one:?}");
        // the name of a frame stands in its first rows
        let name = Rect { height: 18.0, ..*one };
        assert!(boxes.iter().all(|it| !it.overlaps(name)), "{one:?}");
    }
    for line in svg.lines().filter(|line| line.starts_with("<g class=\"line ")) {
        let (_, path) = line.split_once("<path").expect("a path");
        for point in points(attribute(path, "d")) {
            assert!(boxes.iter().all(|it| !it.holds(point)), "{line} crosses a box at {point:?}");
        }
    }
}

#[test]
fn no_box_no_name_and_no_line_covers_another_at_50_workloads() {
    let flowmap = Flowmap::new();
    let [flows, cluster] = made_up(&flowmap, 50, 160);
    let svg = flowmap.ok(&["graph", "--from", &flows, "--inventory", &cluster]).stdout;
    assert!(rects(&svg, "node ").len() > 50, "{}", rects(&svg, "node ").len());
    holds_together(&svg);
}

#[test]
fn many_workloads_are_put_together_and_that_is_said() {
    let flowmap = Flowmap::new();
    let [flows, cluster] = made_up(&flowmap, 400, 1500);
    let graph = |args: &[&str]| flowmap.ok(&[&["graph", "--from", &flows, "--inventory", &cluster], args].concat());
    let folded = graph(&[]);
    assert!(rects(&folded.stdout, "node ").len() <= 80);
    assert!(folded.stderr.contains("put together by ") && folded.stderr.contains("--fold none"), "{}", folded.stderr);
    holds_together(&folded.stdout);
    let all = graph(&["--fold", "none"]);
    assert!(rects(&all.stdout, "node ").len() > 400);
    holds_together(&all.stdout);
    // nothing is lost by it
    let connections = |svg: &str| {
        svg.split_once(" lines with ").and_then(|(_, it)| it.split_once(" conn")).expect("a sum").0.to_owned()
    };
    assert_eq!(connections(&folded.stdout), connections(&all.stdout));
}

#[test]
fn the_same_flows_give_the_same_bytes() {
    let flowmap = Flowmap::with_sample();
    for format in ["svg", "dot", "mermaid"] {
        let once = flowmap.ok(&["graph", "-o", format]).stdout;
        assert_eq!(once, flowmap.ok(&["graph", "-o", format]).stdout);
        let files = [sample("pod-api.pcap"), sample("node-2.pcap"), sample("node-1.pcap"), sample("cluster.json")];
        let from = ["graph", "-o", format, "--from", &files[0], &files[1], &files[2], "--inventory", &files[3]];
        assert_eq!(once, flowmap.ok(&from).stdout, "the order of files changes nothing");
    }
}

#[test]
fn the_sample_is_drawn_in_tiers_and_what_is_not_drawn_is_counted() {
    let flowmap = Flowmap::with_sample();
    let svg = flowmap.ok(&["graph", "-n", "production"]).stdout;
    for words in [
        ">edge</text>",
        ">data</text>",
        "<title>production/web → production/api: TCP/8080, 35 connections</title>",
        "<title>outside → production/web: TCP/8080, 62 connections</title>",
        "not drawn: 128 attempts that failed, were part of a scan or need no rule, and 40 connections of pods with their own node.",
        ">StatefulSet · 5432</text>",
    ] {
        assert!(svg.contains(words), "{words}: {svg}");
    }
    assert!(!svg.contains("production/debug → production/"), "a scan is not drawn");
}

#[test]
fn what_policies_deny_is_red_and_the_command_exits_with_1() {
    let flowmap = Flowmap::with_sample();
    flowmap.write("deny.yaml", "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: db, namespace: production}, spec: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress]}}");
    let deny = text(&flowmap.path("deny.yaml"));
    for args in [&["graph", "--policies", &deny][..], &["graph", "--by", "address", "--policies", &deny]] {
        let output = flowmap.run(args);
        assert_eq!(output.code, 1, "{}", output.stderr);
        let denied: Vec<&str> = output.stdout.lines().filter(|it| it.starts_with("<g class=\"line denied")).collect();
        assert!(
            !denied.is_empty() && denied.iter().all(|it| it.contains("TCP/5432") && it.contains(", DENIED")),
            "{denied:?}"
        );
    }
    assert!(flowmap.run(&["graph", "-o", "dot", "--policies", &deny]).stdout.contains("color=\"#c62f3b\""));
    assert!(flowmap.run(&["graph", "-o", "mermaid", "--policies", &deny]).stdout.contains("stroke:#c62f3b"));
    // policies that allow what was seen deny nothing
    flowmap.ok(&["suggest", "-n", "production"]);
    flowmap.ok(&["graph", "--policies", "policies-out"]);
}

#[test]
fn a_line_of_which_one_port_is_denied_says_which() {
    let flowmap = Flowmap::new();
    crate::common::cluster::two_ports(&flowmap);
    flowmap.write("deny.yaml", "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: b, namespace: shop}, spec: {podSelector: {matchLabels: {app: b}}, policyTypes: [Ingress], ingress: [{ports: [{port: 80}]}]}}");
    let graph = |format: &str| {
        let args =
            ["graph", "--from", "flows.csv", "--inventory", "cluster.json", "--policies", "deny.yaml", "-o", format];
        let output = flowmap.run(&args);
        assert_eq!(output.code, 1, "{}", output.stderr);
        output.stdout
    };
    let words = "shop/a → shop/b: TCP/80, TCP/81, 91 connections, DENIED: TCP/81 (1 of 91)";
    assert!(graph("svg").contains(&format!("<title>{words}</title>")));
    assert!(graph("dot").contains(words));
    assert!(graph("mermaid").contains("TCP/80, TCP/81, denied: TCP/81 (1 of 91)"));
}

#[test]
fn addresses_can_be_drawn_one_by_one() {
    let flowmap = Flowmap::with_sample();
    let svg = flowmap.ok(&["graph", "--by", "address"]).stdout;
    assert!(svg.contains("10.244.") && svg.contains(">data</text>"), "{svg}");
    holds_together(&svg);
}

#[test]
fn the_addresses_of_a_namespace_are_drawn_without_those_of_others() {
    let flowmap = Flowmap::new();
    let [flows, cluster] = made_up(&flowmap, 60, 200);
    let from = ["--from", &flows, "--inventory", &cluster, "--by", "address", "--fold", "none"];
    let lines = |args: &[&str]| {
        let svg = flowmap.ok(&[&["graph"], &from[..], args].concat()).stdout;
        svg.lines().filter(|line| line.starts_with("<g class=\"line ")).count()
    };
    let (all, bank) = (lines(&[]), lines(&["-n", "bank"]));
    assert!(bank > 10 && bank < all, "{bank} of {all}");
}

/// The map of a store as a page of its own, as a browser reads it.
fn read_in_browser(flowmap: &Flowmap) -> Option<serde_json::Value> {
    if !browser::is_there() {
        return None;
    }
    flowmap.write("map.html", flowmap.ok(&["graph", "-o", "html"]).stdout);
    let answer = browser::run("map.mjs", &[&browser::address(&flowmap.path("map.html"))])["answer"].clone();
    for scheme in ["light", "dark"] {
        assert_eq!(answer[scheme]["hindrances"], json!([]), "{scheme}");
    }
    assert_ne!(answer["light"]["background"], answer["dark"]["background"]);
    assert_eq!(answer["first"], "The map", "the picture is the first stop, and scrolls by the arrows");
    assert_eq!((&answer["isWide"], &answer["injected"]), (&json!(false), &json!(0)), "{answer}");
    Some(answer)
}

#[test]
fn the_map_reads_in_a_browser_in_light_in_dark_and_by_keyboard() {
    let Some(answer) = read_in_browser(&Flowmap::with_sample()) else { return };
    assert_eq!(answer["lines"], answer["tables"]["rows"], "{answer}");
    let [dimmed, lines] = ["dimmed", "lines"].map(|name| answer[name].as_u64().expect("a number"));
    assert!(dimmed > 0 && dimmed < lines, "{answer}");
    // names from outside break nothing
    read_in_browser(&with_hostile_names());
}

#[test]
fn nothing_to_draw_is_an_error_that_says_what_to_do() {
    let flowmap = Flowmap::new();
    flowmap.write("empty.csv", "src_ip,dst_ip,proto,dst_port\n");
    flowmap.run(&["graph", "--from", "empty.csv"]).is_an_error(&["hint: "]);
    Flowmap::with_sample().run(&["graph", "--policies", "nowhere"]).is_an_error(&["nowhere", "no such file"]);
}

/// Names that would be markup, end strings, turn text round or be too long.
fn hostile() -> Vec<String> {
    let long = "n".repeat(253);
    let names = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "a\"] --> b[\"c",
        "\u{202e}evil\u{202c}",
        "a\u{0}\u{1b}[31mb\nc\td",
        "x]]>y<!--",
        "& &amp; #quot; \\N \\\" `code`",
        "שם-ארוך مرحبا",
        "1. list",
        "end",
        &long,
    ];
    names.map(str::to_owned).to_vec()
}

/// A store whose workloads, namespaces and hosts are called so.
fn with_hostile_names() -> Flowmap {
    let flowmap = Flowmap::new();
    let mut pods = Vec::new();
    let mut flows = String::from("src_ip,dst_ip,proto,dst_port,packets,connections,first_seen,last_seen\n");
    for (n, name) in hostile().iter().enumerate() {
        for (m, namespace) in ["shop", name].into_iter().enumerate() {
            let address = format!("10.0.{m}.{}", n + 1);
            pods.push(json!({"kind": "Pod", "apiVersion": "v1",
                "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
                "spec": {"nodeName": name}, "status": {"phase": "Running", "podIP": address}}));
            let _ = writeln!(
                flows,
                "{address},10.0.0.{},tcp,{},20,4,2026-01-01T10:00:00Z,2026-01-01T11:00:00Z",
                n % 3 + 1,
                8000 + n
            );
        }
    }
    flowmap.write("cluster.json", json!({"kind": "List", "apiVersion": "v1", "items": pods}).to_string());
    flowmap.write("flows.csv", flows);
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    flowmap.ok(&["import", "flows.csv"]);
    flowmap
}

#[test]
fn hostile_names_stay_text_in_svg() {
    let flowmap = with_hostile_names();
    let svg = flowmap.ok(&["graph"]).stdout;
    holds_together(&svg);
    for forbidden in ["<script", "<img", "\u{202e}", "\u{1b}", "\u{0}", "]]>"] {
        assert!(!svg.contains(forbidden), "{forbidden:?}");
    }
    assert!(svg.contains("&lt;script&gt;") && svg.contains("שם-ארוך"), "{svg}");
    flowmap.write("map.svg", &svg);
    let parse = "import sys, xml.etree.ElementTree as tree; print(sorted({it.tag.split('}')[1] for it in tree.parse(sys.argv[1]).iter()}))";
    let output =
        Command::new(python::python()).args(["-c", parse]).arg(flowmap.path("map.svg")).output().expect("python");
    let tags = String::from_utf8_lossy(&output.stdout).into_owned();
    let known = "['defs', 'desc', 'g', 'marker', 'path', 'rect', 'style', 'svg', 'text', 'title']";
    assert_eq!(tags.trim(), known, "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn hostile_names_stay_text_in_dot() {
    let flowmap = with_hostile_names();
    let dot = flowmap.ok(&["graph", "-o", "dot"]).stdout;
    assert!(!dot.contains('\u{202e}') && !dot.contains('\u{1b}'));
    flowmap.write("map.dot", &dot);
    let Ok(output) = Command::new("dot").arg("-Tplain").arg(flowmap.path("map.dot")).output() else {
        return skipped("there is no dot: `make setup` installs it");
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let plain = String::from_utf8_lossy(&output.stdout).into_owned();
    let count = |start: &str| plain.lines().filter(|line| line.starts_with(start)).count();
    let nodes: BTreeSet<&str> = dot
        .lines()
        .filter_map(|it| it.trim().strip_prefix('n')?.split_once(" [label="))
        .map(|it| it.0)
        .filter(|it| !it.contains("->"))
        .collect();
    assert_eq!(count("node "), nodes.len(), "graphviz sees the boxes that were written, and no others");
}

/// A line of the Mermaid that is written.
fn is_mermaid(line: &str) -> bool {
    let line = line.trim();
    let is_id =
        |text: &str| text.strip_prefix('n').is_some_and(|it| !it.is_empty() && it.chars().all(|c| c.is_ascii_digit()));
    // between quotes stands nothing that means something
    let quoted = |text: &str| {
        let inner = text.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
        inner.is_some_and(|it| {
            !it.contains(['"', '<', '>', '&', '`', '[', ']', '{', '}', '|', '\\']) && !it.contains(". ")
        })
    };
    if matches!(line, "flowchart LR" | "end") || line.starts_with("accTitle: ") || line.starts_with("accDescr: ") {
        return true;
    }
    if let Some(rest) = line.strip_prefix("subgraph layer") {
        return rest.split_once(" [").is_some_and(|(_, it)| it.strip_suffix(']').is_some_and(quoted));
    }
    if let Some((from, rest)) = line.split_once(" -").or_else(|| line.split_once(" =")) {
        let arrow = rest.split_once("|\"").map(|it| it.0);
        let ends = rest.rsplit_once("\"| ").is_some_and(|(_, to)| is_id(to));
        if is_id(from) && matches!(arrow, Some("->" | ".->" | "=>")) && ends {
            let label = &rest[rest.find('|').unwrap_or(0) + 1..rest.rfind('|').unwrap_or(0)];
            return quoted(label);
        }
    }
    line.split_once('[').is_some_and(|(id, rest)| is_id(id) && rest.strip_suffix(']').is_some_and(quoted))
}

#[test]
fn hostile_names_stay_text_in_mermaid() {
    for flowmap in [with_hostile_names(), Flowmap::with_sample()] {
        let mermaid = flowmap.ok(&["graph", "-o", "mermaid"]).stdout;
        for line in mermaid.lines() {
            assert!(is_mermaid(line), "{line}");
        }
        assert!(!mermaid.contains('\u{202e}') && mermaid.lines().count() > 10);
    }
}

#[test]
fn a_map_that_mermaid_does_not_draw_is_told() {
    let flowmap = Flowmap::new();
    let log = |servers: u32| -> String {
        let pairs = (0..24).flat_map(|client| (0..servers).map(move |server| (client, server)));
        let rows = pairs.map(|(client, server)| format!("10.0.1.{client},10.0.2.{server},tcp,80\n"));
        ["client,server,protocol,port\n".to_owned()].into_iter().chain(rows).collect()
    };
    for (servers, is_told) in [(20, false), (21, true)] {
        flowmap.write("flows.csv", log(servers));
        let output = flowmap.ok(&["graph", "-o", "mermaid", "--fold", "none", "--from", "flows.csv"]);
        assert_eq!(output.stderr.contains("more than Mermaid draws"), is_told, "{}", output.stderr);
        let other = flowmap.ok(&["graph", "-o", "dot", "--fold", "none", "--from", "flows.csv"]);
        assert!(!other.stderr.contains("Mermaid"), "{}", other.stderr);
    }
}
