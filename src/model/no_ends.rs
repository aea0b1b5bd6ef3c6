use super::Protocol;

/// Why it cannot be told whose ends a party of a dependency has: what policies speak of, and rules are made for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NoEnds {
    /// A workload without pods.
    #[error("{0} has no pods in the inventory")]
    NoPods(String),
    /// A workload that no namespace is known of.
    #[error("{0} is in no namespace")]
    NoNamespace(String),
    /// An address that belonged to nobody.
    #[error("nobody known owned {0} then")]
    Unowned(String),
    /// Multicast and broadcast.
    #[error("multicast and broadcast make no rule")]
    Multicast,
    /// A Service behind which several pods might have answered.
    #[error("which pod behind {0} answered was not seen")]
    AnswerUnseen(String),
    /// A Service that leads to nobody.
    #[error("no pod behind {0} is known")]
    NothingBehind(String),
    /// A Service without a selector, as that of the API server, whose endpoints are not known.
    #[error(
        "{0} selects no pods, and its endpoints are not in the inventory: import them (`kubectl get endpoints,endpointslices -A -o json`)"
    )]
    NoEndpoints(String),
    /// A Service that was dialled at a port that it has not.
    #[error("{service} has no port {port}/{protocol}")]
    NoPort {
        /// The Service.
        service: String,
        /// What was dialled there.
        port: u16,
        /// By which protocol.
        protocol: Protocol,
    },
    /// A client of which no address is known.
    #[error("the client has no address")]
    NoAddress,
}
