//! The words that all rooms speak. Plain values: no I/O, no clock, no policy.

mod address;
mod application;
mod churn;
mod cluster;
mod contact;
mod control;
mod coverage;
mod dependency;
mod directions;
mod flags;
pub mod form;
mod labels;
mod link;
mod naming;
mod no_ends;
mod note;
mod observation;
mod observation_key;
mod party;
mod port_range;
mod protocol;
mod record;
mod scope;
mod service_port;
mod suspicion;
mod sweep;
mod text;
mod time;
mod trace_set;
mod visible;
mod vlan_stack;
pub mod well_known;
pub mod words;

pub use address::{PRIVATE_RANGES, is_group, is_private};
pub use application::{Application, ApplicationKey, ApplicationSighting, Protection, Secrecy};
pub use churn::{FIRST_DYNAMIC_PORT, handed_out};
pub use cluster::{
    AskedFor, Cluster, ContainerPort, Endpoint, Host, HostPort, Ingress, Mesh, NAMESPACE_NAME_LABEL, Namespace, Node,
    Pod, PodLife, RawObject, Schedule, Selected, Service, ServiceKind, ServicePort, TargetPort, Webhook, Workload,
    is_ambient_probe, own_ends,
};
pub use contact::{Contact, Contacts, Marks, carried_nothing};
pub use control::Control;
pub use coverage::{Cover, Coverage, Watched};
pub use dependency::{Dependency, Direction, History, Mark, Outcome, Via};
pub use directions::Directions;
pub use flags::Flags;
pub use labels::Labels;
pub use link::{How, LinkKey, LinkSighting, Mac};
pub use naming::{HostName, MissedNames, NameSighting, NameSource, PartyName};
pub use no_ends::NoEnds;
pub use note::Note;
pub use observation::{Hops, Lump, Observation, Order, Recording, Sent, Tally, Trace};
pub use observation_key::{ObservationKey, Opening};
pub use party::{Namesakes, Party, PartyKey, PartyKind, WorkloadRef};
pub use port_range::PortRange;
pub use protocol::{LEAST_PACKETS_OF_TCP, Protocol, UnknownProtocol};
pub use record::{Record, Records, Traffic};
pub use scope::{ListTally, Scope};
pub use service_port::{EARLY_PORTS, PortKind, service_port_rank};
pub use suspicion::{Duty, Suspects, Suspicion};
pub use sweep::Sweep;
pub use text::{NotText, decoded};
pub use time::{Hour, Span, Timestamp, parse_duration};
pub use trace_set::{TraceSet, TraceSetBuilder};
pub use visible::{is_unseen, visible};
pub use vlan_stack::{NotVlans, VlanStack};

/// The site of everything that names none: addresses are unique only within a site.
pub const DEFAULT_SITE: &str = "default";
