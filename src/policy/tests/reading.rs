use super::{
    super::{NetworkPolicy, Peer, PolicySet, Port, PortMatch, Rule, Selector, Strictness, read},
    strictly,
};
use crate::model::Protocol;

fn with_spec(spec: &str) -> String {
    format!("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: db}}\nspec: {spec}\n")
}

fn with_metadata(metadata: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {metadata}\nspec: {{podSelector: {{}}}}\n"
    )
}

fn policy(spec: &str) -> NetworkPolicy {
    strictly(&with_spec(spec)).unwrap().policies.remove(0)
}

/// Refusal with this message, after the place of the document.
fn refused(text: &str, message: &str) {
    let error = strictly(text).expect_err(text).to_string();
    let shown = error.strip_prefix("p.yaml: document 1: ").unwrap_or(&error);
    assert!(shown.starts_with(message), "{text}\nexpected {message}\nis       {shown}");
}

#[test]
fn misspelt_fields_are_refused_wherever_they_stand() {
    for (spec, message) in [
        (
            "{podSelectors: {}}",
            "spec.podSelectors: is no field of the API; known here are podSelector, ingress, egress",
        ),
        ("{podSelector: {matchLabel: {}}}", "spec.podSelector.matchLabel: is no field"),
        (
            "{podSelector: {matchExpressions: [{key: a, op: In}]}}",
            "spec.podSelector.matchExpressions[0].op: is no field",
        ),
        ("{ingress: [{form: []}]}", "spec.ingress[0].form: is no field of the API; known here are from, ports"),
        ("{ingress: [{to: []}]}", "spec.ingress[0].to: is no field"),
        ("{egress: [{}, {from: []}]}", "spec.egress[1].from: is no field of the API; known here are to, ports"),
        ("{ingress: [{from: [{ipblock: {}}]}]}", "spec.ingress[0].from[0].ipblock: is no field"),
        ("{egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, exept: []}}]}]}", "spec.egress[0].to[0].ipBlock.exept: is no"),
        ("{ingress: [{ports: [{port: 80}, {prot: 80}]}]}", "spec.ingress[0].ports[1].prot: is no field"),
    ] {
        refused(&with_spec(spec), message);
    }
    refused(&with_metadata("{name: db, namspace: production}"), "metadata.namspace: is no field");
    refused(&(with_spec("{}") + "specs: {}\n"), "specs: is no field of the API; known here are apiVersion");
}

#[test]
fn names_and_labels_must_have_their_forms() {
    for (metadata, message) in [
        ("{namespace: a}", "metadata.name: is required"),
        ("{name: ''}", "metadata.name: `` must be a DNS subdomain"),
        ("{name: Db}", "metadata.name: `Db` must be a DNS subdomain"),
        ("{name: db, namespace: a.b}", "metadata.namespace: `a.b` must be a DNS label"),
        ("{name: db, annotations: {bad key!: a}}", "metadata.annotations[bad key!]: `bad key!` must be a label key"),
        ("{name: db, finalizers: 5}", "metadata.finalizers: is a number, must be a list"),
        ("{name: db, creationTimestamp: 7}", "metadata.creationTimestamp: is a number, must be a string"),
        ("{name: db, labels: {a: 1}}", "metadata.labels[a]: is a number, must be a string"),
        ("{name: db, labels: {a b: c}}", "metadata.labels[a b]: `a b` must be a label key"),
        ("{name: db, annotations: {a: true}}", "metadata.annotations[a]: is a boolean, must be a string"),
    ] {
        refused(&with_metadata(metadata), message);
    }
    for (selector, message) in [
        ("{matchLabels: {app/: x}}", "matchLabels[app/]: `app/` must be a label key"),
        ("{matchLabels: {app: a b}}", "matchLabels[app]: `a b` must be a label value"),
        ("{matchLabels: {app: 1}}", "matchLabels[app]: is a number, must be a string"),
        ("{matchLabels: [app]}", "matchLabels: is a list, must be an object"),
        ("{matchExpressions: {key: a}}", "matchExpressions: is an object, must be a list"),
    ] {
        refused(&with_spec(&format!("{{podSelector: {selector}}}")), &format!("spec.podSelector.{message}"));
    }
}

