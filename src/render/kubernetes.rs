//! NetworkPolicies (`networking.k8s.io/v1`), as a strict API server takes them.

use std::{collections::BTreeMap, fmt::Write, net::IpAddr};

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::{Document, RenderError, words};
use crate::{
    model::NAMESPACE_NAME_LABEL,
    recommend::{Access, Dns, Group, NamespacePlan, Peer, Ports, Recommendation, Selector, everywhere},
    yaml,
};

/// The policies of all namespaces, and a kustomization for each.
pub fn policies(recommendation: &Recommendation) -> Result<Vec<Document>, RenderError> {
    let mut documents = Vec::new();
    for plan in &recommendation.namespaces {
        let mut of_namespace = vec![default_deny(plan)?];
        of_namespace.extend(plan.dns.as_ref().map(|dns| allow_dns(plan, dns)).transpose()?);
        for group in &plan.groups {
            of_namespace.push(self::group(plan, group)?);
        }
        of_namespace.sort();
        documents.push(kustomization(plan, &of_namespace)?);
        documents.append(&mut of_namespace);
    }
    documents.sort();
    Ok(documents)
}

/// A comment, then the YAML.
fn document(path: String, comment: &str, value: &Value) -> Result<Document, RenderError> {
    let yaml =
        yaml::write(value).map_err(|error| RenderError::Yaml { path: path.clone(), reason: error.to_string() })?;
    let mut text = String::new();
    for line in comment.lines() {
        let line = words::safe(line);
        text.push_str(if line.is_empty() { "#\n" } else { "# " });
        if !line.is_empty() {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text.push_str(&yaml);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(Document { path, text })
}

fn policy(namespace: &str, name: &str, selector: Value, ingress: Vec<Value>, egress: Vec<Value>) -> Value {
    let mut spec = Map::new();
    spec.insert("podSelector".into(), selector);
    spec.insert("policyTypes".into(), json!(["Ingress", "Egress"]));
    if !ingress.is_empty() {
        spec.insert("ingress".into(), ingress.into());
    }
    if !egress.is_empty() {
        spec.insert("egress".into(), egress.into());
    }
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "flowmap"},
        },
        "spec": spec,
    })
}

fn default_deny(plan: &NamespacePlan) -> Result<Document, RenderError> {
    let namespace = &plan.namespace;
    let comment =
        format!("Nothing in {namespace} may be reached or reach out, but for what the other policies here allow.");
    let value = policy(namespace, "default-deny", json!({}), Vec::new(), Vec::new());
    document(format!("{namespace}/default-deny.yaml"), &comment, &value)
}

fn allow_dns(plan: &NamespacePlan, dns: &Dns) -> Result<Document, RenderError> {
    let namespace = &plan.namespace;
    let path = format!("{namespace}/allow-dns.yaml");
    let mut text = String::new();
    for (n, (name, selector)) in dns.clients.iter().enumerate() {
        let mut comment = format!("Name resolution for {}.\n\negress\n", words::selector(selector));
        accesses(&mut comment, &asked_by(plan, dns, name), namespace);
        let policy_name = if name.is_empty() { "allow-dns".to_owned() } else { format!("allow-dns-{name}") };
        let egress = rules("to", &dns.servers, namespace);
        // egress alone: who may reach these pods is not this policy's to say
        let mut value = policy(namespace, &policy_name, self::selector(selector), Vec::new(), egress);
        value["spec"]["policyTypes"] = json!(["Egress"]);
        if n > 0 {
            text.push_str("---\n");
        }
        text.push_str(&document(path.clone(), &comment, &value)?.text);
    }
    Ok(Document { path, text })
}

/// The servers with the evidence of one client alone; of all where the policy is for all.
fn asked_by(plan: &NamespacePlan, dns: &Dns, name: &str) -> BTreeMap<Peer, Access> {
    let members = plan.groups.iter().filter(|group| group.name == name).flat_map(|group| &group.members);
    let names: Vec<String> = members.map(ToString::to_string).collect();
    let mut servers = dns.servers.clone();
    if !name.is_empty() {
        for access in servers.values_mut() {
            access.evidence.retain(|evidence| names.contains(&evidence.client));
        }
    }
    servers
}

fn group(plan: &NamespacePlan, group: &Group) -> Result<Document, RenderError> {
    let namespace = &plan.namespace;
    let path = format!("{namespace}/{}.yaml", group.name);
    let comment = comment(plan, group);
    let (ingress, egress) = if group.is_open {
        (vec![json!({})], vec![json!({})])
    } else {
        (rules("from", &group.ingress, namespace), rules("to", &group.egress, namespace))
    };
    document(path, &comment, &policy(namespace, &group.name, selector(&group.selector), ingress, egress))
}

