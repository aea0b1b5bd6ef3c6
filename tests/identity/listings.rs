//! What a listing says of those that it lacks: whole ones, pages, and such as were cut short.

use serde_json::{Value, json};

use crate::common::{
    Flowmap,
    cluster::{list, node, of, pod, with},
};

/// A pod of a namespace that was started at an hour.
fn started(namespace: &str, name: &str, address: &str, hour: &str) -> Value {
    of(namespace, with(pod(name, address), "/status/startTime", format!("2026-11-24T{hour}:00:00Z").into()))
}

/// A list as the API server gives it, all of it or a page with others behind it.
fn from_api(version: &str, has_more: bool, pods: &[Value]) -> String {
    let mut meta = json!({"resourceVersion": version});
    if has_more {
        meta["continue"] = "token".into();
    }
    json!({"kind": "PodList", "apiVersion": "v1", "metadata": meta, "items": pods}).to_string()
}

/// A store with a connection at ten from the address of `shop/web`.
fn flowmap() -> Flowmap {
    let flowmap = Flowmap::new();
    let row = "10.244.1.5,198.51.100.1,tcp,443,2026-11-24T10:00:00Z,2026-11-24T10:01:00Z";
    flowmap.write("flows.csv", format!("client,server,protocol,port,first_seen,last_seen\n{row}\n"));
    flowmap.ok(&["import", "flows.csv"]);
    flowmap
}

/// Who its client is, as these files tell it, or else the store.
fn client(flowmap: &Flowmap, files: &[&str]) -> String {
    let option: &[&str] = if files.is_empty() { &[] } else { &["--inventory"] };
    let flows = flowmap.json(&[&["flows"], option, files].concat());
    flows[0]["client"]["name"].as_str().unwrap().to_owned()
}

#[test]
fn the_last_page_of_a_list_ends_nobody_on_the_pages_before() {
    let first = [started("shop", "web", "10.244.1.5", "06"), started("ops", "agent", "10.244.1.6", "06")];
    let last = [started("shop", "late", "10.244.1.7", "08"), started("ops", "later", "10.244.1.8", "09")];
    let (page, rest) = (from_api("1000", true, &first), from_api("1000", false, &last));
    for (order, options) in [
        (["page.json", "rest.json"], [&[][..], &[]]),
        (["rest.json", "page.json"], [&[], &[]]),
        (["page.json", "rest.json"], [&["--partial"], &[]]),
    ] {
        let flowmap = flowmap();
        flowmap.write("page.json", &page);
        flowmap.write("rest.json", &rest);
        assert_eq!(client(&flowmap, &order), "shop/web", "{order:?}");
        for (file, options) in order.iter().zip(options) {
            flowmap.ok(&[&["inventory", "import"], options, &[file]].concat());
        }
        assert_eq!(client(&flowmap, &[]), "shop/web", "{order:?}");
    }
    let flowmap = flowmap();
    flowmap.write("both.json", format!("{page}\n{rest}\n"));
    flowmap.write("array.json", format!("[{rest}, {page}]"));
    // a list of another moment is none of them: what it lacks is gone
    flowmap.write("page.json", &page);
    flowmap.write("next.json", from_api("1001", false, &last));
    assert_eq!(client(&flowmap, &["both.json"]), "shop/web");
    assert_eq!(client(&flowmap, &["array.json"]), "shop/web");
    assert_eq!(client(&flowmap, &["page.json", "next.json"]), "10.244.1.5");
}

/// What `kubectl get -o yaml` prints up to its last item.
fn yaml(pods: &[Value]) -> String {
    let items: Vec<String> = pods.iter().map(|pod| format!("- {pod}\n")).collect();
    format!("apiVersion: v1\nitems:\n{}", items.concat())
}

