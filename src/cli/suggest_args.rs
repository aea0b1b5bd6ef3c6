//! What `flowmap suggest` takes.

use std::path::PathBuf;

use clap::{ValueEnum, builder::PossibleValue};

use super::common::{Namespaces, OutputArg, Selection, share};
use crate::{
    model::Directions,
    proposal::{Granularity, Request},
    recommend::CidrBounds,
};

/// Write least-privilege NetworkPolicies for review.
///
/// They come with their evidence and with the verdict on what was seen. Exits with 1 where a recorded connection is denied, by
/// them or by what is deployed besides.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap suggest --namespace production
  flowmap suggest -n production --direction ingress
  flowmap suggest -n production --out-dir - | kubectl diff -f -
  flowmap suggest --from node-1.pcap --inventory cluster.json -n production")]
pub(super) struct Args {
    #[command(flatten)]
    pub namespaces: Namespaces,
    /// The folder for the documents; - prints the policies alone
    #[arg(long, default_value = "policies-out", value_name = "DIR")]
    pub out_dir: PathBuf,
    /// What each policy is for
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub granularity: Granularity,
    /// Which directions to close; it is usual to begin with ingress
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    pub direction: Directions,
    /// Also close workloads that were watched for less than 90 % of their time; allow what was seen of them
    #[arg(long)]
    pub isolate_unseen: bool,
    /// Let one tier reach another as a whole on a port where at least this share of their pairs was seen, from 0 to 1
    #[arg(long, default_value_t = 0.5, value_name = "SHARE", value_parser = share)]
    pub support: f64,
    /// The shortest prefix into which addresses outside may be joined: of IPv4, and after a comma of IPv6
    #[arg(long, default_value = "24,64", value_name = "BITS", value_parser = floor)]
    pub cidr_floor: (u8, u8),
    /// How many unseen addresses a prefix may let in for each seen one of the same name
    #[arg(long, default_value_t = 1, value_name = "ADDRESSES")]
    pub cidr_waste: u16,
    #[command(flatten)]
    pub selection: Selection,
    #[command(flatten)]
    pub output: OutputArg,
}

impl ValueEnum for Granularity {
    fn value_variants<'v>() -> &'v [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Workload => "One workload: least privilege",
            Self::Tier => "All workloads of one tier: edge, application, data, infrastructure, client",
            Self::Namespace => "A whole namespace, open within itself on the ports in use",
        };
        Some(PossibleValue::new(self.as_str()).help(help))
    }
}

impl Args {
    /// How to propose.
    pub fn request(&self) -> Request {
        let (floor_v4, floor_v6) = self.cidr_floor;
        Request {
            granularity: self.granularity,
            directions: self.direction,
            isolate_unseen: self.isolate_unseen,
            support: self.support,
            cidr: CidrBounds { floor_v4, floor_v6, waste: self.cidr_waste },
        }
    }
}

fn floor(text: &str) -> Result<(u8, u8), String> {
    let wrong = || format!("`{text}` is not a prefix length such as 24, or 24,64 for IPv4 and IPv6");
    let (v4, v6) = text.split_once(',').unwrap_or((text, "64"));
    let (v4, v6): (u8, u8) = (v4.parse().map_err(|_| wrong())?, v6.parse().map_err(|_| wrong())?);
    if v4 <= 32 && v6 <= 128 { Ok((v4, v6)) } else { Err(wrong()) }
}
