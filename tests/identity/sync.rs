//! `flowmap inventory sync`, against a server of the test's own that speaks list and watch.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::common::{Flowmap, Output};

const PODS: &str = "/api/v1/pods";

/// An answer of the server.
#[derive(Clone)]
enum Reply {
    Text(u16, String),
    /// Text over time, and whether it then ends as it should, breaks off, or stays open.
    Stream(Vec<String>, End),
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Proper,
    Cut,
    Open,
}

/// An API server: answers in their order, by list (`GET /api/v1/pods`) or watch (`WATCH /api/v1/pods`); then empty lists
/// and silent watches.
#[derive(Clone)]
struct Server {
    url: String,
    replies: Arc<Mutex<BTreeMap<String, VecDeque<Reply>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { url, replies: Arc::default(), asked: Arc::default() };
        let of_thread = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = of_thread.clone();
                thread::spawn(move || server.serve(stream));
            }
        });
        server
    }

    fn on(&self, verb: &str, path: &str, reply: Reply) -> &Self {
        self.replies.lock().unwrap().entry(format!("{verb} {path}")).or_default().push_back(reply);
        self
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// One question and one answer, and that is the end of the connection.
    fn serve(&self, mut stream: TcpStream) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
        let first = lines.next().unwrap_or_default();
        while lines.next().is_some_and(|line| !line.is_empty()) {}
        let target = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let path = target.split('?').next().unwrap_or_default();
        let verb = if target.contains("watch=true") { "WATCH" } else { "GET" };
        self.asked.lock().unwrap().push(format!("{verb} {target}"));
        let reply = self.replies.lock().unwrap().get_mut(&format!("{verb} {path}")).and_then(VecDeque::pop_front);
        let silent = Reply::Stream(vec![bookmark("100")], End::Open);
        let _ = answer(&mut stream, reply.unwrap_or(if verb == "WATCH" { silent } else { list("100", "", &[]) }));
    }
}

fn answer(stream: &mut TcpStream, reply: Reply) -> std::io::Result<()> {
    let head = "content-type: application/json\r\nconnection: close\r\n";
    match reply {
        Reply::Text(code, text) => {
            write!(stream, "HTTP/1.1 {code} So\r\n{head}content-length: {}\r\n\r\n{text}", text.len())
        }
        Reply::Stream(parts, end) => {
            write!(stream, "HTTP/1.1 200 OK\r\n{head}transfer-encoding: chunked\r\n\r\n")?;
            for part in parts {
                write!(stream, "{:x}\r\n{part}\r\n", part.len())?;
            }
            match end {
                End::Proper => write!(stream, "0\r\n\r\n"),
                End::Cut => Ok(()),
                End::Open => {
                    thread::sleep(Duration::from_mins(1));
                    Ok(())
                }
            }
        }
    }
}

/// The https URL of a server that speaks no TLS.
fn without_tls() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    url
}

fn list(version: &str, go_on: &str, items: &[Value]) -> Reply {
    let metadata = json!({"resourceVersion": version, "continue": go_on});
    Reply::Text(200, json!({"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items}).to_string())
}

fn status(code: u16, message: &str) -> Reply {
    Reply::Text(code, json!({"kind": "Status", "code": code, "message": message}).to_string())
}

fn event(kind: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": kind, "object": object}))
}

fn bookmark(version: &str) -> String {
    event("BOOKMARK", &json!({"kind": "Pod", "metadata": {"resourceVersion": version}}))
}

fn gone() -> String {
    event("ERROR", &json!({"kind": "Status", "code": 410, "message": "too old resource version"}))
}

fn pod(name: &str, address: &str, version: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "shop", "uid": name, "resourceVersion": version,
            "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{"time": version}]},
        "spec": {"nodeName": "node-1", "containers": []},
        "status": {"phase": "Running", "podIP": address, "startTime": "2026-01-01T00:00:00Z",
            "conditions": [{"type": "Ready", "lastProbeTime": version}]}})
}

fn kubeconfig(server: &str) -> String {
    json!({"apiVersion": "v1", "kind": "Config", "current-context": "lab",
        "clusters": [{"name": "c", "cluster": {"server": server}}], "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "lab", "context": {"cluster": "c", "user": "u"}},
            {"name": "backup", "context": {"cluster": "c", "user": "u"}}]})
    .to_string()
}

