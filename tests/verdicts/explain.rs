//! `flowmap explain` on a hand-written cluster, with the words that people read.

use std::fs;

use serde_json::{Value, json};

use crate::common::{Flowmap, data};

/// Two namespaces, a Service, a pod in its node's network, and a deployed policy.
pub const CLUSTER: &str = r"
apiVersion: v1
kind: Node
metadata: {name: node-1}
spec: {podCIDR: 10.244.1.0/24}
status: {addresses: [{type: InternalIP, address: 172.18.0.2}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: a}}
---
apiVersion: v1
kind: Namespace
metadata: {name: ops}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: shop, labels: {app: web}}
spec: {nodeName: node-1, containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}
status: {phase: Running, podIP: 10.244.1.1}
---
apiVersion: v1
kind: Pod
metadata: {name: db-1, namespace: shop, labels: {app: db}}
spec: {nodeName: node-1, containers: [{name: c, ports: [{name: pg, containerPort: 5432}]}]}
status: {phase: Running, podIP: 10.244.1.2}
---
apiVersion: v1
kind: Pod
metadata: {name: agent-1, namespace: ops, labels: {app: agent}}
spec: {nodeName: node-1, hostNetwork: true, containers: [{name: c}]}
status: {phase: Running, podIP: 172.18.0.2, hostIP: 172.18.0.2}
---
apiVersion: v1
kind: Service
metadata: {name: front, namespace: shop}
spec: {clusterIP: 10.96.0.7, selector: {app: web}, ports: [{port: 80, targetPort: http}]}
";

pub const DB_POLICY: &str = r"
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 80}, {port: 443}]}]
";

pub fn shop() -> Flowmap {
    let flowmap = Flowmap::new();
    flowmap.write("cluster.yaml", CLUSTER);
    flowmap.write("db.yaml", DB_POLICY);
    flowmap
}

pub fn ask(flowmap: &Flowmap, args: &[&str]) -> Value {
    let output = flowmap.run(&[&["explain", "--inventory", "cluster.yaml", "-o", "json"], args].concat());
    assert!(output.code < 2, "{}", output.stderr);
    let answer: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(output.code == 0, answer["allowed"] == true, "the exit code tells the verdict");
    answer
}

/// Asks for what `db.yaml` denies.
const WEB_TO_DB: [&str; 8] =
    ["explain", "shop/web-1", "shop/db-1", "5432", "--policies", "db.yaml", "--inventory", "cluster.yaml"];

#[test]
fn a_denied_connection_is_explained_by_the_nearest_rule() {
    let flowmap = shop();
    let answer = ask(&flowmap, &["shop/web-1", "shop/db-1", "5432", "--policies", "db.yaml"]);
    let reason = "no rule of shop/db allows ingress from shop/web-1 on TCP/5432: shop/web-1 does not match app=api, \
                  port 5432 is not among 80, 443";
    assert_eq!(answer["reason"], reason);
    for (key, value) in [
        ("from", json!("shop/web-1")),
        ("to", json!("shop/db-1")),
        ("protocol", json!("TCP")),
        ("port", json!(5432)),
        ("allowed", json!(false)),
    ] {
        assert_eq!(answer[key], value, "{key}");
    }
    assert_eq!(answer["egress"], json!({"isolated": false, "isolated_by": [], "allowed": true, "by": [], "rules": []}));
    let ingress = &answer["ingress"];
    assert_eq!((&ingress["isolated"], &ingress["allowed"], &ingress["by"]), (&json!(true), &json!(false), &json!([])));
    assert_eq!(ingress["nearest"]["rule"], "shop/db spec.ingress[0]");
    assert_eq!(
        answer["reading"],
        json!({"ipblock_matches_pods": false, "host_network_selected": false, "dnat": "after"})
    );

    let text = flowmap.run(&WEB_TO_DB);
    for words in [
        "shop/web-1 -> shop/db-1 TCP/5432: denied",
        "egress: no policy isolates this side",
        "ingress: no rule of shop/db allows ingress from shop/web-1 on TCP/5432",
        "nearest is shop/db spec.ingress[0], but",
        "port 5432 is not among 80, 443",
        "read so: ",
    ] {
        assert!(text.stdout.contains(words), "no `{words}` in {}", text.stdout);
    }
    // an address may end like the words before what is nearest
    let args = ["explain", "2001:db8::", "shop/db-1", "5432", "--policies", "db.yaml", "--inventory", "cluster.yaml"];
    let text = flowmap.run(&args).stdout;
    assert!(text.contains("ingress: no rule of shop/db allows ingress from 2001:db8:: on TCP/5432\n"), "{text}");
}