#[test]
fn expressions_need_a_known_operator_and_the_values_it_takes() {
    for (expression, message) in [
        ("{operator: Exists}", ".key: is required"),
        ("{key: a}", ".operator: is required"),
        ("{key: a, operator: Equals, values: [b]}", ".operator: `Equals` is none of In, NotIn, Exists, DoesNotExist"),
        ("{key: a, operator: in, values: [b]}", ".operator: `in` is none of"),
        ("{key: a, operator: In}", ".values: In needs at least one value"),
        ("{key: a, operator: NotIn, values: []}", ".values: NotIn needs at least one value"),
        ("{key: a, operator: Exists, values: [b]}", ".values: Exists takes no values"),
        ("{key: a, operator: DoesNotExist, values: [b]}", ".values: DoesNotExist takes no values"),
        ("{key: a, operator: In, values: [b c]}", ".values[0]: `b c` must be a label value"),
        ("{key: -a, operator: Exists}", ".key: `-a` must be a label key"),
    ] {
        let spec = format!("{{ingress: [{{from: [{{namespaceSelector: {{matchExpressions: [{expression}]}}}}]}}]}}");
        let path = "spec.ingress[0].from[0].namespaceSelector.matchExpressions[0]";
        refused(&with_spec(&spec), &format!("{path}{message}"));
    }
}

#[test]
fn ports_must_be_ports() {
    for (port, message) in [
        ("{port: 70000}", ".port: 70000 is not between 1 and 65535"),
        ("{port: 0}", ".port: 0 is not between"),
        ("{port: -1}", ".port: -1 is not between"),
        ("{port: 80.5}", ".port: is a number, must be a whole number"),
        ("{port: true}", ".port: is a boolean, must be a whole number"),
        ("{port: '80'}", ".port: `80` must be a port number or a port name"),
        ("{port: Http}", ".port: `Http` must be a port number or a port name"),
        ("{port: sixteen-letters-}", ".port: `sixteen-letters-` must be"),
        ("{protocol: tcp}", ".protocol: `tcp` is none of TCP, UDP, SCTP"),
        ("{protocol: ICMP}", ".protocol: `ICMP` is none of"),
        ("{port: 80, endPort: 79}", ".endPort: 79 is below port 80"),
        ("{port: 80, endPort: 65536}", ".endPort: 65536 is not between"),
        ("{port: http, endPort: 90}", ".endPort: needs a numeric port"),
        ("{endPort: 90}", ".endPort: needs a numeric port"),
    ] {
        refused(
            &with_spec(&format!("{{egress: [{{ports: [{port}]}}]}}")),
            &format!("spec.egress[0].ports[0]{message}"),
        );
    }
}

#[test]
fn blocks_must_be_canonical_with_exceptions_strictly_inside() {
    for (block, message) in [
        ("{}", ".cidr: is required"),
        ("{cidr: 10.0.0.0}", ".cidr: `10.0.0.0` is no CIDR"),
        ("{cidr: 10.0.0.1/24}", ".cidr: `10.0.0.1/24` is not canonical; write 10.0.0.0/24"),
        ("{cidr: '2001:DB8::/32'}", ".cidr: `2001:DB8::/32` is not canonical; write 2001:db8::/32"),
        ("{cidr: 010.0.0.0/8}", ".cidr: `010.0.0.0/8` is not canonical; write 10.0.0.0/8"),
        (
            "{cidr: 10.0.0.0/8, except: [11.0.0.0/16]}",
            ".except[0]: 11.0.0.0/16 does not lie strictly inside 10.0.0.0/8",
        ),
        ("{cidr: 10.0.0.0/8, except: [10.0.0.0/8]}", ".except[0]: 10.0.0.0/8 does not lie strictly inside"),
        ("{cidr: 10.0.0.0/8, except: [0.0.0.0/0]}", ".except[0]: 0.0.0.0/0 does not lie strictly inside"),
        ("{cidr: 10.0.0.0/8, except: ['::/64']}", ".except[0]: ::/64 does not lie strictly inside"),
        ("{cidr: 10.0.0.0/8, except: [10.1.0.0/16, 10.2.0.1/16]}", ".except[1]: `10.2.0.1/16` is not canonical"),
    ] {
        let spec = format!("{{ingress: [{{from: [{{ipBlock: {block}}}]}}]}}");
        refused(&with_spec(&spec), &format!("spec.ingress[0].from[0].ipBlock{message}"));
    }
}

