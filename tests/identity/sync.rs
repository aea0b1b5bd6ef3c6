//! `flowmap inventory sync`, against a server of the test's own that speaks list and watch.

use std::{collections::BTreeSet, fs, net::TcpListener};

use serde_json::json;

use crate::common::Output;

use super::api::{
    End, PODS, Reply, SYNC, Server, bookmark, event, flowmap_of, gone, is, list, pod, pods, status, watched,
    without_tls,
};

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
        let answer: serde_json::Value = serde_json::from_str(&explained.stdout).unwrap();
        assert_eq!(answer["allowed"], kept.is_empty(), "{versions:?}: {answer}");
    }
}

#[test]
fn of_definitions_and_servers_of_the_api_the_service_that_is_asked_is_kept_and_no_schema() {
    const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    const SERVERS: &str = "/apis/apiregistration.k8s.io/v1/apiservices";
    let server = Server::new();
    let service = |name: &str| json!({"name": name, "namespace": "shop", "port": 443});
    let definition = |name: &str, conversion: serde_json::Value| {
        json!({"metadata": {"name": name, "uid": name, "resourceVersion": "1"}, "spec": {"conversion": conversion,
            "versions": [{"name": "v1", "schema": {"openAPIV3Schema": {"description": "a long tale"}}}]}})
    };
    let client = json!({"service": service("convert"), "caBundle": "certificate"});
    let converts = json!({"strategy": "Webhook", "webhook": {"clientConfig": client}});
    server.on("GET", PODS, list("7", "", &[pod("a", "10.0.0.1", "1")]));
    server.on("GET", DEFINITIONS, list("7", "more", &[definition("xs.example.com", converts)]));
    server.on("GET", DEFINITIONS, list("7", "", &[definition("ys.example.com", json!({"strategy": "None"}))]));
    let api = json!({"metadata": {"name": "v1.metrics", "uid": "m", "resourceVersion": "1"},
        "spec": {"service": service("metrics"), "caBundle": "certificate"}});
    server.on("GET", SERVERS, list("7", "", &[api]));
    let flowmap = flowmap_of(&server.url);
    let output = flowmap.ok(&SYNC);
    assert!(!output.stderr.contains("hint"), "{}", output.stderr);
    let asked = server.asked();
    let pages: Vec<&String> = asked.iter().filter(|line| line.contains(DEFINITIONS)).collect();
    assert!(pages.len() == 2 && pages.iter().all(|page| page.contains("limit=10")), "{pages:?}");
    let store = fs::read(flowmap.path("flowmap.db")).unwrap();
    let kept = String::from_utf8_lossy(&store);
    for name in ["xs.example.com", "\"convert\"", "ys.example.com", "v1.metrics", "\"metrics\""] {
        assert!(kept.contains(name), "{name}");
    }
    assert!(!kept.contains("a long tale") && !kept.contains("certificate"));
    // a cluster that has neither, and one that does not let them be listed
    server.on("GET", DEFINITIONS, status(404, "no such kind")).on("GET", SERVERS, status(403, "forbidden"));
    server.on("GET", PODS, list("7", "", &[pod("a", "10.0.0.1", "1")]));
    let output = flowmap.ok(&SYNC);
    assert!(output.stderr.contains("`apiservices.apiregistration.k8s.io list, watch`"), "{}", output.stderr);
    assert!(!output.stderr.contains("customresourcedefinitions"), "{}", output.stderr);
    assert_eq!(pods(&flowmap), [is("shop/a", "10.0.0.1")]);
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
fn what_is_no_list_empties_no_inventory() {
    let no_version = json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": []});
    let failure = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 500});
    for answer in [json!({"status": "ok"}), json!({}), failure, no_version] {
        let server = Server::new();
        server.on("GET", PODS, list("7", "", &[pod("a", "10.0.0.1", "1")]));
        let flowmap = flowmap_of(&server.url);
        flowmap.ok(&SYNC);
        for _ in 0..4 {
            server.on("GET", PODS, Reply::Text(200, answer.to_string()));
        }
        flowmap.run(&SYNC).is_an_error(&["no Kubernetes API server"]);
        assert_eq!(pods(&flowmap), [is("shop/a", "10.0.0.1")], "{answer}");
    }
}

#[test]
fn a_proxy_is_for_those_alone_who_are_not_excepted() {
    let proxied = |server: &str, no_proxy: &str| {
        let flowmap = flowmap_of(server);
        let mut command = flowmap.command(&SYNC);
        command.env("HTTPS_PROXY", "http://127.0.0.1:1").env("NO_PROXY", no_proxy);
        Output::of(&command.output().unwrap())
    };
    let server = Server::new();
    server.on("GET", PODS, list("7", "", &[]));
    let output = proxied(&server.url, "127.0.0.1");
    assert_eq!(output.code, 0, "{output:?}");
    proxied(&without_tls(), "").is_an_error(&["TLS"]);
    proxied("https://192.0.2.1", "").is_an_error(&["cannot be reached", "refused"]);
    let flowmap = flowmap_of("https://192.0.2.1");
    let mut command = flowmap.command(&SYNC);
    Output::of(&command.env("HTTPS_PROXY", "ftp://127.0.0.1:1").output().unwrap())
        .is_an_error(&["flowmap: proxy: ftp:"]);
}

#[test]
fn what_credentials_lack_is_named() {
    let server = Server::new();
    let with = |user: serde_json::Value| {
        let flowmap = flowmap_of(&server.url);
        flowmap.write("token", "secret\n");
        let mut config: serde_json::Value = serde_json::from_str(&flowmap.read("kubeconfig")).unwrap();
        config["users"][0]["user"] = user;
        flowmap.write("kubeconfig", config.to_string());
        flowmap.run(&SYNC)
    };
    // as `kubectl create token` writes it
    assert_eq!(with(json!({"tokenFile": "token"})).code, 0);
    with(json!({"tokenFile": "/none/token"})).is_an_error(&["/none/token: No such file"]);
    let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin", "interactiveMode": "Never"});
    with(json!({"exec": exec})).is_an_error(&["`no-such-plugin` cannot be run"]);
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