#[test]
fn an_allowed_connection_names_every_rule_that_allows_it() {
    let flowmap = shop();
    flowmap.write(
        "more.yaml",
        DB_POLICY.replace("name: db,", "name: db2,").replace("app: api", "app: web").replace("80}", "5432}"),
    );
    let answer = ask(&flowmap, &["shop/web-1", "shop/db-1", "5432/tcp", "--policies", "db.yaml", "more.yaml"]);
    assert_eq!(answer["ingress"]["by"], json!(["shop/db2"]));
    assert_eq!(answer["ingress"]["rules"], json!(["shop/db2 spec.ingress[0]"]));
    assert_eq!(answer["ingress"]["isolated_by"], json!(["shop/db", "shop/db2"]));
    assert_eq!(answer["reason"], "egress is not isolated; ingress is allowed by shop/db2 spec.ingress[0]");
}

#[test]
fn a_service_leads_to_its_pods_at_their_port() {
    let flowmap = shop();
    flowmap.write(
        "web.yaml",
        DB_POLICY.replace("app: db", "app: web").replace("port: 80}", "port: http}").replace("app: api", "app: db"),
    );
    for to in ["10.96.0.7", "shop/front"] {
        assert_eq!(ask(&flowmap, &["shop/db-1", to, "80", "--policies", "web.yaml"])["allowed"], true, "{to}");
    }
    let nearest = "port 80 is not among 443, http (8080)";
    let direct = ask(&flowmap, &["shop/db-1", "10.244.1.1", "80", "--policies", "web.yaml"]);
    assert!(direct["reason"].as_str().unwrap().ends_with(nearest), "{direct}");
    let args = ["explain", "shop/db-1", "shop/front", "81", "--inventory", "cluster.yaml"];
    flowmap.run(&args).is_an_error(&["Service shop/front: has no port 81/TCP", "hint: it has 80/TCP"]);
}

#[test]
fn a_pod_always_reaches_itself_and_its_own_node() {
    let flowmap = shop();
    flowmap.write("all.yaml", DB_POLICY.replace("{matchLabels: {app: db}}", "{}\n  policyTypes: [Ingress, Egress]"));
    let policies = ["--policies", "all.yaml"];
    for (from, to) in
        [("shop/db-1", "shop/db-1"), ("172.18.0.2", "shop/db-1"), ("shop/db-1", "node-1"), ("shop/db-1", "ops/agent-1")]
    {
        let answer = ask(&flowmap, &[&[from, to, "9"][..], &policies].concat());
        assert_eq!(answer["allowed"], true, "{from} {to}: {answer}");
        assert!(answer["reason"].as_str().unwrap().ends_with("whatever the policies"), "{answer}");
    }
    assert_eq!(ask(&flowmap, &[&["172.18.0.3", "shop/db-1", "9"][..], &policies].concat())["allowed"], false);
}

#[test]
fn where_engines_differ_the_reading_is_a_choice() {
    let flowmap = shop();
    flowmap.write(
        "block.yaml",
        DB_POLICY
            .replace("podSelector: {matchLabels: {app: api}}", "ipBlock: {cidr: 10.244.0.0/16}")
            .replace("80}", "5432}"),
    );
    let block = ["shop/web-1", "shop/db-1", "5432", "--policies", "block.yaml"];
    assert_eq!(ask(&flowmap, &block)["allowed"], false);
    assert_eq!(ask(&flowmap, &[&block[..], &["--ipblock-matches-pods"]].concat())["allowed"], true);
    flowmap.write("ops.yaml", "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: x, namespace: ops}\nspec: {podSelector: {}}\n");
    let host = ["shop/web-1", "ops/agent-1", "22", "--policies", "ops.yaml"];
    let own_node = ask(&flowmap, &host);
    assert_eq!(own_node["ingress"]["isolated"], false);
    let selected = ask(&flowmap, &[&host[..], &["--host-network", "selected"]].concat());
    assert_eq!(selected["ingress"]["isolated"], true);
    assert_eq!(selected["reading"]["host_network_selected"], true);
}

