//! A NetworkPolicy from an object, as a strict API server takes it (`fieldValidation=Strict`).

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    cidr,
    fault::{Fault, Reason},
    field::{Field, Fields},
};
use crate::{
    model::{
        Protocol,
        form::{self, Form},
    },
    policy::{IpBlock, NetworkPolicy, Operator, Peer, PolicyType, Port, PortMatch, Requirement, Rule, Selector},
};

/// The one version that is read; the older `extensions/v1beta1` is served nowhere any more.
const API_VERSION: &str = "networking.k8s.io/v1";

/// The namespace of objects that name none.
const DEFAULT_NAMESPACE: &str = "default";

/// The fields of `ObjectMeta`: a misspelt `namespace` would move a policy to another one.
const METADATA: &[&str] = &[
    "name",
    "namespace",
    "labels",
    "annotations",
    "generateName",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "ownerReferences",
    "finalizers",
    "managedFields",
];

/// The operators of `matchExpressions`.
const OPERATORS: &[&str] = &["In", "NotIn", "Exists", "DoesNotExist"];

/// The protocols that policies name.
pub(super) const PROTOCOL_NAMES: &[&str] = &["TCP", "UDP", "SCTP"];
pub(super) const PROTOCOLS: [Protocol; 3] = [Protocol::TCP, Protocol::UDP, Protocol::SCTP];

/// Reads an object of kind `NetworkPolicy`.
pub(super) fn network_policy(object: &Value) -> Result<NetworkPolicy, Fault> {
    let object = Field::root(object).fields(&["apiVersion", "kind", "metadata", "spec", "status"])?;
    let api_version = object.require("apiVersion")?;
    if api_version.text()? != API_VERSION {
        let found = api_version.text()?.to_owned();
        return Err(api_version.fault(Reason::Expected { found, expected: API_VERSION }));
    }
    let (namespace, name) = metadata(&object.require("metadata")?)?;
    // absent it is empty, and an absent selector selects all pods, as the API server has it
    let spec = match object.get("spec") {
        Some(spec) => spec.fields(&["podSelector", "ingress", "egress", "policyTypes"])?,
        None => Fields::empty("spec"),
    };
    let pod_selector = spec.get("podSelector").map(|field| selector(&field)).transpose()?.unwrap_or_default();
    let ingress = rules(&spec, PolicyType::Ingress)?;
    let egress = rules(&spec, PolicyType::Egress)?;
    let types = policy_types(&spec, !egress.is_empty())?;
    let isolated = |direction, rules| types.contains(&direction).then_some(rules);
    Ok(NetworkPolicy {
        namespace,
        name,
        pod_selector,
        ingress: isolated(PolicyType::Ingress, ingress),
        egress: isolated(PolicyType::Egress, egress),
    })
}

/// The namespace and the name.
fn metadata(field: &Field) -> Result<(String, String), Fault> {
    let metadata = field.fields(METADATA)?;
    let name = name(&metadata)?;
    let namespace = match metadata.get("namespace") {
        Some(field) if !field.text()?.is_empty() => formed(&field, form::NAMESPACE)?,
        _ => DEFAULT_NAMESPACE,
    };
    Ok((namespace.to_owned(), name))
}

/// The name of an object whose metadata are well formed; of one that is in no namespace the server drops what it says of it.
pub(super) fn cluster_wide_name(field: &Field) -> Result<String, Fault> {
    name(&field.fields(METADATA)?)
}

fn name(metadata: &Fields) -> Result<String, Fault> {
    for (key, value) in metadata.entries("labels")? {
        label(key, &value)?;
    }
    for (key, value) in metadata.entries("annotations")? {
        // keys are held in lower case for this check alone
        if !(form::LABEL_KEY.holds)(&key.to_ascii_lowercase()) {
            return Err(value.fault(Reason::Form { word: key.to_owned(), form: form::LABEL_KEY.rule }));
        }
        value.text()?;
    }
    for finalizer in metadata.list("finalizers")? {
        finalizer.text()?;
    }
    for time in ["creationTimestamp", "deletionTimestamp"] {
        metadata.get(time).map(|time| time.text()).transpose()?;
    }
    Ok(formed(&metadata.require("name")?, form::SUBDOMAIN)?.to_owned())
}

/// The directions that a policy isolates: what it says, else ingress, and egress where it has rules for that.
fn policy_types(spec: &Fields, has_egress: bool) -> Result<Vec<PolicyType>, Fault> {
    let listed = spec.list("policyTypes")?;
    if listed.len() > 2 {
        return Err(spec.fault("policyTypes", Reason::TooManyTypes(listed.len())));
    }
    if listed.is_empty() {
        let egress = has_egress.then_some(PolicyType::Egress);
        return Ok([PolicyType::Ingress].into_iter().chain(egress).collect());
    }
    listed.iter().map(|field| word(field, &["Ingress", "Egress"], &[PolicyType::Ingress, PolicyType::Egress])).collect()
}

/// The rules of a direction; a null among them is the empty rule, which allows everything.
fn rules(spec: &Fields, direction: PolicyType) -> Result<Vec<Rule>, Fault> {
    let (known, peers): (&'static [_], _) = match direction {
        PolicyType::Ingress => (&["from", "ports"], "from"),
        PolicyType::Egress => (&["to", "ports"], "to"),
    };
    let rule = |field: &Field| {
        let rule = field.fields(known)?;
        Ok(Rule {
            peers: rule.list(peers)?.iter().map(peer).collect::<Result<_, _>>()?,
            ports: rule.list("ports")?.iter().map(port).collect::<Result<_, _>>()?,
        })
    };
    spec.list(direction.as_str())?.iter().map(rule).collect()
}