fn comment(plan: &NamespacePlan, group: &Group) -> String {
    let members: Vec<_> = group.members.iter().map(|member| format!("{} {}", member.kind, member.name)).collect();
    let mut text = format!("{} in {}.\n", members.join(" and "), plan.namespace);
    if group.members.len() > 1 {
        text.push_str("No stable label tells them apart, so they share this policy: give each a label of its own.\n");
    }
    if group.is_open {
        text.push_str("LEFT OPEN: nothing of it was seen, so what it needs is not known. Capture at its node, or close it by hand.\n");
        return text;
    }
    for (name, peers) in [("ingress", &group.ingress), ("egress", &group.egress)] {
        let _ = write!(text, "\n{name}\n");
        if peers.is_empty() {
            text.push_str("  nothing\n");
        }
        accesses(&mut text, peers, &plan.namespace);
    }
    text
}

fn accesses(text: &mut String, peers: &BTreeMap<Peer, Access>, namespace: &str) {
    for (peer, access) in peers {
        let name = words::named(peer, access, namespace);
        let evidence = words::evidence(&access.evidence);
        // writing to a String cannot fail
        let _ = writeln!(text, "  {name} on {}: {evidence}", words::ports(&access.ports));
        for name in access.names(peer) {
            // an address of a name with several is a rule that ends when the name moves
            let others = name.also_at.iter().filter(|other| !peers.contains_key(&Peer::Address(**other)));
            let others: Vec<String> = others.map(ToString::to_string).collect();
            if !others.is_empty() {
                let _ =
                    writeln!(text, "    {} was also at {}: not seen in use, not allowed", name.name, others.join(", "));
            }
        }
    }
}

/// One rule for all peers with equal ports.
fn rules(side: &str, peers: &BTreeMap<Peer, Access>, namespace: &str) -> Vec<Value> {
    let mut by_ports: BTreeMap<&Ports, Vec<Value>> = BTreeMap::new();
    for (peer, access) in peers {
        by_ports.entry(&access.ports).or_default().push(self::peer(peer, namespace));
    }
    let port = |(protocol, port): &(crate::model::Protocol, u16)| json!({"protocol": protocol, "port": port});
    let rule = |(ports, peers): (&Ports, Vec<Value>)| {
        let ports: Vec<Value> = ports.iter().map(port).collect();
        json!({side: peers, "ports": ports})
    };
    by_ports.into_iter().map(rule).collect()
}

fn peer(peer: &Peer, namespace: &str) -> Value {
    match peer {
        Peer::Pods(pods) if pods.namespace == namespace => json!({"podSelector": selector(&pods.selector)}),
        Peer::Pods(pods) => json!({
            "namespaceSelector": {"matchLabels": {NAMESPACE_NAME_LABEL: pods.namespace}},
            "podSelector": selector(&pods.selector),
        }),
        Peer::Address(address) | Peer::NodeAddress(address) => json!({"ipBlock": {"cidr": IpNet::from(*address)}}),
        Peer::Anyone { except } => {
            let is_ipv4 = except.first().is_none_or(|range| matches!(range.addr(), IpAddr::V4(_)));
            let mut block = json!({"cidr": everywhere(is_ipv4)});
            if !except.is_empty() {
                block["except"] = json!(except);
            }
            json!({"ipBlock": block})
        }
    }
}

fn selector(selector: &Selector) -> Value {
    let mut value = Map::new();
    if !selector.equal.is_empty() {
        value.insert("matchLabels".into(), json!(selector.equal));
    }
    let any_of = selector.any_of.iter().map(|(key, values)| json!({"key": key, "operator": "In", "values": values}));
    let absent = selector.absent.iter().map(|key| json!({"key": key, "operator": "DoesNotExist"}));
    let expressions: Vec<Value> = any_of.chain(absent).collect();
    if !expressions.is_empty() {
        value.insert("matchExpressions".into(), expressions.into());
    }
    value.into()
}

fn kustomization(plan: &NamespacePlan, documents: &[Document]) -> Result<Document, RenderError> {
    let file = |document: &Document| document.path.rsplit('/').next().unwrap_or_default().to_owned();
    let value = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": documents.iter().map(file).collect::<Vec<_>>(),
    });
    let comment = format!("All policies of {}: kubectl diff -k, then kubectl apply -k.", plan.namespace);
    document(format!("{}/kustomization.yaml", plan.namespace), &comment, &value)
}