#[test]
fn proposals_stand_on_top_of_what_is_deployed() {
    let flowmap = shop();
    let deployed =
        DB_POLICY.replace("name: db,", "name: legacy,").replace("app: api", "app: web").replace("80}", "5432}");
    flowmap.write("cluster.yaml", format!("{CLUSTER}---{deployed}"));
    let question = ["shop/web-1", "shop/db-1", "5432"];
    assert_eq!(ask(&flowmap, &question)["ingress"]["by"], json!(["shop/legacy"]), "what is deployed alone");
    let proposed = [&question[..], &["--policies", "db.yaml"]].concat();
    assert_eq!(ask(&flowmap, &proposed)["ingress"]["by"], json!(["shop/legacy"]));
    assert_eq!(ask(&flowmap, &[&proposed[..], &["--only"]].concat())["allowed"], false);
}

#[test]
fn probes_are_answered_in_their_order_and_a_bad_one_in_its_place() {
    let flowmap = shop();
    let probes = concat!(
        "[\"shop/web-1\", \"shop/db-1\", \"TCP\", 443]\n",
        "\n",
        "[\"8.8.8.8\", \"shop/web-1\", \"UDP\", 53, false]\n",
    );
    let args = ["explain", "--probes", "-", "--policies", "db.yaml", "--inventory", "cluster.yaml"];
    let output = flowmap.feed(&args, probes.as_bytes());
    assert_eq!(output.code, 1, "one is denied: {}", output.stderr);
    assert!(output.stderr.contains("verdicts that are not as expected: 1"), "{}", output.stderr);
    let answers: Vec<Value> = output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.iter().map(|it| &it["allowed"]).collect::<Vec<_>>(), [&json!(false), &json!(true)]);
    assert_eq!(answers[1]["expected"], false);

    let output = flowmap.feed(
        &args,
        b"[\"shop/web-1\", \"shop/nobody\", \"TCP\", 1]\nnonsense\n[\"8.8.8.8\", \"shop/web-1\", \"TCP\", 1]\n\
            [\"8.8.8.8\", \"shop/web-1\", \"TCP\", 0]\n",
    );
    assert_eq!(output.code, 2);
    let answers: Vec<Value> = output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 4);
    assert!(answers[0]["error"].as_str().unwrap().contains("shop/nobody"));
    assert_eq!(answers[3]["error"], "TCP has no port 0");
    assert_eq!((&answers[1]["probe"], &answers[2]["allowed"]), (&json!("nonsense"), &json!(true)));
}

#[test]
fn who_is_not_known_is_an_error_with_those_who_are() {
    let flowmap = shop();
    let run = |args: &[&str]| flowmap.run(&[&["explain", "--inventory", "cluster.yaml"], args].concat());
    run(&["shop/dbs", "shop/db-1", "1"]).is_an_error(&["`shop/dbs`: nobody in the inventory", "shop/db-1"]);
    run(&["web", "shop/db-1", "1"]).is_an_error(&["`web`", "did you mean shop/web-1?"]);
    for port in ["70000", "http", "80/TCPX", "", "0", "0/UDP", "80/ICMP"] {
        let output = run(&["shop/web-1", "shop/db-1", port]);
        assert!(output.code == 2 && output.stderr.contains("is not a port such as 5432"), "{port}: {}", output.stderr);
    }
    assert!(!flowmap.path("flowmap.db").exists(), "no store is needed, nor made");
}

