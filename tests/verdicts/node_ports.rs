//! Ports of nodes: who dials one of another node than his own may be judged by that node or by who is behind it.

use serde_json::{Value, json};

use crate::{
    common::Flowmap,
    explain::{CLUSTER, DB_POLICY, ask, shop},
};

/// Some network plugins translate it at the client, others leave it to the other node.
#[test]
fn a_port_of_another_node_is_judged_by_the_node_as_well_as_by_the_pods_behind_it() {
    let flowmap = shop();
    let other = "---\napiVersion: v1\nkind: Node\nmetadata: {name: node-2}\n\
                 status: {addresses: [{type: InternalIP, address: 172.18.0.3}]}\n";
    let cluster = CLUSTER.replace(
        "ports: [{port: 80, targetPort: http}]",
        "type: NodePort, externalIPs: [172.18.0.3], ports: [{port: 80, nodePort: 30080, targetPort: http}]",
    );
    flowmap.write("cluster.yaml", cluster + other);
    let pods = "{to: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 8080}]}";
    let node = "{to: [{ipBlock: {cidr: 172.18.0.3/32}}], ports: [{port: 30080}]}";
    let (selected, _) = DB_POLICY.split_once("ingress:").unwrap();
    let asked = |rules: &str, to: &str, port: &str| {
        flowmap.write("out.yaml", format!("{selected}policyTypes: [Egress]\n  egress: [{rules}]\n"));
        let answer = ask(&flowmap, &["shop/db-1", to, port, "--policies", "out.yaml"]);
        (answer["allowed"] == true, answer["uncertain"] == true, answer)
    };
    for (rules, expected) in [
        (pods, (false, true)),
        (node, (false, true)),
        (&format!("{pods}, {node}"), (true, false)),
        ("{to: [{podSelector: {matchLabels: {app: db}}}]}", (false, false)),
    ] {
        let (allowed, uncertain, answer) = asked(rules, "node-2", "30080");
        assert_eq!((allowed, uncertain), expected, "{rules}: {answer}");
        assert_eq!(answer["egress"]["rules"].as_array().map(Vec::len), Some(if allowed { 2 } else { 0 }), "{answer}");
    }
    assert!(asked(pods, "node-1", "30080").0, "its own node leads it on at once");
    assert!(asked(pods, "172.18.0.3", "80").0, "an external address is led on by every node");
    let (.., answer) = asked(pods, "node-2", "30080");
    let reason = answer["reason"].as_str().unwrap();
    assert!(reason.contains("no rule of shop/db allows egress to 172.18.0.3 on TCP/30080"), "{reason}");
}

/// One pod is on the node that they dialled, where the node's own address is none of the ways; the other is elsewhere.
#[test]
fn what_is_denied_to_one_pod_and_uncertain_for_another_does_not_hang_on_their_order() {
    let node = "apiVersion: v1\nkind: Node\nmetadata: {name: node-2}\n\
                status: {addresses: [{type: InternalIP, address: 172.18.0.3}]}\n";
    let exposed = "type: NodePort, ports: [{port: 80, nodePort: 30080, targetPort: http}]";
    let cluster = CLUSTER.replace("ports: [{port: 80, targetPort: http}]", exposed);
    let client = |name: &str, node: u8| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: cli-{name}, namespace: shop, labels: {{app: cli}}, \
             ownerReferences: [{{apiVersion: apps/v1, kind: ReplicaSet, name: cli, controller: true}}]}}\n\
             spec: {{nodeName: node-{node}}}\nstatus: {{phase: Running, podIP: 10.244.{node}.7}}\n"
        )
    };
    for [a, b] in [[1, 2], [2, 1]] {
        let flowmap = Flowmap::new();
        let documents = [cluster.as_str(), node, &client("a", a), &client("b", b)];
        flowmap.write("cluster.yaml", documents.join("---\n"));
        flowmap.write(
            "seen.csv",
            "client,server,protocol,port\n10.244.1.7,172.18.0.2,tcp,30080\n10.244.2.7,172.18.0.2,tcp,30080\n",
        );
        flowmap.write(
            "out.yaml",
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: cli, namespace: shop}\nspec:\n  \
             podSelector: {matchLabels: {app: cli}}\n  policyTypes: [Egress]\n  \
             egress: [{to: [{ipBlock: {cidr: 172.18.0.2/32}}], ports: [{port: 30080}]}]\n",
        );
        let files = ["--from", "seen.csv", "--inventory", "cluster.yaml", "-o", "json"];
        let output = flowmap.run(&[&["simulate", "out.yaml"], &files[..]].concat());
        let replay: Value = serde_json::from_str(&output.stdout).unwrap();
        let told = (output.code, &replay["denied"], &replay["uncertain"]);
        assert_eq!(told, (1, &json!(1), &json!(1)), "{a} {b}: {replay}");
        let asked = ["shop/cli", "node-1", "30080", "--policies", "out.yaml", "--inventory", "cluster.yaml"];
        let answer = ask(&flowmap, &asked);
        assert_eq!((&answer["allowed"], &answer["uncertain"]), (&json!(false), &Value::Null), "{a} {b}: {answer}");
    }
}
