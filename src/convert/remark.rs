//! Where a converted policy is not what the NetworkPolicy was, or not what was asked for.

use std::fmt;

use super::names::{MAX_OF_BLOCK, MAX_OF_RULE};
use crate::{
    model::{HostName, words::count},
    policy::PolicyType,
};

/// Blocks and names that one remark lists.
const MAX_LISTED: usize = 8;

/// One such thing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remark {
    /// A rule names some of the nodes, and all take part: the target tells nodes apart by nothing.
    AllNodes {
        /// The direction.
        side: PolicyType,
        /// On which ports, in words.
        ports: String,
        /// How many nodes it names.
        named: usize,
        /// How many there are.
        known: usize,
    },
    /// The target leaves a label out of what it knows of pods, so that a selector finds nothing by it.
    LabelLeftOut {
        /// The label's key.
        key: String,
    },
    /// A block of addresses holds pods, and the target never knows pods by their addresses.
    PodsByAddress {
        /// The direction.
        side: PolicyType,
        /// The block.
        cidr: String,
        /// How many of the inventory's pods are in it.
        pods: usize,
    },
    /// A block of addresses holds those of Services, and the target judges by who is behind them.
    ServicesByAddress {
        /// The block.
        cidr: String,
        /// How many of the inventory's Services are in it.
        services: usize,
    },
    /// The protocol must be switched on in the target.
    Sctp,
    /// A rule also allows addresses that names will have.
    LaterAddresses {
        /// On which ports, in words.
        ports: String,
        /// The names.
        names: Vec<HostName>,
    },
    /// Of blocks outside no name is known.
    NoName {
        /// On which ports, in words.
        ports: String,
        /// The blocks.
        cidrs: Vec<String>,
    },
    /// Blocks outside have more names than are written.
    ManyNames {
        /// On which ports, in words.
        ports: String,
        /// The blocks.
        cidrs: Vec<String>,
    },
    /// Names of blocks outside are known, but the target would not learn their addresses.
    NotHeard {
        /// On which ports, in words.
        ports: String,
        /// The blocks.
        cidrs: Vec<String>,
        /// Whether the pods ask a cache on their own node.
        asks_own_node: bool,
    },
    /// Names of blocks outside were answered, and not seen in use by those who were.
    NotUsed {
        /// On which ports, in words.
        ports: String,
        /// The blocks.
        cidrs: Vec<String>,
    },
    /// Names of blocks outside were seen in use on some ports of a rule, and are written for these.
    OnSomePorts {
        /// The ports of the rule, in words.
        ports: String,
        /// Those with names.
        named: String,
        /// The blocks.
        cidrs: Vec<String>,
    },
    /// Names of blocks outside were not to be written.
    LeftOut {
        /// On which ports, in words.
        ports: String,
        /// The blocks.
        cidrs: Vec<String>,
    },
    /// So many have names of blocks outside that it is not told who.
    Crowded {
        /// On which ports, in words.
        ports: String,
        /// The blocks.
        cidrs: Vec<String>,
    },
    /// The target's rules of ingress name pods alone: whoever else comes is let in.
    OpenToOutside {
        /// The blocks that were let in.
        cidrs: Vec<String>,
    },
    /// A port's name is one of any protocol.
    AnyProtocol {
        /// The direction.
        side: PolicyType,
        /// The ports, in words.
        ports: String,
    },
    /// Ports of addresses have no names.
    NoPortNames {
        /// The ports, in words.
        ports: String,
    },
    /// A block of addresses holds pods or Services, who are told by labels alone.
    InCluster {
        /// The direction.
        side: PolicyType,
        /// The block.
        cidr: String,
        /// How many of the inventory's pods are in it.
        pods: usize,
        /// How many of its Services.
        services: usize,
    },
    /// What the pods ask passes the target's proxy.
    ThroughProxy,
    /// Pods may also ask a cache of names on their own node.
    OwnNodeDns,
    /// Another rule lets pods ask without the proxy.
    BesidesProxy {
        /// On which ports, in words.
        ports: String,
    },
}

impl Remark {
    /// Whether more may pass than by the NetworkPolicy.
    #[must_use]
    pub fn is_wider(&self) -> bool {
        matches!(
            self,
            Self::AllNodes { .. } | Self::LaterAddresses { .. } | Self::OpenToOutside { .. } | Self::AnyProtocol { .. }
        )
    }