fn peer(field: &Field) -> Result<Peer, Fault> {
    let peer = field.fields(&["podSelector", "namespaceSelector", "ipBlock"])?;
    let pods = peer.get("podSelector").map(|field| selector(&field)).transpose()?;
    let namespaces = peer.get("namespaceSelector").map(|field| selector(&field)).transpose()?;
    let block = peer.get("ipBlock").map(|field| ip_block(&field)).transpose()?;
    match (block, pods, namespaces) {
        (None, None, None) => Err(peer.fault_here(Reason::EmptyPeer)),
        (Some(block), None, None) => Ok(Peer::Block(block)),
        (None, pods, namespaces) => Ok(Peer::Pods { namespaces, pods: pods.unwrap_or_default() }),
        (Some(_), _, _) => Err(peer.fault_here(Reason::MixedPeer)),
    }
}

fn ip_block(field: &Field) -> Result<IpBlock, Fault> {
    let block = field.fields(&["cidr", "except"])?;
    let cidr_field = block.require("cidr")?;
    let cidr = cidr::parse(cidr_field.text()?).map_err(|reason| cidr_field.fault(reason))?;
    let except = |field: &Field| cidr::parse_except(field.text()?, cidr).map_err(|reason| field.fault(reason));
    Ok(IpBlock { cidr, except: block.list("except")?.iter().map(except).collect::<Result<_, _>>()? })
}

fn port(field: &Field) -> Result<Port, Fault> {
    let fields = field.fields(&["protocol", "port", "endPort"])?;
    let protocol = match fields.get("protocol") {
        Some(field) => word(&field, PROTOCOL_NAMES, &PROTOCOLS)?,
        None => Protocol::TCP,
    };
    let end = fields.get("endPort");
    let ports = match (fields.get("port"), end) {
        (Some(first), Some(end)) if !first.is_text() => range(&first, &end)?,
        (_, Some(end)) => return Err(end.fault(Reason::EndWithoutNumber)),
        (Some(name), None) if name.is_text() => PortMatch::Named(formed(&name, form::PORT_NAME)?.to_owned()),
        (Some(number), None) => range(&number, &number)?,
        (None, None) => PortMatch::All,
    };
    Ok(Port { protocol, ports })
}

fn range(first: &Field, last: &Field) -> Result<PortMatch, Fault> {
    let (port, end) = (port_number(first)?, port_number(last)?);
    if end < port { Err(last.fault(Reason::EndBelowPort { port, end })) } else { Ok(PortMatch::Range(port, end)) }
}

pub(super) fn port_number(field: &Field) -> Result<u16, Fault> {
    let number = field.integer()?;
    u16::try_from(number).ok().filter(|port| *port > 0).ok_or_else(|| field.fault(Reason::PortRange(number)))
}

pub(super) fn selector(field: &Field) -> Result<Selector, Fault> {
    let selector = field.fields(&["matchLabels", "matchExpressions"])?;
    let pairs = selector.entries("matchLabels")?;
    let mut requirements = pairs
        .iter()
        .map(|(key, value)| Ok(Requirement::equals(key, label(key, value)?)))
        .collect::<Result<Vec<_>, _>>()?;
    for field in selector.list("matchExpressions")? {
        requirements.push(requirement(&field)?);
    }
    Ok(Selector(requirements))
}

fn requirement(field: &Field) -> Result<Requirement, Fault> {
    let fields = field.fields(&["key", "operator", "values"])?;
    let key = formed(&fields.require("key")?, form::LABEL_KEY)?.to_owned();
    let values = fields.list("values")?;
    let values: BTreeSet<String> =
        values.iter().map(|value| Ok(formed(value, form::LABEL_VALUE)?.to_owned())).collect::<Result<_, _>>()?;
    let operator = match (word(&fields.require("operator")?, OPERATORS, OPERATORS)?, values.is_empty()) {
        ("In", false) => Operator::In(values),
        ("NotIn", false) => Operator::NotIn(values),
        ("Exists", true) => Operator::Exists,
        ("DoesNotExist", true) => Operator::DoesNotExist,
        (operator, true) => return Err(fields.fault("values", Reason::ValuesMissing(operator))),
        (operator, false) => return Err(fields.fault("values", Reason::ValuesForbidden(operator))),
    };
    Ok(Requirement { key, operator })
}

/// The value of a label whose key and value are well formed.
fn label<'a>(key: &str, value: &Field<'a>) -> Result<&'a str, Fault> {
    if !(form::LABEL_KEY.holds)(key) {
        return Err(value.fault(Reason::Form { word: key.to_owned(), form: form::LABEL_KEY.rule }));
    }
    formed(value, form::LABEL_VALUE)
}

/// A text of a form.
fn formed<'a>(field: &Field<'a>, form: Form) -> Result<&'a str, Fault> {
    let word = field.text()?;
    if (form.holds)(word) {
        Ok(word)
    } else {
        Err(field.fault(Reason::Form { word: word.to_owned(), form: form.rule }))
    }
}

/// What a word stands for.
pub(super) fn word<T: Copy>(field: &Field, known: &'static [&'static str], meanings: &[T]) -> Result<T, Fault> {
    let word = field.text()?;
    let meaning = known.iter().zip(meanings).find_map(|(name, meaning)| (*name == word).then_some(*meaning));
    meaning.ok_or_else(|| field.fault(Reason::UnknownWord { word: word.to_owned(), known }))
}