#[test]
fn the_command_line_answers_the_probes_of_other_evaluators() {
    let Some(data) = data() else { return };
    let flowmap = Flowmap::new();
    let (mut allowed, mut denied) = (0, 0);
    for suite in ["npguard", "cyclonus", "recipes"] {
        for entry in fs::read_dir(data.join("oracle").join(suite)).unwrap() {
            let path = entry.unwrap().path();
            let case: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            flowmap
                .write("case.json", json!({"apiVersion": "v1", "kind": "List", "items": case["objects"]}).to_string());
            let probes = case["probes"].as_array().unwrap();
            let lines = probes.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
            let reading = if case["ipblock_matches_pods"] == true { &["--ipblock-matches-pods"][..] } else { &[] };
            let args = ["explain", "--probes", "-", "--policies", "case.json", "--inventory", "case.json"];
            let output = flowmap.feed(&[&args, reading].concat(), lines.as_bytes());
            assert!(output.code < 2, "{}: {}", path.display(), output.stderr);
            let answers: Vec<Value> = output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(answers.len(), probes.len(), "{}", path.display());
            for (probe, answer) in probes.iter().zip(answers) {
                assert_eq!(probe[4], answer["allowed"], "{}: {probe}: {answer}", path.display());
                *(if answer["allowed"] == true { &mut allowed } else { &mut denied }) += 1;
            }
        }
    }
    println!("{allowed} probes allowed, {denied} denied");
    assert!(allowed > 0 && denied > 0);
}

#[test]
fn a_node_port_leads_to_the_pods_behind_it() {
    let flowmap = shop();
    let cluster = CLUSTER.replace(
        "ports: [{port: 80, targetPort: http}]",
        "type: NodePort, ports: [{port: 80, nodePort: 30080, targetPort: http}]",
    );
    flowmap.write("cluster.yaml", cluster);
    flowmap.write("all.yaml", DB_POLICY.replace("{matchLabels: {app: db}}", "{}"));
    for to in ["172.18.0.2", "node-1"] {
        let answer = ask(&flowmap, &["8.8.8.8", to, "30080", "--policies", "all.yaml"]);
        assert_eq!(answer["ingress"]["isolated"], true, "{to}: {answer}");
    }
    let out = "policyTypes: [Egress]\n  egress: [{to: [{ipBlock: {cidr: 172.18.0.2/32}}], ports: [{port: 30080}]}]\n";
    let (selected, _) = DB_POLICY.split_once("ingress:").unwrap();
    flowmap.write("out.yaml", selected.to_owned() + out);
    for (dnat, allowed) in [("before", true), ("after", false)] {
        let asked = ask(&flowmap, &["shop/db-1", "node-1", "30080", "--policies", "out.yaml", "--dnat", dnat]);
        assert_eq!(asked["egress"]["allowed"], allowed, "{dnat} DNAT it goes to the node's port: {asked}");
    }
    let answer = ask(&flowmap, &["8.8.8.8", "::ffff:10.96.0.7", "80", "--policies", "all.yaml"]);
    assert_eq!(answer["allowed"], false, "a Service by its address in IPv6");
}

#[test]
fn a_deployed_policy_that_is_none_is_told_by_its_name() {
    let flowmap = shop();
    let deployed = "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: bad, namespace: shop}\n\
                    spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: x}}]}]}\n";
    flowmap.write("cluster.yaml", format!("{CLUSTER}{deployed}"));
    let output = flowmap.run(&["explain", "shop/web-1", "shop/db-1", "5432", "--inventory", "cluster.yaml"]);
    let told = "deployed, skipped: cluster.yaml: NetworkPolicy shop/bad: spec.ingress[0].from[0].ipBlock.cidr: `x`";
    assert!(output.stderr.contains(told), "{}", output.stderr);
}

#[test]
fn a_pod_that_has_ended_is_told_as_one() {
    let flowmap = shop();
    let ended = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: job-1, namespace: shop}\nstatus: {phase: Succeeded, podIP: 10.244.1.9}\n";
    flowmap.write("cluster.yaml", CLUSTER.to_owned() + ended);
    let args = ["explain", "shop/job-1", "shop/db-1", "5432", "--inventory", "cluster.yaml"];
    flowmap.run(&args).is_an_error(&["`shop/job-1`: has ended", "name its workload"]);
}

#[test]
fn external_may_stand_on_either_side_and_is_told_by_that_word() {
    let flowmap = shop();
    flowmap.write(
        "out.yaml",
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: x, namespace: shop}\n\
        spec: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 11.0.0.0/8}}]}]}\n",
    );
    let answer = ask(&flowmap, &["shop/db-1", "external", "443", "--policies", "out.yaml"]);
    assert_eq!(answer["partly"], "allowed to 11.0.0.0/8");
    assert!(answer["reason"].as_str().unwrap().ends_with("external is not in 11.0.0.0/8"), "{answer}");
    let args = ["explain", "external", "shop/db-1", "443", "--policies", "db.yaml", "--inventory", "cluster.yaml"];
    let text = flowmap.run(&args).stdout;
    assert!(text.contains("allows ingress from external on TCP/443"), "no address that nobody asked about: {text}");
}

