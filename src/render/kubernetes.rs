//! NetworkPolicies (`networking.k8s.io/v1`), as a strict API server takes them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    Decisions, Document, Policies, PolicyKey, RenderError,
    decided::without_rejected,
    draft::{Atom, Draft, dns_name, numbered},
    head::{accesses, comment},
    kustomization,
    peers::{self, atoms},
    words,
    written::Written,
};
use crate::{
    model::Directions,
    policy::PolicyType,
    recommend::{Dns, DnsClient, Group, NamespacePlan, Recommendation, Selector},
    yaml,
};

/// The policies of all namespaces, and a kustomization for each, as far as a person's decisions leave them. `now` is
/// what the folder holds of an earlier proposal.
pub fn policies(
    recommendation: &Recommendation,
    decisions: &Decisions,
    now: &Written,
) -> Result<Policies, RenderError> {
    let mut policies = Policies { decisions: decisions.clone(), ..Policies::default() };
    for plan in &recommendation.namespaces {
        let drafts = drafts(plan, recommendation.directions, decisions);
        let proposed: BTreeSet<PolicyKey> = drafts.iter().map(Draft::key).collect();
        policies.decisions.adopt(&plan.namespace, &proposed, now);
        policies.idle.extend(policies.decisions.idle(&plan.namespace, &drafts));
        let mut by_path: BTreeMap<String, Vec<Draft>> = BTreeMap::new();
        for mut draft in drafts {
            policies.decisions.give_back(&draft);
            policies.decisions.settle(&draft);
            let decisions = &policies.decisions;
            policies.conflicts.extend(decisions.apply(&mut draft));
            if !decisions.rejects(&draft.key()) {
                policies.entries += draft.ingress.len() + draft.egress.len();
                policies.count += 1;
                by_path.entry(draft.path.clone()).or_default().push(draft);
            }
        }
        let mut documents = BTreeMap::new();
        let decisions = &policies.decisions;
        for (path, drafts) in &by_path {
            documents.insert(path.clone(), stream(path, drafts, decisions, &mut policies.written)?);
        }
        policies.decisions.keep(&plan.namespace, &mut documents, &mut policies.written)?;
        kustomization(plan, &mut documents, decisions, &mut policies.written)?;
        policies.documents.extend(documents.into_iter().map(|(path, text)| Document { path, text }));
    }
    policies.documents.sort();
    Ok(policies)
}

/// Some of the policies alone, by document and name, with a kustomization of what is left.
pub fn some(policies: &Policies, is_wanted: &dyn Fn(&PolicyKey) -> bool) -> Result<Policies, RenderError> {
    let decisions = &policies.decisions;
    let mut some = Policies { decisions: decisions.clone(), ..Policies::default() };
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let wanted = policies.written.0.iter().filter(|(key, _)| !key.is_kustomization() && is_wanted(key));
    for (key, written) in wanted {
        let (head, notes) = (lines(&written.head), decisions.notes(key));
        let text = document(key.document(), &head, notes, &written.object)?;
        let whole = texts.entry(key.document().to_owned()).or_default();
        whole.push_str(if whole.is_empty() { "" } else { "---\n" });
        whole.push_str(&text);
        some.written.0.insert(key.clone(), written.clone());
        some.count += 1;
    }
    for (key, written) in policies.written.0.iter().filter(|(key, _)| key.is_kustomization()) {
        let (path, folder) = (key.document(), key.namespace());
        let is_gone = |file: &Value| {
            let document = format!("{folder}/{}", file.as_str().unwrap_or_default());
            policies.written.documents().contains(document.as_str()) && !texts.contains_key(&document)
        };
        let mut written = written.clone();
        if let Some(files) = written.object["resources"].as_array_mut() {
            files.retain(|file| !is_gone(file));
        }
        if texts.keys().any(|document| document.split('/').next() == Some(folder)) {
            let text = document(path, &lines(&written.head), decisions.notes(key), &written.object)?;
            texts.insert(path.to_owned(), text);
            some.written.0.insert(key.clone(), written);
        }
    }
    some.documents = texts.into_iter().map(|(path, text)| Document { path, text }).collect();
    Ok(some)
}

