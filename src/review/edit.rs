//! What a person's choice on a rule means: which permissions go, and which take their place.

use ipnet::IpNet;
use serde_json::{Value, json};

use super::{fields::Fields, view::View};
use crate::{
    model::{NAMESPACE_NAME_LABEL, WorkloadRef},
    policy::PolicyType,
    proposal::{Action, ProposalError},
    recommend::{Access, Evidence, Peer, PodPeer},
    render::{self, Decisions, Permission, PolicyKey, Sheet, SheetRule, State, Step},
    store::content_id,
};

/// Why a choice cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum EditError {
    /// There is no such rule (any more).
    #[error("there is no such rule here, or not any more")]
    NoRule,
    /// What is to be done is no word.
    #[error("`{0}` is nothing that can be done to a rule")]
    NoChoice(String),
    /// The prefix is none.
    #[error("`{0}` is no prefix such as 203.0.113.0/24")]
    NoPrefix(String),
    /// The prefix is beside the addresses.
    #[error("{0} does not hold {1}")]
    Beside(IpNet, String),
    /// Not for such a peer.
    #[error("the peer {0} cannot be widened so")]
    NotWidened(String),
    /// It would change nothing.
    #[error("there is nothing to change: it is so already")]
    Nothing,
    /// What is needed for it cannot be computed.
    #[error(transparent)]
    Proposal(#[from] ProposalError),
}

impl EditError {
    /// Whether the rule is there, and what was asked of it is what cannot be.
    pub fn is_of_rule(&self) -> bool {
        matches!(self, Self::NoPrefix(_) | Self::Beside(..) | Self::NotWidened(_) | Self::Nothing)
    }
}

/// What a person chose to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Choice {
    pub action: Action,
    pub steps: Vec<Step>,
}

/// What tells a rule from others of its policy, short enough for an address.
pub(super) fn rule_ref(rule: &SheetRule) -> String {
    format!("{:016x}", content_id(&[rule.id().as_bytes()]))
}

/// What the fields of a form mean for a policy.
pub(super) fn choice(view: &View, sheet: &Sheet, fields: &Fields) -> Result<Choice, EditError> {
    let (action, steps) = match fields.get("op") {
        "approve" => return Ok(Choice { action: Action::Approve, steps: Vec::new() }),
        "reject-policy" => (Action::Reject, vec![Step::RejectPolicy]),
        "allow-policy" => (Action::Edit, vec![Step::AllowPolicy]),
        op => {
            let wanted = fields.get("rule");
            let rule = sheet.rules.iter().find(|rule| rule_ref(rule) == wanted).ok_or(EditError::NoRule)?;
            of_rule(view, sheet, rule, op, fields)?
        }
    };
    let steps = settled(&sheet.key, &steps, &view.found.decisions());
    if steps.is_empty() { Err(EditError::Nothing) } else { Ok(Choice { action, steps }) }
}

/// Whether something that can be done to rules would change anything of this one.
pub(super) fn is_possible(view: &View, sheet: &Sheet, rule: &SheetRule, op: &str) -> bool {
    let steps = of_rule(view, sheet, rule, op, &Fields::default());
    steps.is_ok_and(|(_, steps)| !settled(&sheet.key, &steps, &view.found.decisions()).is_empty())
}

/// What is left of steps where nothing is both taken out and put in, nor decided already. What was decided the other way
/// before is taken back by a step of its own, so that the entry can be taken back as a whole.
fn settled(key: &PolicyKey, steps: &[Step], decisions: &Decisions) -> Vec<Step> {
    let is_in = |step: &Step| match step {
        Step::Reject(_) | Step::Drop(_) => Some(false),
        Step::Add(_) => Some(true),
        _ => None,
    };
    let is_crossed = |step: &Step| {
        let mut others = steps.iter().filter(|other| is_in(other).is_some_and(|it| is_in(step) == Some(!it)));
        others.any(|other| permission(other).zip(permission(step)).is_some_and(|(one, other)| one == other))
    };
    let mut settled: Vec<Step> = Vec::new();
    for step in steps.iter().filter(|step| !is_crossed(step)) {
        let before = match step {
            Step::Add(one) => Some(Step::Allow(one.clone())),
            Step::Reject(one) => Some(Step::Drop(one.clone())),
            _ => None,
        };
        for step in before.into_iter().chain([step.clone()]) {
            if !decisions.has(key, &step) && !settled.contains(&step) {
                settled.push(step);
            }
        }
    }
    settled
}

fn of_rule(
    view: &View,
    sheet: &Sheet,
    rule: &SheetRule,
    op: &str,
    fields: &Fields,
) -> Result<(Action, Vec<Step>), EditError> {
    let port = fields.get("port");
    let is_meant = |one: &Permission| port.is_empty() || port_ref(one) == port;
    match op {
        "remove" => Ok((Action::Reject, away(rule).filter(|step| permission(step).is_some_and(is_meant)).collect())),
        "restore" => {
            let rejected = rule.permissions(&[State::Rejected]).filter(is_meant);
            Ok((Action::Edit, rejected.map(Step::Allow).collect()))
        }
        "widen-namespace" => {
            let pods = pods(rule)?;
            Ok((Action::Edit, replaced(rule, &[whole_namespace(&pods.namespace, &sheet.namespace)])))
        }
        "widen-tier" => {
            let pods = pods(rule)?;
            let peers = tier_of(view, sheet, rule, pods)?.ok_or_else(|| EditError::NotWidened(rule.name.clone()))?;
            Ok((Action::Edit, replaced(rule, &peers)))
        }
        "prefix" => Ok((Action::Edit, by_prefix(sheet, rule, fields.get("cidr"))?)),
        other => Err(EditError::NoChoice(other.to_owned())),
    }
}

