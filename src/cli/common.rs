//! Flags that several commands share.

use std::path::PathBuf;

use clap::{Args, ValueEnum, builder::PossibleValue};

use super::Fault;
use crate::{
    clock, decode,
    model::{DEFAULT_SITE, Dependency, Directions, Protocol, Timestamp, parse_duration},
    records::LogStart,
    store::{RunId, Store, StoreError},
};

/// Where the options of every command stand in a help: behind its own.
const LAST: usize = 900;

/// Flags of every command.
#[derive(Clone, Debug, Args)]
pub(super) struct Global {
    /// The store [default: /var/lib/flowmap/flowmap.db for root, else below $XDG_STATE_HOME]
    #[arg(long, global = true, env = "FLOWMAP_DB", value_name = "PATH", hide_env_values = true, display_order = LAST)]
    pub db: Option<PathBuf>,
}

impl Global {
    /// Opens the store, made on first use.
    pub async fn store(&self) -> anyhow::Result<Store> {
        Ok(Store::open(&self.store_path()?).await?)
    }

    /// Opens the store, but makes none: where there is none, an empty one in memory stands for it.
    pub async fn store_if_any(&self) -> anyhow::Result<Store> {
        let path = self.store_path()?;
        if path.try_exists().is_ok_and(|is_there| !is_there) {
            return Ok(Store::in_memory().await?);
        }
        Ok(Store::open(&path).await?)
    }

    /// Opens the store, if there is any, for who only reads and need not have the right to write it.
    pub async fn store_to_read(&self) -> anyhow::Result<Store> {
        let error = match self.store_if_any().await {
            Ok(store) => return Ok(store),
            Err(error) => error,
        };
        let is_sealed = matches!(error.downcast_ref(), Some(StoreError::ReadOnly | StoreError::Open(..)));
        if !is_sealed {
            return Err(error);
        }
        match Store::copied(&self.store_path()?).await {
            Ok(copy) => Ok(copy),
            Err(why @ (StoreError::Copy(..) | StoreError::Full)) => Err(why.into()),
            Err(_) => Err(error),
        }
    }

    /// The store's file.
    pub fn store_path(&self) -> Result<PathBuf, Fault> {
        let path = self.db.clone().map_or_else(default_store, Ok)?;
        if path.as_os_str().to_string_lossy().contains("://") {
            let why = "only files are supported";
            return Err(Fault::new(format_args!("--db {}", path.display()), why).hint("name a file"));
        }
        Ok(path)
    }
}

fn default_store() -> Result<PathBuf, Fault> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0);
    if is_root {
        return Ok(PathBuf::from("/var/lib/flowmap/flowmap.db"));
    }
    let state = variable("XDG_STATE_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/state")));
    let none = || Fault::new("store", "neither XDG_STATE_HOME nor HOME is set").hint("name a file with --db");
    state.map(|state| state.join("flowmap/flowmap.db")).ok_or_else(none)
}

/// How to print a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// A table for people
    #[default]
    Table,
    /// A table with more columns
    Wide,
    /// One JSON array or object
    Json,
    /// CSV with a header line
    Csv,
}

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct OutputArg {
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Output,
}

/// To which site something belongs.
#[derive(Clone, Debug, Args)]
pub(super) struct SiteArg {
    /// The site this belongs to: addresses are unique only within one, and sites never mix
    #[arg(long, default_value = DEFAULT_SITE, value_name = "NAME")]
    pub site: String,
}

/// What of the network only its people can tell.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct TunnelArgs {
    /// Another UDP port that carries VXLAN, beside 4789 and 8472; may be given several times
    #[arg(long = "vxlan-port", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    vxlan_ports: Vec<u16>,
}

impl TunnelArgs {
    pub fn options(&self) -> decode::Options {
        decode::Options { vxlan_ports: self.vxlan_ports.clone() }
    }
}