/// As `kubectl get -o yaml` prints them: servers took prefixes with further bits, and keep them.
#[test]
fn what_a_server_wrote_is_read_as_it_is_in_force() {
    let printed = |metadata: &str| {
        let spec = "{ingress: [{from: [{ipBlock: {cidr: 203.0.113.77/24, except: [203.0.113.9/28]}}]}]}";
        with_spec(spec).replace("{name: db}", &format!("{{name: db, {metadata}}}"))
    };
    let deployed = printed("uid: 3c6f1b1a, resourceVersion: '12345'");
    let canonical = deployed.replace("203.0.113.77/24", "203.0.113.0/24").replace("203.0.113.9/28", "203.0.113.0/28");
    assert_eq!(strictly(&deployed).unwrap().policies, strictly(&canonical).unwrap().policies);
    for metadata in ["uid: 3c6f1b1a", "resourceVersion: '12345'", "uid: 3c6f1b1a, resourceVersion: ''"] {
        refused(&printed(metadata), "spec.ingress[0].from[0].ipBlock.cidr: `203.0.113.77/24` is not canonical");
    }
    // what no server takes is a fault wherever it comes from
    let unknown = deployed.replace("ipBlock", "ipblock");
    refused(&unknown, "spec.ingress[0].from[0].ipblock: is no field");
}

#[test]
fn a_peer_is_pods_or_addresses_and_never_nobody() {
    for (peer, message) in [
        ("{}", "must name a peer"),
        ("null", "must name a peer"),
        ("{podSelector: null}", "must name a peer"),
        ("{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}", "ipBlock and selectors exclude each other"),
        ("{namespaceSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}", "ipBlock and selectors exclude each other"),
        ("web", "is a string, must be an object"),
    ] {
        refused(&with_spec(&format!("{{egress: [{{to: [{peer}]}}]}}")), &format!("spec.egress[0].to[0]: {message}"));
    }
}

#[test]
fn the_kind_and_its_version_must_be_served() {
    let text = with_spec("{}");
    let old = text.replace("networking.k8s.io/v1", "extensions/v1beta1");
    refused(&old, "apiVersion: `extensions/v1beta1` must be networking.k8s.io/v1");
    refused(&text.replace("apiVersion: networking.k8s.io/v1\n", ""), "apiVersion: is required");
    refused(&text.replace("NetworkPolicy", "NetworkPolice"), "kind: `NetworkPolice` is none of NetworkPolicy,");
    refused(&text.replace("kind: NetworkPolicy\n", ""), "kind: is required");
    refused(&text.replace("NetworkPolicy", "Networkpolicy"), "kind: `Networkpolicy` is none of NetworkPolicy,");
    refused("{metadata: {name: db}, spec: {podSelector: {}}}", "kind: is required");
    let spec = strictly(&text.replace("spec: {}", "")).unwrap().policies.remove(0);
    assert_eq!((spec.pod_selector, spec.ingress), (Selector::default(), Some(vec![])), "as the API server has it");
    refused(&with_spec("{policyTypes: [ingress]}"), "spec.policyTypes[0]: `ingress` is none of Ingress, Egress");
    refused(&with_spec("{policyTypes: [Ingress, Egress, Egress]}"), "spec.policyTypes: has 3 entries");
    refused(&with_spec("{ingress: {}}"), "spec.ingress: is an object, must be a list");
}

#[test]
fn a_name_may_be_given_once_in_a_namespace() {
    let text = format!("{}---\n{}", with_metadata("{name: db}"), with_metadata("{name: db, namespace: default}"));
    let message = "p.yaml: document 2: metadata.name: default/db is already defined by p.yaml: document 1";
    assert_eq!(strictly(&text).unwrap_err().to_string(), message);
    let text = format!("{}---\n{}", with_metadata("{name: db}"), with_metadata("{name: db, namespace: other}"));
    assert_eq!(strictly(&text).unwrap().policies.len(), 2);
}

