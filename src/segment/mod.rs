//! Segments: which VLANs and subnets there are, at which capture points, who lives in them, who routes between them, and
//! which connections cross their borders.
//!
//! ```text
//! frames -> Table -> sightings                                      written with a run
//! sightings -> evidence -> gateways -> homes -> subnets -> segments decided when read, never when written
//!                                       segments + dependencies -> crossings, findings
//! ```
//!
//! Wrong is worse than missing: what a capture cannot tell is unknown, and what is inferred says from what.

mod crossing;
mod domain;
mod evidence;
mod finding;
mod gateway;
mod home;
mod layout;
mod place;
mod point;
mod subnet;
mod table;

pub use crossing::{Crossing, Crossings, crossings};
pub use evidence::{Known, Place, usual_network};
pub use finding::{Finding, findings};
pub use gateway::Gateway;
pub use home::Resident;
pub use layout::{Layout, Segment};
pub use place::Places;
pub use point::{Point, PointKind, Stack};
pub use subnet::{Basis, Subnet};
pub use table::{Limits, Table};