/// What the writers of files left out.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(super) struct LogArgs {
    /// When a firewall's log began, with its zone, where its times have no year or no zone
    ///
    /// For example 2026-11-01T00:00:00+01:00, for times like Nov 29 10:20:18 or those of dmesg -T. They are taken to lie in
    /// the twelve months from then on, by that clock.
    #[arg(long, value_name = "TIME")]
    pub log_start: Option<LogStart>,
}

/// What a reading command works on.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Selection {
    /// Only this site
    #[arg(long, value_name = "NAME")]
    pub site: Option<String>,
    /// Work on these captures and flow logs alone, without the store
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub from: Vec<PathBuf>,
    #[command(flatten)]
    pub tunnels: TunnelArgs,
    #[command(flatten)]
    pub logs: LogArgs,
    /// Who is who, with or without --from: kubectl output, manifests or a hosts file
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub inventory: Vec<PathBuf>,
    /// Only connections that began at or after this: RFC 3339, or an age such as 24h
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub since: Option<Timestamp>,
    /// Only connections that began at or before this
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub until: Option<Timestamp>,
    /// Leave out a run, by its id in `flowmap runs`; may be given several times
    #[arg(long, value_name = "ID", value_parser = run_id)]
    pub exclude_run: Vec<RunId>,
}

/// The namespaces to look at.
#[derive(Clone, Debug, Args)]
pub(super) struct Namespaces {
    /// Only this namespace; may be given several times
    #[arg(short, long, value_name = "NS")]
    pub namespace: Vec<String>,
    /// All namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
}

impl Namespaces {
    /// Whether an end of a dependency is in one of them; without a name all are.
    pub fn concern(&self, dependency: &Dependency) -> bool {
        let is_named = |name: &str| self.namespace.iter().any(|it| it == name);
        self.namespace.is_empty() || dependency.has_end_in(is_named)
    }
}

/// A time in RFC 3339, or an age: a number with s, m, h or d.
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_or_age(text, clock::now()).ok_or_else(|| Timestamp::refusal(text))
}

/// A duration: a number with s, m, h or d.
pub(super) fn duration(text: &str) -> Result<std::time::Duration, String> {
    parse_duration(text).ok_or_else(|| format!("`{text}` is not a duration such as 30s, 10m, 24h or 7d"))
}

pub(super) fn run_id(text: &str) -> Result<RunId, String> {
    text.parse().map_err(|_| format!("`{text}` is not the id of a run; `flowmap runs` lists them"))
}

/// A share from 0 to 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| format!("`{text}` is not a number from 0 to 1"))?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err(format!("`{text}` is not a number from 0 to 1")) }
}

/// A port with its protocol, where that is not TCP.
pub(super) fn port(text: &str) -> Result<(u16, Protocol), String> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "TCP"));
    let wrong = || format!("`{text}` is not a port such as 5432 or 53/UDP");
    let protocol: Protocol = protocol.parse().map_err(|error| format!("{}: {error}", wrong()))?;
    let port = port.parse().map_err(|_| wrong())?;
    askable(protocol, port).map_err(|why| format!("{}: {why}", wrong()))?;
    Ok((port, protocol))
}

/// Whether there is such a port: 0 is none of those that have ports, and the only one of those that have not.
pub(super) fn askable(protocol: Protocol, port: u16) -> Result<(), String> {
    match (protocol.has_ports(), port) {
        (true, 0) => Err(format!("{protocol} has no port 0")),
        (false, 1..) => Err(format!("{protocol} has no ports: ask for 0/{protocol}")),
        _ => Ok(()),
    }
}

impl ValueEnum for Directions {
    fn value_variants<'v>() -> &'v [Self] {
        &[Self::Ingress, Self::Egress, Self::Both]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Ingress => PossibleValue::new("ingress").help("Who may reach them"),
            Self::Egress => PossibleValue::new("egress").help("What they may reach"),
            Self::Both => PossibleValue::new("both").help("Both"),
        })
    }
}