#[test]
fn lenient_reading_leaves_out_the_invalid_and_says_so() {
    let text = format!("{}---\n{}", with_spec("{ingress: 1}"), with_metadata("{name: web}"));
    let set = PolicySet::from_objects(&read("p.yaml", &text).unwrap(), Strictness::Lenient).unwrap();
    assert_eq!(set.policies.len(), 1);
    let skipped = set.skipped.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(skipped, ["p.yaml: document 1: spec.ingress: is a number, must be a list"]);
}

#[test]
fn policies_of_other_kinds_are_named_and_other_objects_passed_over() {
    let text = "
{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {namespace: a, name: l7}}
---
{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {namespace: a, name: np}, spec: {order: 1}}
---
{apiVersion: crd.projectcalico.org/v1, kind: GlobalNetworkPolicy, metadata: {name: g}}
---
{apiVersion: crd.antrea.io/v1beta1, kind: ClusterNetworkPolicy, metadata: {name: c}}
---
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}}
---
{kind: Kustomization}
";
    let set = strictly(text).unwrap();
    let named: Vec<_> = set.not_evaluated.iter().map(|other| format!("{} {}", other.kind, other.name)).collect();
    let expected =
        ["CiliumNetworkPolicy a/l7", "NetworkPolicy a/np", "GlobalNetworkPolicy g", "ClusterNetworkPolicy c"];
    assert_eq!(named, expected);
    assert!(set.policies.is_empty() && set.skipped.is_empty());
}

#[test]
fn policy_types_say_which_directions_are_isolated_and_default_to_what_has_rules() {
    for (spec, ingress, egress) in [
        ("{}", Some(0), None),
        ("{ingress: null, egress: []}", Some(0), None),
        ("{egress: [{}]}", Some(0), Some(1)),
        ("{ingress: [{}], policyTypes: []}", Some(1), None),
        ("{policyTypes: [Egress]}", None, Some(0)),
        ("{ingress: [{}], policyTypes: [Egress]}", None, Some(0)),
        ("{egress: [{}], policyTypes: [Ingress]}", Some(0), None),
        ("{policyTypes: [Ingress, Egress]}", Some(0), Some(0)),
    ] {
        let policy = policy(spec);
        let counts = (policy.ingress.map(|rules| rules.len()), policy.egress.map(|rules| rules.len()));
        assert_eq!(counts, (ingress, egress), "{spec}");
    }
}

#[test]
fn absent_null_and_empty_are_told_apart_where_the_api_does() {
    let everything = vec![Rule::default()];
    for rule in ["{}", "null", "{from: null, ports: null}", "{from: [], ports: []}"] {
        assert_eq!(policy(&format!("{{ingress: [{rule}]}}")).ingress.as_ref(), Some(&everything), "{rule}");
    }
    let peer = |text: &str| policy(&format!("{{ingress: [{{from: [{text}]}}]}}")).ingress.unwrap()[0].peers[0].clone();
    let all = Selector::default;
    assert_eq!(peer("{podSelector: {}}"), Peer::Pods { namespaces: None, pods: all() });
    assert_eq!(peer("{namespaceSelector: {}}"), Peer::Pods { namespaces: Some(all()), pods: all() });
    assert_eq!(peer("{namespaceSelector: null, podSelector: {}}"), Peer::Pods { namespaces: None, pods: all() });
    let port = |text: &str| policy(&format!("{{ingress: [{{ports: [{text}]}}]}}")).ingress.unwrap()[0].ports[0].clone();
    assert_eq!(port("{}"), Port { protocol: Protocol::TCP, ports: PortMatch::All });
    assert_eq!(port("{protocol: UDP, port: null}"), Port { protocol: Protocol::UDP, ports: PortMatch::All });
    assert_eq!(port("{port: 80, endPort: 80}"), Port { protocol: Protocol::TCP, ports: PortMatch::Range(80, 80) });
}