fn flowmap_of(server: &str) -> Flowmap {
    let flowmap = Flowmap::new();
    flowmap.write("kubeconfig", kubeconfig(server));
    flowmap
}

const SYNC: [&str; 4] = ["inventory", "sync", "--kubeconfig", "kubeconfig"];

/// The names and addresses of the pods that are known now.
fn pods(flowmap: &Flowmap) -> Vec<(String, String)> {
    let listed = flowmap.json(&["inventory", "list"]);
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let pods = listed.as_array().unwrap().iter().filter(|entry| entry["kind"] == "pod");
    pods.map(|entry| (text(entry, "name"), text(entry, "addresses"))).collect()
}

fn is(name: &str, address: &str) -> (String, String) {
    (name.to_owned(), address.to_owned())
}

fn start(flowmap: &Flowmap) -> Child {
    let mut command = flowmap.command(&[&SYNC[..], &["--watch"]].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until something is so, for at most 20 seconds.
#[track_caller]
fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn stop(child: Child) -> Output {
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let output = Output::of(&child.wait_with_output().unwrap());
    assert_eq!(output.code, 0, "{output:?}");
    output
}

/// Watches until the pods were watched from this version and that had its time to be heard; then ends it.
fn watched(server: &Server, flowmap: &Flowmap, version: &str) -> Output {
    let child = start(flowmap);
    let from = format!("resourceVersion={version}");
    let is_asked = |line: &String| line.starts_with(&format!("WATCH {PODS}?")) && line.ends_with(&from);
    until(&format!("pods are watched from {version}"), || server.asked().iter().any(is_asked));
    thread::sleep(Duration::from_millis(1_500));
    stop(child)
}

#[test]
fn a_list_in_pages_that_goes_stale_half_way_is_begun_again() {
    let server = Server::new();
    server.on("GET", PODS, list("7", "more", &[pod("a", "10.0.0.1", "1")])).on("GET", PODS, status(410, "expired"));
    server.on("GET", PODS, list("8", "more", &[pod("a", "10.0.0.1", "1")]));
    server.on("GET", PODS, list("8", "", &[pod("b", "10.0.0.2", "2")]));
    let flowmap = flowmap_of(&server.url);
    let output = flowmap.ok(&SYNC);
    assert!(output.stderr.contains("lab: 0 namespaces, 0 nodes, 2 pods"), "{}", output.stderr);
    assert_eq!(pods(&flowmap), [is("shop/a", "10.0.0.1"), is("shop/b", "10.0.0.2")]);
    assert!(server.asked().iter().any(|line| line.contains("continue=more")));
}

#[test]
fn what_a_later_sync_lacks_is_gone() {
    let server = Server::new();
    server.on("GET", PODS, list("7", "", &[pod("a", "10.0.0.1", "1")]));
    let flowmap = flowmap_of(&server.url);
    flowmap.ok(&SYNC);
    assert_eq!(pods(&flowmap), [is("shop/a", "10.0.0.1")]);
    flowmap.ok(&SYNC);
    assert_eq!(pods(&flowmap), []);
}

#[test]
fn a_kind_that_may_not_be_listed_is_named_and_the_rest_is_read() {
    let server = Server::new();
    server.on("GET", PODS, list("7", "", &[pod("a", "10.0.0.1", "1")]));
    server.on("GET", "/apis/networking.k8s.io/v1/networkpolicies", status(403, "forbidden"));
    server.on("GET", "/apis/batch/v1/cronjobs", status(404, "no such kind"));
    let flowmap = flowmap_of(&server.url);
    let output = flowmap.ok(&SYNC);
    assert!(output.stderr.contains("`networkpolicies.networking.k8s.io list, watch`"), "{}", output.stderr);
    assert!(!output.stderr.contains("cronjobs"), "{}", output.stderr);
    assert_eq!(pods(&flowmap), [is("shop/a", "10.0.0.1")]);
}

#[test]
fn policies_of_whole_clusters_are_listed_in_the_version_that_is_there() {
    const GROUP: &str = "/apis/policy.networking.k8s.io";
    let policy = json!({"metadata": {"name": "guard", "uid": "1", "resourceVersion": "1"},
        "spec": {"tier": "Admin", "priority": 1, "subject": {"namespaces": {}},
            "ingress": [{"action": "Deny", "from": [{"namespaces": {}}]}]}});
    for (versions, kept) in [(vec!["v1alpha2"], "v1alpha2"), (vec!["v1beta1", "v1alpha2"], "v1beta1"), (vec![], "")] {
        let server = Server::new();
        server.on("GET", PODS, list("7", "", &[pod("a", "10.0.0.1", "1"), pod("b", "10.0.0.2", "1")]));
        for version in ["v1beta1", "v1alpha2"] {
            let path = format!("{GROUP}/{version}/clusternetworkpolicies");
            let is_there = versions.contains(&version);
            let reply =
                if is_there { list("7", "", std::slice::from_ref(&policy)) } else { status(404, "no such kind") };
            server.on("GET", &path, reply);
        }
        for kind in ["adminnetworkpolicies", "baselineadminnetworkpolicies"] {
            server.on("GET", &format!("{GROUP}/v1alpha1/{kind}"), status(404, "no such kind"));
        }
        let flowmap = flowmap_of(&server.url);
        let output = flowmap.ok(&SYNC);
        assert!(!output.stderr.contains("networkpolicies"), "a cluster without them is no fault: {}", output.stderr);
        let asked = server.asked().iter().filter(|line| line.contains("clusternetworkpolicies")).count();
        assert_eq!(asked, if kept == "v1beta1" { 1 } else { 2 }, "{versions:?}");
        let explained = flowmap.run(&["explain", "shop/a", "shop/b", "80", "-o", "json"]);
        let answer: Value = serde_json::from_str(&explained.stdout).unwrap();
        assert_eq!(answer["allowed"], kept.is_empty(), "{versions:?}: {answer}");
    }
}

#[test]
fn what_stands_in_the_way_is_said() {
    let server = Server::new();
    let flowmap = flowmap_of(&server.url);
    server.on("GET", PODS, status(401, "Unauthorized"));
    flowmap.run(&SYNC).is_an_error(&["(401)", "hint: sign in again"]);
    server.on("GET", PODS, status(404, "not found"));
    flowmap.run(&SYNC).is_an_error(&["no Kubernetes API server"]);
    for _ in 0..4 {
        server.on("GET", PODS, Reply::Text(200, "<html>".into()));
    }
    flowmap.run(&SYNC).is_an_error(&["no Kubernetes API server"]);
    flowmap.run(&[&SYNC[..], &["--context", "prod"]].concat()).is_an_error(&["--context prod", "backup, lab"]);
    flowmap.run(&["inventory", "sync", "--kubeconfig", "none"]).is_an_error(&["none", "no such file"]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    flowmap_of(&format!("http://{nobody}")).run(&SYNC).is_an_error(&["cannot be reached", "refused"]);
    flowmap_of(&without_tls()).run(&SYNC).is_an_error(&["TLS"]);
}

#[test]
fn an_address_that_is_handed_on_while_the_watch_runs_changes_its_owner() {
    let server = Server::new();
    server.on("GET", PODS, list("7", "", &[pod("a", "10.0.0.1", "1")]));
    let mut later = pod("b", "10.0.0.1", "9");
    later["status"]["startTime"] = json!("2026-01-02T00:00:00Z");
    let news = vec![event("DELETED", &pod("a", "10.0.0.1", "8")), event("ADDED", &later)];
    server.on("WATCH", PODS, Reply::Stream(news, End::Proper));
    let flowmap = flowmap_of(&server.url);
    watched(&server, &flowmap, "9");
    assert_eq!(pods(&flowmap), [is("shop/b", "10.0.0.1")]);
    let then = flowmap.json(&["inventory", "list", "--at", "2026-01-01T12:00:00Z"]);
    assert!(then.to_string().contains("shop/a") && !then.to_string().contains("shop/b"), "{then}");
}

#[test]
fn a_watch_that_breaks_goes_on_from_the_last_version_and_doubles_nobody() {
    let server = Server::new();
    server.on("GET", PODS, list("7", "", &[pod("a", "10.0.0.1", "1")]));
    let added = event("ADDED", &pod("b", "10.0.0.2", "8"));
    let (whole, half) = (added.clone(), event("ADDED", &pod("c", "10.0.0.3", "9"))[..40].to_owned());
    server.on("WATCH", PODS, Reply::Stream(vec![whole, half], End::Cut));
    let news = vec![event("ADDED", &pod("c", "10.0.0.3", "9")), bookmark("12")];
    server.on("WATCH", PODS, Reply::Stream(news, End::Proper));
    let flowmap = flowmap_of(&server.url);
    watched(&server, &flowmap, "12");
    let known = [is("shop/a", "10.0.0.1"), is("shop/b", "10.0.0.2"), is("shop/c", "10.0.0.3")];
    assert_eq!(pods(&flowmap), known);
    assert!(server.asked().iter().any(|line| line.contains(PODS) && line.ends_with("resourceVersion=8")));
}

#[test]
fn a_version_that_is_too_old_or_a_line_that_is_none_leads_to_a_new_list() {
    for broken in [
        Reply::Stream(vec![gone()], End::Proper),
        status(410, "too old"),
        Reply::Stream(vec!["no JSON\n".to_owned()], End::Proper),
    ] {
        let server = Server::new();
        server.on("GET", PODS, list("7", "", &[pod("a", "10.0.0.1", "1"), pod("b", "10.0.0.2", "1")]));
        server.on("WATCH", PODS, broken);
        server.on("GET", PODS, list("20", "", &[pod("b", "10.0.0.2", "1"), pod("c", "10.0.0.3", "15")]));
        let flowmap = flowmap_of(&server.url);
        watched(&server, &flowmap, "20");
        assert_eq!(pods(&flowmap), [is("shop/b", "10.0.0.2"), is("shop/c", "10.0.0.3")]);
    }
}

#[test]
fn heartbeats_are_no_changes() {
    let server = Server::new();
    server.on("GET", PODS, list("7", "", &[pod("a", "10.0.0.1", "1")]));
    let beats = vec![event("MODIFIED", &pod("a", "10.0.0.1", "8")), event("MODIFIED", &pod("a", "10.0.0.1", "9"))];
    server.on("WATCH", PODS, Reply::Stream(beats, End::Proper));
    let flowmap = flowmap_of(&server.url);
    let output = watched(&server, &flowmap, "9");
    assert!(output.stderr.contains("lab: 0 changes, in sync until"), "{}", output.stderr);
}

#[test]
fn the_role_has_the_rights_that_are_asked_for_and_no_others() {
    let text = include_str!("../../deploy/rbac.yaml");
    let documents = flowmap::yaml::read_all(text).unwrap();
    let role = documents.iter().find(|document| document["kind"] == "ClusterRole").unwrap();
    let mut granted = BTreeSet::new();
    for rule in role["rules"].as_array().unwrap() {
        assert_eq!(rule["verbs"], json!(["list", "watch"]));
        for resource in rule["resources"].as_array().unwrap() {
            granted.insert((rule["apiGroups"][0].as_str().unwrap(), resource.as_str().unwrap()));
        }
    }
    let asked: BTreeSet<_> = flowmap::cluster::KINDS.iter().map(|kind| (kind.group, kind.plural)).collect();
    assert_eq!(granted, asked);
}