#[test]
fn each_address_family_of_a_pod_is_judged_by_itself() {
    let flowmap = shop();
    let dual = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: dual, namespace: shop, labels: {app: dual}}\n\
                spec: {nodeName: node-1, containers: [{name: c}]}\n\
                status: {phase: Running, podIP: 10.244.1.9, podIPs: [{ip: 10.244.1.9}, {ip: 'fd00:10:244:1::9'}]}\n";
    flowmap.write("cluster.yaml", format!("{CLUSTER}{dual}"));
    let of = |direction: &str, word: &str| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: x, namespace: shop}}\n\
             spec: {{podSelector: {{}}, policyTypes: [{direction}], {word}: [{{ipBlock: {{cidr: 0.0.0.0/0}}}}]}}]}}\n"
        )
    };
    flowmap.write("out.yaml", of("Egress", "egress: [{to"));
    flowmap.write("in.yaml", of("Ingress", "ingress: [{from"));
    for (from, to, policies) in [("shop/dual", "external", "out.yaml"), ("external", "shop/dual", "in.yaml")] {
        let answer = ask(&flowmap, &[from, to, "443", "--policies", policies]);
        assert_eq!(answer["allowed"], false, "by IPv6 it is not: {answer}");
        assert!(answer["partly"].is_string(), "{answer}");
    }
}

#[test]
fn a_deployed_prefix_with_further_bits_is_in_force_as_what_it_means() {
    let flowmap = shop();
    let deployed = "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: old, namespace: shop}\n\
                    spec: {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: 203.0.113.7/24}}]}]}\n";
    flowmap.write("cluster.yaml", format!("{CLUSTER}{deployed}"));
    flowmap.write("web.yaml", DB_POLICY.replace("name: db,", "name: web,").replace("{app: db}", "{app: web}"));
    let answer = |from: &str| ask(&flowmap, &[from, "shop/db-1", "5432", "--policies", "web.yaml"])["allowed"].clone();
    assert_eq!(answer("shop/web-1"), false, "db-1 is isolated");
    assert_eq!(answer("203.0.113.200"), true);
    flowmap.write("old.yaml", &deployed[4..]);
    flowmap
        .run(&["explain", "shop/web-1", "shop/db-1", "80", "--inventory", "cluster.yaml", "--policies", "old.yaml"])
        .is_an_error(&["`203.0.113.7/24` is not canonical; write 203.0.113.0/24", "hint: "]);
}

#[test]
fn an_address_of_the_pods_ranges_that_nobody_has_is_noted() {
    let flowmap = shop();
    let answer = ask(&flowmap, &["10.244.1.77", "shop/db-1", "443", "--policies", "db.yaml"]);
    assert_eq!(answer["notes"].as_array().unwrap().len(), 1, "{answer}");
    let answer = ask(&flowmap, &["10.244.1.1", "shop/db-1", "443", "--policies", "db.yaml"]);
    assert_eq!(answer["notes"], Value::Null);
}

