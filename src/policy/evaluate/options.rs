//! What the API leaves to the network plugin, as a named choice.

use std::fmt;

use serde::Serialize;

/// How policies are read where the API lets network plugins differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Options {
    /// Whether an `ipBlock` also covers the addresses of pods.
    pub ipblock_matches_pods: bool,
    /// Whether host-network pods are selected like others; else they are addresses of their node.
    pub host_network_selected: bool,
    /// Which address of a Service's connection an `ipBlock` of an egress rule is held against.
    pub dnat: Dnat,
}

/// Where egress is judged: a plugin may see a connection before or after the Service's address has been replaced. Peers by
/// labels are the pods behind the Service in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dnat {
    /// By the address behind the Service.
    #[default]
    After,
    /// By the Service's address, as the client dialled it.
    Before,
}

impl fmt::Display for Options {
    /// A clause for each choice.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pods = if self.ipblock_matches_pods { "pods too" } else { "no pods" };
        let hosts = if self.host_network_selected { "have labels" } else { "are their node" };
        let dnat = match self.dnat {
            Dnat::After => "after",
            Dnat::Before => "before",
        };
        write!(f, "ipBlocks cover {pods}, host-network pods {hosts}, egress is judged {dnat} DNAT")
    }
}