    /// The blocks outside that are allowed by their addresses alone, though names were asked for.
    #[must_use]
    pub fn by_address_alone(&self) -> &[String] {
        match self {
            Self::NoName { cidrs, .. }
            | Self::ManyNames { cidrs, .. }
            | Self::NotHeard { cidrs, .. }
            | Self::NotUsed { cidrs, .. }
            | Self::OnSomePorts { cidrs, .. }
            | Self::LeftOut { cidrs, .. }
            | Self::Crowded { cidrs, .. } => cidrs,
            _ => &[],
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllNodes { side, ports, named, known } => write!(
                f,
                "{} on {ports} names {} of {known}; Cilium tells nodes apart by nothing, so all of them take part",
                side.as_str(),
                count(*named as u64, "node"),
            ),
            Self::LabelLeftOut { key } => {
                write!(
                    f,
                    "selects by the label {key}, which Cilium leaves out of identities unless its `labels` include it"
                )
            }
            Self::PodsByAddress { side, cidr, pods } => write!(
                f,
                "{} names {cidr}, in which the inventory has {}: Cilium never knows pods by their addresses",
                side.as_str(),
                count(*pods as u64, "pod"),
            ),
            Self::ServicesByAddress { cidr, services } => write!(
                f,
                "egress names {cidr}, in which the inventory has {}: Cilium judges by the pods behind a Service, and never by its \
                 address",
                count(*services as u64, "Service"),
            ),
            Self::Sctp => f.write_str("names SCTP, which Cilium has switched off unless `enable-sctp` says otherwise"),
            Self::LaterAddresses { ports, names } => write!(
                f,
                "egress on {ports} also goes to every address that {} will have, as Cilium's DNS proxy learns them",
                listed(names),
            ),
            Self::NoName { ports, cidrs } => {
                by_address(f, ports, cidrs, "no answer is known in which DNS gave its pods a name of that")
            }
            Self::ManyNames { ports, cidrs } => write!(
                f,
                "egress on {ports} goes to {} by address alone: its pods use more names of that than are written, {MAX_OF_BLOCK} \
                 of a block and {MAX_OF_RULE} of a rule",
                listed(cidrs),
            ),
            Self::NotHeard { ports, cidrs, asks_own_node } => {
                let why = if *asks_own_node {
                    "they ask on their own node, where Cilium's DNS proxy does not see it"
                } else {
                    "no rule of port 53 (UDP) among these policies lets them ask through Cilium's DNS proxy"
                };
                let cidrs = listed(cidrs);
                write!(f, "egress on {ports} goes to {cidrs} by address alone, though DNS gave its pods names of that: {why}")
            }
            Self::NotUsed { ports, cidrs } => {
                let why =
                    "DNS gave its pods names of that, and none of these was seen to use one of them there, over TLS or HTTP";
                by_address(f, ports, cidrs, why)
            }
            Self::OnSomePorts { ports, named, cidrs } => write!(
                f,
                "egress on {ports} goes to {} by name on {named} alone, and on its other ports by address alone: there its pods were not \
                 seen to speak TLS or HTTP with names",
                listed(cidrs),
            ),
            Self::LeftOut { ports, cidrs } => by_address(f, ports, cidrs, "its names were to be left out"),
            Self::Crowded { ports, cidrs } => {
                by_address(f, ports, cidrs, "too many asked for a name of that, or used it, to tell who did")
            }
            Self::OpenToOutside { cidrs } => write!(
                f,
                "closes ingress from pods only: nodes, pods on their network, and who is outside the cluster may come on all ports, for rules \
                 of ingress cannot name them{}",
                left_out(cidrs),
            ),
            Self::AnyProtocol { side, ports } => write!(
                f,
                "{} on {ports} also opens ports of that name of other protocols: here a name is looked up for all of them",
                side.as_str(),
            ),
            Self::NoPortNames { ports } => {
                write!(f, "egress on {ports} is to pods with a network of their own alone: ports of addresses have no names")
            }
            Self::InCluster { side, cidr, pods, services } => write!(
                f,
                "{} names {cidr}, in which the inventory has {}: these are told by their labels alone, even where the network plugin holds \
                 an ipBlock against them",
                side.as_str(),
                pods_and_services(*pods, *services),
            ),
            Self::ThroughProxy => f.write_str(
                "leads what its pods ask on port 53 through Cilium's DNS proxy, all of it allowed: whether names are answered then \
                 depends on the agent of their node",
            ),
            Self::OwnNodeDns => f.write_str(
                "lets its pods ask on their own node, where Cilium's DNS proxy does not see it: of names that are asked there it learns \
                 no addresses",
            ),
            Self::BesidesProxy { ports } => write!(
                f,
                "egress on {ports} lets its pods ask DNS without a rule about DNS, beside which one has no effect: addresses of names may \
                 not be learnt",
            ),
        }
    }
}

fn by_address(f: &mut fmt::Formatter<'_>, ports: &str, cidrs: &[String], why: &str) -> fmt::Result {
    write!(f, "egress on {ports} goes to {} by address alone: {why}", listed(cidrs))
}

/// The first few, and how many more there are.
fn listed<T: fmt::Display>(all: &[T]) -> String {
    let (first, more) = all.split_at(all.len().min(MAX_LISTED));
    let text = first.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if more.is_empty() { text } else { format!("{text} and {} more", more.len()) }
}

fn left_out(cidrs: &[String]) -> String {
    if cidrs.is_empty() { String::new() } else { format!("; those for {} are left out", listed(cidrs)) }
}

fn pods_and_services(pods: usize, services: usize) -> String {
    let all = [(pods, "pod"), (services, "Service")].into_iter().filter(|(number, _)| *number > 0);
    all.map(|(number, of)| count(number as u64, of)).collect::<Vec<_>>().join(" and ")
}