#[test]
fn a_list_in_yaml_that_is_cut_between_two_items_ends_nobody_and_is_told() {
    let all = [started("shop", "web", "10.244.1.5", "06"), started("ops", "agent", "10.244.1.6", "06")];
    let later =
        [started("shop", "late", "10.244.1.7", "08"), started("ops", "later", "10.244.1.8", "09"), all[1].clone()];
    let flowmap = flowmap();
    flowmap.write("all.yaml", yaml(&all) + "kind: List\n");
    flowmap.write("whole.yaml", yaml(&later) + "kind: List\nmetadata:\n  resourceVersion: \"\"\n");
    flowmap.write("cut.yaml", yaml(&later));
    assert_eq!(client(&flowmap, &["all.yaml", "whole.yaml"]), "10.244.1.5", "whole, and without it");
    assert_eq!(client(&flowmap, &["all.yaml", "cut.yaml"]), "shop/web");
    let said = flowmap.ok(&["inventory", "import", "cut.yaml"]).stderr;
    assert!(said.contains("2 pods") && said.contains("cut.yaml: item 3: the YAML is cut short"), "{said}");
    flowmap.write("cut.yaml", yaml(&later[..1]));
    flowmap
        .run(&["inventory", "import", "cut.yaml"])
        .is_an_error(&["nothing in it can be used: item 1: the YAML is cut"]);
}

#[test]
fn an_address_that_was_handed_on_is_not_the_dead_pods_where_a_nodes_clock_was_ahead() {
    let flowmap = flowmap();
    let other = |hour: &str| started("ops", "other", "10.244.1.6", hour);
    let last = [started("shop", "heir", "10.244.1.5", "09"), other("12")];
    flowmap.write("last.json", from_api("2000", false, &last));
    let listed_at = |hour: &str| {
        let first = [started("shop", "web", "10.244.1.5", "06"), other(hour)];
        flowmap.write("first.json", from_api("1000", false, &first));
        client(&flowmap, &["first.json", "last.json"])
    };
    assert_eq!(listed_at("08"), "shop/heir");
    assert_eq!(listed_at("11"), "10.244.1.5", "listed at eight, told to be at eleven");
}

#[test]
fn a_node_of_which_pods_alone_tell_was_there_before_them() {
    let flowmap = Flowmap::new();
    flowmap.write("pods.json", list(&[started("shop", "web", "10.244.1.5", "10")]));
    let row = |hour: &str| format!("192.0.2.1,10.244.9.9,tcp,443,2026-11-24T{hour}:00:00Z,2026-11-24T{hour}:01:00Z\n");
    flowmap.write("flows.csv", format!("client,server,protocol,port,first_seen,last_seen\n{}{}", row("09"), row("11")));
    let flows = flowmap.json(&["flows", "--from", "flows.csv", "--inventory", "pods.json"]);
    let clients: Vec<_> = flows.as_array().unwrap().iter().map(|flow| flow["client"]["name"].clone()).collect();
    assert_eq!(clients, ["node-1"], "{flows}");
    // one that was listed itself began when it was made
    let late = with(
        node("node-1", "192.0.2.1", "10.244.1.0/24"),
        "/metadata/creationTimestamp",
        "2026-11-24T10:00:00Z".into(),
    );
    flowmap.write("nodes.json", list(&[late]));
    let flows = flowmap.json(&["flows", "--from", "flows.csv", "--inventory", "pods.json", "nodes.json"]);
    let mut clients: Vec<_> = flows.as_array().unwrap().iter().map(|flow| flow["client"]["name"].clone()).collect();
    clients.sort_by_key(ToString::to_string);
    assert_eq!(clients, ["192.0.2.1", "node-1"], "{flows}");
}

#[test]
fn who_was_there_at_a_time_are_those_that_were_listed() {
    let flowmap = Flowmap::new();
    let node = node("node-1", "192.0.2.1", "10.244.1.0/24");
    flowmap.write("cluster.json", list(&[started("shop", "web", "10.244.1.5", "06"), node]));
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    let known = flowmap.json(&["inventory", "list", "--at", "2026-11-24T06:00:00Z"]);
    let addresses: Vec<_> = known.as_array().unwrap().iter().map(|it| it["addresses"].clone()).collect();
    assert_eq!(addresses, ["10.244.1.5", "192.0.2.1"]);
}