/// What tells a permission's port from others of its rule.
pub(super) fn port_ref(one: &Permission) -> String {
    format!("{:016x}", content_id(&[render::canonical(&one.port).as_bytes()]))
}

fn permission(step: &Step) -> Option<&Permission> {
    match step {
        Step::Reject(one) | Step::Allow(one) | Step::Add(one) | Step::Drop(one) => Some(one),
        Step::RejectPolicy | Step::AllowPolicy => None,
    }
}

/// All of a rule that is in force goes.
fn away(rule: &SheetRule) -> impl Iterator<Item = Step> {
    let rejected = rule.permissions(&[State::Proposed]).map(Step::Reject);
    rejected.chain(rule.permissions(&[State::Added]).map(Step::Drop))
}

/// The peers of a rule are replaced by others, on the same ports.
fn replaced(rule: &SheetRule, peers: &[Value]) -> Vec<Step> {
    let ports = rule.ports.iter().filter(|port| port.state != State::Rejected);
    let added = ports.flat_map(|port| peers.iter().map(|peer| (peer.clone(), port.port.clone())));
    let add = |(peer, port)| Step::Add(Permission::new(rule.side, peer, port));
    away(rule).chain(added.map(add)).collect()
}

fn pods(rule: &SheetRule) -> Result<&PodPeer, EditError> {
    match &rule.peer {
        Some(Peer::Pods(pods)) => Ok(pods),
        _ => Err(EditError::NotWidened(rule.name.clone())),
    }
}

/// All pods of a namespace, as seen from a policy of another or the same.
fn whole_namespace(namespace: &str, own: &str) -> Value {
    if namespace == own {
        return json!({"podSelector": {}});
    }
    json!({"namespaceSelector": {"matchLabels": {NAMESPACE_NAME_LABEL: namespace}}, "podSelector": {}})
}

/// The pods of all workloads of a peer's tier; none where it has no tier, or is alone in it.
fn tier_of(view: &View, sheet: &Sheet, rule: &SheetRule, pods: &PodPeer) -> Result<Option<Vec<Value>>, EditError> {
    let seen = other_side(rule.access.as_ref(), rule.side);
    let recommendation = view.by_tier(&pods.namespace)?;
    let groups = recommendation.namespaces.iter().flat_map(|plan| &plan.groups);
    let has_it = |group: &&crate::recommend::Group| {
        group.residue_of.is_none() && group.members.iter().any(|member| seen.contains(member))
    };
    let found: Vec<_> = groups.filter(has_it).collect();
    let is_other = |member: &WorkloadRef| !seen.contains(member);
    if !found.iter().flat_map(|group| &group.members).any(is_other) {
        return Ok(None);
    }
    let peers = found.into_iter().flat_map(|group| {
        let PodPeer { namespace, .. } = pods;
        let (name, selectors) = (group.name.clone(), group.selectors.clone());
        let peer = Peer::Pods(PodPeer { namespace: namespace.clone(), name, selectors });
        render::peer_values(&peer, &sheet.namespace)
    });
    let peers: Vec<Value> = peers.collect();
    Ok((!peers.is_empty()).then_some(peers))
}

/// Who was seen at the other side of a rule.
fn other_side(access: Option<&Access>, side: PolicyType) -> Vec<WorkloadRef> {
    let evidence = access.into_iter().flat_map(|access| &access.evidence);
    let other = |one: &Evidence| match side {
        PolicyType::Ingress => one.client.workload(),
        PolicyType::Egress => one.server.workload(),
    };
    evidence.filter_map(other).collect()
}

/// All addresses of that side within a prefix are replaced by it, on all of their ports.
fn by_prefix(sheet: &Sheet, rule: &SheetRule, text: &str) -> Result<Vec<Step>, EditError> {
    let prefix: IpNet = text.parse().map_err(|_| EditError::NoPrefix(text.to_owned()))?;
    let prefix = prefix.trunc();
    let is_within = |rule: &SheetRule| {
        let ranges: Option<Vec<IpNet>> = rule.peers.iter().map(range).collect();
        ranges.is_some_and(|ranges| !ranges.is_empty() && ranges.iter().all(|range| prefix.contains(range)))
    };
    if !is_within(rule) {
        return Err(EditError::Beside(prefix, rule.name.clone()));
    }
    let peer = json!({"ipBlock": {"cidr": prefix}});
    let mut steps: Vec<Step> = Vec::new();
    for other in sheet.rules.iter().filter(|other| other.side == rule.side && is_within(other)) {
        steps.extend(replaced(other, std::slice::from_ref(&peer)));
    }
    Ok(steps)
}

/// The addresses of a peer, where it is one block without exceptions.
fn range(peer: &Value) -> Option<IpNet> {
    if peer["ipBlock"].get("except").is_some() {
        return None;
    }
    peer["ipBlock"]["cidr"].as_str()?.parse().ok()
}

/// How many addresses a prefix holds, in words.
pub(super) fn size(prefix: &IpNet) -> String {
    match prefix.max_prefix_len() - prefix.prefix_len() {
        bits @ 0..=32 => (1_u64 << bits).to_string(),
        bits => format!("2^{bits}"),
    }
}