#[test]
fn nothing_is_passed_over_in_silence() {
    let flowmap = shop();
    let run = |args: &[&str]| {
        flowmap.run(&[&["explain", "shop/web-1", "shop/db-1", "5432", "--inventory", "cluster.yaml"], args].concat())
    };
    flowmap.write("folder/a.yaml", format!("{DB_POLICY}---\n- a list\n"));
    let output = run(&["--policies", "folder"]);
    assert_eq!(output.code, 1, "the policy before the list counts: {}", output.stderr);
    assert!(output.stderr.contains("passed over: folder/a.yaml: document 2: is no object"), "{}", output.stderr);
    std::os::unix::fs::symlink(".", flowmap.path("folder/round")).unwrap();
    assert_eq!(run(&["--policies", "folder"]).code, 1, "a link that leads round in circles");
    flowmap.write("twice.json", r#"{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "x"}, "spec": {"ingress": [], "ingress": [{}]}}"#);
    run(&["--policies", "twice.json"]).is_an_error(&["twice.json", "key `ingress` stands twice"]);
    flowmap
        .feed(&["diff", "-", "-", "--inventory", "cluster.yaml"], DB_POLICY.as_bytes())
        .is_an_error(&["stdin can be read once"]);
    flowmap.write("cluster.yaml", CLUSTER.replace("kind: Namespace", "kind: Other"));
    flowmap.write(
        "team.yaml",
        DB_POLICY.replace("podSelector: {matchLabels: {app: api}}", "namespaceSelector: {matchLabels: {team: a}}"),
    );
    let output = run(&["--policies", "team.yaml"]);
    assert!(output.stderr.contains("the labels of namespaces are not known"), "{}", output.stderr);
}

#[test]
fn a_closed_stderr_stops_nothing() {
    let flowmap = shop();
    flowmap.write(
        "cilium.yaml",
        format!(
            "{DB_POLICY}---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: c, namespace: a}}\n"
        ),
    );
    let args = ["explain", "shop/web-1", "shop/db-1", "1", "--policies", "cilium.yaml", "--inventory", "cluster.yaml"];
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let status = flowmap.command(&args).stderr(full).stdout(std::process::Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn a_nodes_address_within_the_pod_network_is_the_node() {
    let flowmap = shop();
    let policies = ["--policies", "db.yaml"];
    let answer = ask(&flowmap, &[&["10.244.1.0", "shop/db-1", "5432"], &policies[..]].concat());
    assert_eq!(answer["allowed"], true, "a pod and its own node always reach each other");
    assert!(answer["notes"][0].as_str().unwrap().contains("give to the node itself, here node-1"), "{answer}");
    // nobody's, and of another node
    let answer = ask(&flowmap, &[&["10.244.1.77", "shop/db-1", "5432"], &policies[..]].concat());
    assert_eq!(answer["allowed"], false);
    assert!(answer["notes"][0].as_str().unwrap().contains("nobody in the inventory has it"), "{answer}");
    let other = CLUSTER.replacen(
        "kind: Namespace",
        "kind: Node\nmetadata: {name: node-2}\nspec: {podCIDR: 10.244.2.0/24}\n---\nkind: Namespace",
        1,
    );
    flowmap.write("cluster.yaml", other);
    let answer = ask(&flowmap, &[&["10.244.2.1", "shop/db-1", "5432"], &policies[..]].concat());
    assert_eq!(answer["allowed"], false);
}

#[test]
fn a_service_that_has_a_workloads_name_is_told_of() {
    let flowmap = shop();
    let answer = ask(&flowmap, &["shop/db-1", "shop/web-1", "80"]);
    assert!(answer["notes"].is_null(), "{answer}");
    flowmap.write("cluster.yaml", CLUSTER.replace("name: front", "name: web-1"));
    let answer = ask(&flowmap, &["shop/db-1", "shop/web-1", "80"]);
    let note = answer["notes"][0].as_str().unwrap();
    assert!(note.contains("the Service of that name leads port 80 to 8080; for it ask 10.96.0.7 80"), "{note}");
    assert!(ask(&flowmap, &["shop/db-1", "shop/web-1", "8080"])["notes"].is_null());
}

#[test]
fn a_policy_that_names_no_namespace_is_said_to_count_for_default() {
    let flowmap = shop();
    flowmap.write("unplaced.yaml", DB_POLICY.replace(", namespace: shop", ""));
    let files = ["--policies", "unplaced.yaml", "--inventory", "cluster.yaml"];
    let output = flowmap.ok(&[&["explain", "shop/web-1", "shop/db-1", "5432"], &files[..]].concat());
    let words = "unplaced.yaml: document 1: names no namespace, and is judged as a policy of `default`";
    assert!(output.stderr.contains(words), "{}", output.stderr);
    let placed = flowmap.run(&WEB_TO_DB);
    assert!(!placed.stderr.contains("names no namespace"), "{}", placed.stderr);
}

#[test]
fn ends_without_addresses_of_one_family_are_told() {
    let flowmap = shop();
    flowmap.write("cluster.yaml", CLUSTER.replace("podIP: 10.244.1.2", "podIP: 'fd00::2'"));
    let answer = ask(&flowmap, &["shop/web-1", "shop/db-1", "5432"]);
    let note = "shop/web-1 and shop/db-1 have no addresses of one family: nothing connects them, whatever is allowed";
    assert_eq!(answer["notes"], json!([note]));
}
