//! `flowmap capture`: watch interfaces until stopped.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Done, Fault,
    common::{Global, SiteArg, TunnelArgs, duration},
    fault::{printable, store_hint},
    import,
    log::{self, LogArgs},
};
use crate::{
    capture::live::{BUFFER_MIB, LiveError, LiveOptions, SNAPLEN},
    daemon::{self, DaemonError, LockError, Options},
    store::{Run, StoreError, TakeError},
};

/// How often what was seen is written to the store: what a crash can lose.
pub(super) const FLUSH_INTERVAL: Duration = Duration::from_secs(5);

/// How much to take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Mode {
    /// Every packet
    #[default]
    Packets,
    /// Of TCP only what opens and closes, name resolution and one packet in 32 of the rest; all that is not TCP
    Connections,
}

/// Watch interfaces until stopped.
///
/// It runs until Ctrl-C, SIGTERM or the end of --for, and writes what it sees to the store every few seconds.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap capture eth0
  flowmap capture any --for 10m
  flowmap capture eth0 eth1 --filter 'not port 22'
  flowmap capture eth0 --mode connections --metrics 127.0.0.1:9464")]
pub(super) struct Args {
    /// Interfaces to watch; `any` stands for all
    #[arg(required = true, value_name = "IFACE")]
    interfaces: Vec<String>,
    /// Stop after this time, such as 30s, 10m or 24h
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    period: Option<Duration>,
    /// Only packets that pass this filter, see pcap-filter(7)
    #[arg(long, value_name = "BPF")]
    filter: Option<String>,
    /// Which packets to take
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,
    /// Bytes to take of each packet: enough for its headers, VLAN tags and a tunnel, and for names
    #[arg(long, default_value_t = SNAPLEN, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(64..=262_144))]
    snaplen: u32,
    /// See packets for other hosts too, as on a mirror port
    #[arg(long)]
    promiscuous: bool,
    /// Memory in which the kernel holds bursts, for each interface
    #[arg(long, default_value_t = BUFFER_MIB, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=1_024))]
    buffer: u32,
    #[command(flatten)]
    tunnels: TunnelArgs,
    #[command(flatten)]
    site: SiteArg,
    /// A name for where this captures [default: the host's name]
    #[arg(long, value_name = "NAME")]
    sensor: Option<String>,
    /// YAML with filter, snaplen, promiscuous or mode: its values override the flags; read again at SIGHUP
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Forget what live captures saw longer ago than this, such as 30d [default: keep all]
    #[arg(long, value_name = "DURATION", value_parser = keep)]
    keep: Option<Duration>,
    /// Merge the hours of each day of live captures that is older than this, or `never`; the map stays the same
    #[arg(long, default_value = "14d", value_name = "DURATION", value_parser = thin_after)]
    thin_after: ThinAfter,
    /// Serve /metrics (Prometheus) and /healthz at this address
    #[arg(long, value_name = "ADDR:PORT")]
    metrics: Option<SocketAddr>,
    #[command(flatten)]
    log: LogArgs,
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    args.log.begin();
    let options = Options {
        interfaces: each_once(&args.interfaces),
        live: LiveOptions {
            snaplen: args.snaplen,
            filter: args.filter.clone(),
            promiscuous: args.promiscuous,
            is_light: args.mode == Mode::Connections,
            buffer_bytes: args.buffer << 20,
        },
        config: args.config.clone(),
        decode: args.tunnels.options(),
        site: args.site.site.clone(),
        sensor: args.sensor.clone().unwrap_or_else(host_name),
        store: daemon::store_file(&global.store_path()?),
        period: args.period,
        flush_interval: FLUSH_INTERVAL,
        keep: args.keep,
        thin_after: args.thin_after.0,
        metrics: args.metrics,
    };
    let ended = daemon::run(&options).await.map_err(fault)?;
    ended.runs.iter().for_each(report);
    match ended.unwritten {
        Some(error) => Err(unwritten(&error).into()),
        None => Ok(Done::Clean),
    }
}

/// Two threads for one interface would count each packet twice.
fn each_once(names: &[String]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    names.iter().filter(|name| seen.insert(*name)).cloned().collect()
}

/// A duration of an hour at least: history is kept by the hour.
fn keep(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time < Duration::from_hours(1) { Err(format!("`{text}` is less than an hour")) } else { Ok(time) }
}

/// After how long hours are brought into days; never without it.
#[derive(Clone, Copy, Debug)]
struct ThinAfter(Option<Duration>);

/// A day at least: the one that goes on is not over.
fn thin_after(text: &str) -> Result<ThinAfter, String> {
    const DAY: Duration = Duration::from_hours(24);
    match text {
        "never" => Ok(ThinAfter(None)),
        _ => match duration(text)? {
            time if time < DAY => Err(format!("`{text}` is less than a day")),
            time => Ok(ThinAfter(Some(time))),
        },
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string(Path::new("/proc/sys/kernel/hostname")).unwrap_or_default();
    if name.trim().is_empty() { "localhost".into() } else { name.trim().to_owned() }
}

fn fault(error: DaemonError) -> anyhow::Error {
    match error {
        DaemonError::Interface(name, error) => interface_fault(&name, &error).into(),
        DaemonError::Store(error) => error.into(),
        DaemonError::Lock(LockError::Taken(error)) => {
            Fault::new("capture", error).hint("stop that one first, or name another store with --db").into()
        }
        DaemonError::File(error @ TakeError::Taken(_)) => {
            Fault::new("capture", error).hint("stop that one first, or name another store with --db").into()
        }
        DaemonError::Lock(LockError::File(path, error)) | DaemonError::File(TakeError::File(path, error)) => {
            StoreError::Open(path, error.to_string()).into()
        }
        other => Fault::new("capture", other).into(),
    }
}

fn interface_fault(interface: &str, error: &LiveError) -> Fault {
    let fault = Fault::new(format_args!("interface `{interface}`"), error);
    match error {
        LiveError::NoInterface => fault.hint("`ip link` lists the interfaces; `any` stands for all"),
        LiveError::NotPermitted => fault.hint("run as root, or grant it: setcap cap_net_raw+ep $(command -v flowmap)"),
        LiveError::Down => fault.hint(format!("`ip link set {interface} up`")),
        LiveError::Filter(..) => fault.hint("see pcap-filter(7)"),
        LiveError::Gone | LiveError::Renamed(_) | LiveError::Other(_) => fault,
    }
}

/// The last of what was seen did not come into the store.
fn unwritten(error: &StoreError) -> Fault {
    let fault = Fault::new("the last seconds were not written", error);
    match store_hint(error) {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}

fn report(run: &Run) {
    let Run { source, packets, decoded, loss, .. } = run;
    log::say(&format!(
        "{source}: {packets} packets, {decoded} decoded, {} dropped by the kernel, {} by the interface\n",
        loss.dropped_by_kernel, loss.dropped_by_interface
    ));
    log::say(&printable(&import::names_missed(run)));
}