fn lines(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

fn drafts(plan: &NamespacePlan, directions: Directions, decisions: &Decisions) -> Vec<Draft> {
    let mut drafts = vec![default_deny(plan, directions)];
    drafts.extend(plan.dns.iter().flat_map(|dns| allow_dns(plan, dns, decisions)));
    for group in &plan.groups {
        drafts.extend(self::group(plan, group, directions, decisions));
    }
    drafts.sort_by(|a, b| (&a.path, a.name()).cmp(&(&b.path, b.name())));
    drafts
}

/// The policies of one document.
fn stream(path: &str, drafts: &[Draft], decisions: &Decisions, written: &mut Written) -> Result<String, RenderError> {
    let mut text = String::new();
    for draft in drafts {
        let object = decisions.fields(&draft.key(), draft.object());
        text.push_str(if text.is_empty() { "" } else { "---\n" });
        text.push_str(&document(path, &comment_of(&draft.head), decisions.notes(&draft.key()), &object)?);
        written.add(draft.key(), object, &comment_of(&draft.head));
    }
    Ok(text)
}

/// Text as a comment.
pub(super) fn comment_of(text: &str) -> String {
    let line = |line: &str| if line.is_empty() { "#\n".to_owned() } else { format!("# {line}\n") };
    text.lines().map(|text| line(&words::safe(text))).collect()
}

/// A comment with a person's own lines behind it, then the YAML.
pub(super) fn document(path: &str, comment: &str, notes: &[String], value: &Value) -> Result<String, RenderError> {
    let yaml =
        yaml::write(value).map_err(|error| RenderError::Yaml { path: path.to_owned(), reason: error.to_string() })?;
    let mut text = comment.to_owned();
    for note in notes {
        text.push_str(note);
        text.push('\n');
    }
    text.push_str(&yaml);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// The label that says who writes an object (Kubernetes' recommended labels).
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Whether an object says that flowmap wrote it.
#[must_use]
pub fn is_own(object: &Value) -> bool {
    object["metadata"]["labels"][MANAGED_BY] == "flowmap"
}

fn draft(namespace: &str, file: &str, name: &str, head: String, selector: Value, directions: Directions) -> Draft {
    let mut types = Vec::new();
    types.extend(directions.has_ingress().then(|| "Ingress".into()));
    types.extend(directions.has_egress().then(|| "Egress".into()));
    Draft {
        path: format!("{namespace}/{file}.yaml"),
        head,
        metadata: json!({
            "name": name,
            "namespace": namespace,
            "labels": {MANAGED_BY: "flowmap"},
        }),
        selector,
        types,
        ingress: Vec::new(),
        egress: Vec::new(),
    }
}

fn default_deny(plan: &NamespacePlan, directions: Directions) -> Draft {
    let namespace = &plan.namespace;
    let what = match directions {
        Directions::Ingress => "be reached",
        Directions::Egress => "reach out",
        Directions::Both => "be reached or reach out",
    };
    let head = format!("Nothing in {namespace} may {what}, but for what the other policies here allow.");
    draft(namespace, "default-deny", "default-deny", head, json!({}), directions)
}

/// Egress alone: who may reach these pods is not these policies' to say.
fn allow_dns(plan: &NamespacePlan, dns: &Dns, decisions: &Decisions) -> Vec<Draft> {
    let namespace = &plan.namespace;
    let policy = |client: &DnsClient| {
        let selector = peers::selector(&client.selector);
        let draft = draft(namespace, "allow-dns", &dns_name(client), String::new(), selector, Directions::Egress);
        let mut head = format!("Name resolution for {}.\n\negress\n", words::selector(&client.selector));
        let mut shown = dns.asked_by(client);
        without_rejected(&mut shown, decisions, &[draft.key()], PolicyType::Egress, namespace);
        // all of it may have been removed by hand: an empty list denies what it does not name
        head.push_str(if shown.is_empty() { "  nothing\n" } else { "" });
        accesses(&mut head, &shown, namespace);
        Draft { head, egress: atoms(&dns.servers, namespace), ..draft }
    };
    dns.clients.iter().map(policy).collect()
}

/// A group's policy; several, where no one selector selects all of its pods and no others.
fn group(plan: &NamespacePlan, group: &Group, directions: Directions, decisions: &Decisions) -> Vec<Draft> {
    let namespace = &plan.namespace;
    let all = || vec![Atom { peer: Value::Null, port: Value::Null }];
    let (mut ingress, mut egress) = if group.is_open {
        (all(), all())
    } else {
        (atoms(&group.ingress, namespace), atoms(&group.egress, namespace))
    };
    if !directions.has_ingress() {
        ingress.clear();
    }
    if !directions.has_egress() {
        egress.clear();
    }
    let policy = |(n, selector): (usize, &Selector)| {
        let (name, selector) = (numbered(&group.name, n), peers::selector(selector));
        let draft = draft(namespace, &group.name, &name, String::new(), selector, directions);
        let (mut shown, key) = (group.clone(), [draft.key()]);
        without_rejected(&mut shown.ingress, decisions, &key, PolicyType::Ingress, namespace);
        without_rejected(&mut shown.egress, decisions, &key, PolicyType::Egress, namespace);
        let head = comment(plan, &shown, directions);
        Draft { head, ingress: ingress.clone(), egress: egress.clone(), ..draft }
    };
    group.selectors.iter().enumerate().map(policy).collect()
}

fn kustomization(
    plan: &NamespacePlan,
    documents: &mut BTreeMap<String, String>,
    decisions: &Decisions,
    written: &mut Written,
) -> Result<(), RenderError> {
    let value = kustomization::listing(documents.keys());
    let comment = format!("All policies of {}: kubectl diff -k, then kubectl apply -k.", plan.namespace);
    let key = PolicyKey::kustomization(&plan.namespace);
    if decisions.rejects(&key) {
        return Ok(());
    }
    let (comment, value) = (comment_of(&comment), decisions.fields(&key, value));
    documents.insert(key.document().to_owned(), document(key.document(), &comment, decisions.notes(&key), &value)?);
    written.add(key, value, &comment);
    Ok(())
}
