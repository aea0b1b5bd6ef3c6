//! `flowmap capture`: watch interfaces until stopped.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use super::{
    Done, Fault,
    common::{Global, SiteArg, TunnelArgs, duration},
    fault::printable,
    import, import_capture,
};
use crate::{
    capture::{
        Drops,
        live::{LiveCapture, LiveError, LiveOptions},
    },
    connection::Limits,
    intake::Intake,
    store::{Learnt, Loss, Run, RunId, Store, content_id},
};

/// How often what was seen is written to the store: what a crash can lose.
const FLUSH_INTERVAL: Duration = Duration::from_secs(5);

/// Watch interfaces until Ctrl-C, SIGTERM or --for, and write what is seen to the store every few seconds.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap capture eth0
  flowmap capture any --for 10m
  flowmap capture eth0 eth1 --filter 'not port 22'")]
pub(super) struct Args {
    /// Interfaces; `any` stands for all
    #[arg(required = true, value_name = "IFACE")]
    interfaces: Vec<String>,
    /// Stop after this time
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    period: Option<Duration>,
    /// Only packets that pass this filter, see pcap-filter(7)
    #[arg(long, value_name = "BPF")]
    filter: Option<String>,
    /// Bytes to take of each packet
    #[arg(long, default_value_t = 256, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(64..=262_144))]
    snaplen: u32,
    /// See packets for other hosts too
    #[arg(long)]
    promiscuous: bool,
    #[command(flatten)]
    tunnels: TunnelArgs,
    #[command(flatten)]
    site: SiteArg,
    /// Where this is [default: the host's name]
    #[arg(long, value_name = "NAME")]
    sensor: Option<String>,
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    let options = LiveOptions { snaplen: args.snaplen, filter: args.filter.clone(), promiscuous: args.promiscuous };
    // first all handles: nothing is written where one of them fails
    let captures = args
        .interfaces
        .iter()
        .map(|name| {
            LiveCapture::open(name, &options).map(|capture| (name.clone(), capture)).map_err(|e| fault(name, &e))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let store = global.store().await?;
    let stop = Arc::new(AtomicBool::new(false));
    let sensor = args.sensor.clone().unwrap_or_else(host_name);
    let mut workers = Vec::new();
    for (interface, capture) in captures {
        let worker = Worker {
            run: new_run(&args.site.site, &sensor, &interface),
            interface,
            capture,
            intake: Intake::new(Limits::default()).with_options(args.tunnels.options()),
            store: store.clone(),
            runtime: tokio::runtime::Handle::current(),
            stop: stop.clone(),
        };
        workers.push(tokio::task::spawn_blocking(move || worker.watch()));
    }
    warnln!("watching {}; Ctrl-C stops", args.interfaces.join(", "));
    let all = futures_join(workers);
    tokio::pin!(all);
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let period = async {
        match args.period {
            Some(period) => tokio::time::sleep(period).await,
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        result = &mut all => Some(result),
        _ = tokio::signal::ctrl_c() => None,
        _ = terminate.recv() => None,
        () = period => None,
    };
    stop.store(true, Ordering::Relaxed);
    let runs = match ended {
        Some(result) => result?,
        None => all.await?,
    };
    store.close().await;
    runs.iter().for_each(report);
    Ok(Done::Clean)
}

async fn futures_join(workers: Vec<tokio::task::JoinHandle<anyhow::Result<Run>>>) -> anyhow::Result<Vec<Run>> {
    let mut runs = Vec::new();
    for worker in workers {
        runs.push(worker.await??);
    }
    Ok(runs)
}

/// One interface, in a thread of its own.
struct Worker {
    interface: String,
    capture: LiveCapture,
    intake: Intake,
    run: Run,
    store: Store,
    runtime: tokio::runtime::Handle,
    stop: Arc<AtomicBool>,
}

impl Worker {
    fn watch(mut self) -> anyhow::Result<Run> {
        let mut flushed = Instant::now();
        while !self.stop.load(Ordering::Relaxed) {
            match self.capture.next_frame() {
                Ok(Some(frame)) => self.intake.take(&frame),
                Ok(None) => {}
                Err(LiveError::Gone) => break,
                Err(error) => {
                    self.flush()?;
                    return Err(fault(&self.interface, &error));
                }
            }
            // the clock is read only as often as a flush can matter
            if (self.intake.packets().is_multiple_of(1_024) || flushed.elapsed() >= FLUSH_INTERVAL)
                && flushed.elapsed() >= FLUSH_INTERVAL
            {
                self.flush()?;
                flushed = Instant::now();
            }
        }
        self.flush()?;
        Ok(self.run)
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        let links = self.intake.links();
        let counts = self.intake.counts();
        let Drops { by_kernel, by_interface } = self.capture.drops();
        self.run.loss =
            Loss { dropped_by_kernel: by_kernel, dropped_by_interface: by_interface, ..import_capture::loss(&counts) };
        self.run.packets = counts.packets;
        self.run.decoded = counts.decoded;
        self.run.kinds = counts.kinds.named();
        self.run.first_packet = counts.span.map(|span| span.first);
        self.run.last_packet = counts.span.map(|span| span.last);
        let observations = self.intake.flush();
        self.run.sweeps = self.intake.sweeps();
        let learnt = Learnt { names: self.intake.names(), links };
        self.runtime.block_on(self.store.extend_run(&self.run, &observations, &learnt))?;
        Ok(())
    }
}

fn new_run(site: &str, sensor: &str, interface: &str) -> Run {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let parts = [site.as_bytes(), sensor.as_bytes(), interface.as_bytes(), &now.to_le_bytes()];
    Run {
        id: RunId(content_id(&parts)),
        site: site.to_owned(),
        sensor: sensor.to_owned(),
        source: interface.to_owned(),
        kind: "live".into(),
        ..Run::default()
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string(Path::new("/proc/sys/kernel/hostname")).unwrap_or_default();
    if name.trim().is_empty() { "localhost".into() } else { name.trim().to_owned() }
}

fn fault(interface: &str, error: &LiveError) -> anyhow::Error {
    let fault = Fault::new(format_args!("interface `{interface}`"), error);
    match error {
        LiveError::NoInterface => fault.hint("`ip link` lists the interfaces; `any` stands for all"),
        LiveError::NotPermitted => fault.hint("run as root, or grant it: setcap cap_net_raw+ep $(command -v flowmap)"),
        LiveError::Filter(..) => fault.hint("see pcap-filter(7)"),
        LiveError::Gone | LiveError::Other(_) => fault,
    }
    .into()
}

fn report(run: &Run) {
    let Run { source, packets, decoded, loss, .. } = run;
    warnln!(
        "{source}: {packets} packets, {decoded} decoded, {} dropped by the kernel, {} by the interface",
        loss.dropped_by_kernel,
        loss.dropped_by_interface
    );
    eprint!("{}", printable(&import::names_missed(run)));
}