#[test]
fn a_list_that_tells_no_time_so_late_as_what_is_known_says_what_stays() {
    let flowmap = Flowmap::new();
    let [web, debug] = ["web", "debug"].map(|name| started("shop", name, &format!("10.244.1.{}", name.len()), "06"));
    let debug = with(debug, "/status/startTime", "2026-11-24T09:00:00Z".into());
    flowmap.write("first.json", list(&[web.clone(), debug]));
    flowmap.write("then.json", list(&[web]));
    let first = flowmap.ok(&["inventory", "import", "first.json"]).stderr;
    assert!(!first.contains("stay"), "{first}");
    let then = flowmap.ok(&["inventory", "import", "then.json"]).stderr;
    assert!(
        then.contains("tell 2026-11-24T06:00:00Z at the latest") && then.contains("stay Pod shop/debug-"),
        "{then}"
    );
    assert!(then.contains("--taken-at"), "{then}");
    // it is known by now, and says nothing new
    assert!(!flowmap.ok(&["inventory", "import", "then.json"]).stderr.contains("stay"));
    let taken = flowmap.ok(&["inventory", "import", "--taken-at", "2026-11-24T10:00:00Z", "then.json"]).stderr;
    assert!(!taken.contains("stay"), "{taken}");
    assert!(!flowmap.ok(&["inventory", "list"]).stdout.contains("debug"));
}

#[test]
fn a_pod_has_its_address_from_when_its_sandbox_was_made() {
    let flowmap = flowmap();
    let web = |ready: &str, running: &str| {
        let time = |hour: &str| format!("2026-11-24T{hour}:00:00Z");
        let condition =
            json!({"type": "PodReadyToStartContainers", "status": "True", "lastTransitionTime": time(ready)});
        let container = json!({"restartCount": 1, "state": {"running": {"startedAt": time(running)}},
                               "lastState": {"terminated": {"startedAt": time("06"), "finishedAt": time("11")}}});
        let web = with(started("shop", "web", "10.244.1.5", "06"), "/status/conditions", json!([condition]));
        with(web, "/status/containerStatuses", json!([container]))
    };
    let seen_at_ten = |pod: Value| {
        flowmap.write("cluster.json", list(&[pod]));
        client(&flowmap, &["cluster.json"])
    };
    assert_eq!(seen_at_ten(web("12", "12")), "10.244.1.5", "its node was started anew");
    assert_eq!(seen_at_ten(web("06", "12")), "shop/web", "its container was");
    // the kubelet has said so again, or pulled the image of another container in between
    assert_eq!(seen_at_ten(web("12", "09")), "shop/web");
}

#[test]
fn who_has_ended_is_listed_for_its_time_alone() {
    let flowmap = flowmap();
    let ended = json!({"terminated": {"startedAt": "2026-11-24T06:00:00Z", "finishedAt": "2026-11-24T11:00:00Z"}});
    let job = with(started("shop", "job", "10.244.1.5", "06"), "/status/phase", json!("Succeeded"));
    let job = with(job, "/status/containerStatuses", json!([{"restartCount": 0, "state": ended}]));
    flowmap.write("cluster.json", list(&[job, started("shop", "web", "10.244.1.6", "06")]));
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    let listed = |more: &[&str]| flowmap.ok(&[&["inventory", "list"], more].concat()).stdout;
    let (now, then) = (listed(&[]), listed(&["--at", "2026-11-24T10:00:00Z"]));
    assert!(now.contains("shop/web") && !now.contains("shop/job"), "{now}");
    assert!(then.contains("shop/web") && then.contains("shop/job"), "{then}");
}

#[test]
fn an_import_names_what_it_found_also_where_that_is_no_pod() {
    let flowmap = Flowmap::new();
    let range = json!({"kind": "ServiceCIDR", "apiVersion": "networking.k8s.io/v1", "metadata": {"name": "kubernetes"},
                       "spec": {"cidrs": ["10.96.0.0/16"]}});
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    let ingress = json!({"kind": "Ingress", "apiVersion": "networking.k8s.io/v1",
                         "metadata": {"name": "web", "namespace": "shop"}, "spec": {"defaultBackend": backend}});
    let service = json!({"name": "hook", "namespace": "shop"});
    let hook = json!({"name": "hook.shop.example", "clientConfig": {"service": service}});
    let hooks = json!({"kind": "ValidatingWebhookConfiguration", "apiVersion": "admissionregistration.k8s.io/v1",
                       "metadata": {"name": "hook"}, "webhooks": [hook]});
    for (object, found) in [(range, "1 Service range"), (ingress, "1 ingress"), (hooks, "1 webhook")] {
        flowmap.write("object.json", object.to_string());
        let told = flowmap.ok(&["inventory", "import", "object.json"]).stderr;
        assert!(told.contains(found) && !told.contains("nothing of use"), "{found}: {told}");
    }
}
