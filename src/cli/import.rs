//! `flowmap import`: captures, flow logs and other stores into the store.

use std::{
    fmt::Write,
    io,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{
    Done, Fault,
    common::{Global, LogArgs, Output, OutputArg, TunnelArgs},
    fault::{self, one_line},
    import_capture, import_records, import_store,
    input::{self, Progress, file_name},
    print, runs,
};
use crate::{
    capture::file::FileError,
    decode,
    model::{DEFAULT_SITE, MissedNames},
    records::{self, LogStart},
    store::{Run, Store, Written},
};

/// Read captures, flow logs and other hosts' stores into the store.
///
/// What was read before adds nothing, whatever the name of its file.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A flow log is Zeek's conn.log (columns or JSON lines), Hubble's flows (JSON lines, from hubble observe -o jsonpb \
or from its exporter), or a CSV. The header of a CSV names client or src_ip, server or dst_ip, protocol or proto, and port or \
dst_port. Optional are packets, bytes, connections, first_seen, last_seen, hours (in how many different hours), and outcome or \
action.

Of a firewall's log, the kernel's lines about dropped packets are read: those whose prefix says DROP, DENY, REJECT or BLOCK. \
Each must tell its time with year and zone, unless --log-start does.

Of another host's store, its runs and its inventory are taken in. What both stores hold counts once, and a live capture that \
has grown since the last import is brought up to date. The file is only read, and its daemon may go on.

Examples:
  flowmap import trunk.pcapng
  flowmap import --site lab --sensor switch-a monday.pcap.gz tuesday.pcap.zst
  flowmap import flows.csv.gz conn.log     # who called whom, from flow logs
  flowmap import node-1.db node-2.db       # what the daemons of two hosts saw
  hubble observe --since 1h -o jsonpb | flowmap import -
  journalctl -k -o short-iso | grep PROTO= | flowmap import -
  flowmap import --log-start 2026-11-01T00:00:00+01:00 kern.log.1.gz
  tcpdump -i eth0 -w - -c 10000 | flowmap import -"
)]
pub(super) struct Args {
    /// Captures (pcap, pcapng), flow logs (CSV, Zeek conn.log, Hubble JSON lines, a firewall's log) or another host's
    /// flowmap.db, also gzip or zstd; - for stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The site these belong to: addresses are unique only within one, and sites never mix [default: default; runs of a
    /// store keep their own]
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// Where the captures were taken [default: each file's name]
    #[arg(long, value_name = "NAME")]
    sensor: Option<String>,
    /// Refuse a file that is damaged or holds damaged packets or records, instead of using what is whole
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    tunnels: TunnelArgs,
    #[command(flatten)]
    logs: LogArgs,
    #[command(flatten)]
    output: OutputArg,
}

/// How to import.
pub(super) struct Options {
    pub site: String,
    /// The site that the runs of a store go to; none where they keep their own.
    pub store_site: Option<String>,
    pub sensor: Option<String>,
    pub strict: bool,
    pub decode: decode::Options,
    /// When a log began whose times do not tell.
    pub log_start: Option<LogStart>,
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    let (store, store_path) = (global.store().await?, global.store_path()?);
    let decode = args.tunnels.options();
    let options = Options {
        site: args.site.clone().unwrap_or_else(|| DEFAULT_SITE.to_owned()),
        store_site: args.site,
        sensor: args.sensor,
        strict: args.strict,
        decode,
        log_start: args.logs.log_start,
    };
    let mut imported = Vec::new();
    let mut failures = 0;
    for path in &args.files {
        let progress = Progress::new(path);
        let result = match import_store::is_another(path, &store_path) {
            Ok(()) => file(&store, path, &options, &progress).await,
            Err(fault) => Err(fault.into()),
        };
        progress.done();
        match result {
            Ok(runs) => {
                if args.output.output != Output::Json {
                    for (run, written) in &runs {
                        warn_text!("{}", fault::printable(&summary(run, written, &options)));
                    }
                }
                imported.extend(runs);
            }
            Err(error) => {
                failures += 1;
                if args.files.len() == 1 {
                    store.close().await;
                    return Err(error);
                }
                fault::print(&error);
            }
        }
    }
    store.close().await;
    if args.output.output == Output::Csv {
        let added = |written: &Written| if *written == Written::Added { "yes" } else { "no" };
        print::table(Output::Csv, &runs::imported(imported.iter().map(|(run, written)| (run, added(written)))), "")?;
    }
    if args.output.output == Output::Json {
        let runs: Vec<_> = imported
            .iter()
            .map(|(run, written)| json!({"added": *written == Written::Added, "run": runs::json(run)}))
            .collect();
        print::json(&runs)?;
    }
    if failures > 0 {
        let why = format!("{failures} of {} files could not be read", args.files.len());
        return Err(Fault::new("import", why).hint("the other files are in the store").into());
    }
    Ok(Done::Clean)
}

/// Imports one capture or flow log, which is a run, or the runs of a store.
pub(super) async fn file(
    store: &Store,
    path: &Path,
    options: &Options,
    progress: &Progress,
) -> anyhow::Result<Vec<(Run, Written)>> {
    let name = path.display().to_string();
    let input = input::open(path, progress).map_err(|why| unreadable(&name, &why))?;
    let (head, input) = input::peeked(input, records::HEAD_BYTES).map_err(|why| unreadable(&name, &why))?;
    if import_store::is_one(&head) {
        return import_store::file(store, path, options, (input, progress)).await;
    }
    if let Some(format) = records::Format::of(&head) {
        return Ok(vec![import_records::file(store, path, options, (format, input)).await?]);
    }
    if let Some(foreign) = records::Foreign::of(&head) {
        return Err(Fault::new(&name, foreign).hint(foreign.cure()).into());
    }
    if let Some((what, cure)) = mistaken(&head) {
        return Err(Fault::new(&name, format!("not a capture: {what}")).hint(cure).into());
    }
    Ok(vec![import_capture::file(store, path, options, input).await?])
}

/// What a file is that begins so and that another command takes, or none, with the cure.
fn mistaken(head: &[u8]) -> Option<(&'static str, &'static str)> {
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let first = lines.find(|line| *line != "---")?;
    if ["apiVersion:", "kind:"].into_iter().any(|key| first.starts_with(key)) {
        return Some(("it is YAML of Kubernetes", "who is who is read by `flowmap inventory import`"));
    }
    if first.starts_with('{') {
        let cure =
            "kubectl's output is read by `flowmap inventory import`; logs of Zeek and Hubble have one object a line";
        return Some(("it is JSON, and no log of Zeek or Hubble", cure));
    }
    let is_address = |cell: &str| cell.trim().trim_matches('"').eq_ignore_ascii_case("address");
    if first.split(',').any(is_address) || first.trim_start_matches(['-', ' ']).starts_with("address:") {
        return Some(("it is a hosts file", "who is who is read by `flowmap inventory import`"));
    }
    None
}

/// What a file is called in the store, and where its content was seen.
pub(super) fn origin(path: &Path, options: &Options) -> (String, String) {
    let source = if path == Path::new("-") { "stdin".to_owned() } else { file_name(path) };
    let sensor = options.sensor.clone().unwrap_or_else(|| stem(&source).to_owned());
    (source, sensor)
}

/// The name without its endings: `node-1` of `node-1.pcap.gz`.
fn stem(name: &str) -> &str {
    name.split('.').find(|part| !part.is_empty()).unwrap_or(name)
}

/// A file that cannot be read, with the cure where one is known.
pub(super) fn unreadable(name: &str, why: &dyn Explained) -> anyhow::Error {
    let fault = Fault::new(name, why.why());
    match why.cure() {
        Some(hint) => fault.hint(hint).into(),
        None => fault.into(),
    }
}

/// An error that may know its cure.
pub(super) trait Explained {
    fn why(&self) -> String;
    fn cure(&self) -> Option<&'static str>;
}

impl Explained for io::Error {
    fn why(&self) -> String {
        match self.kind() {
            io::ErrorKind::NotFound => "no such file".into(),
            io::ErrorKind::PermissionDenied => "permission denied".into(),
            io::ErrorKind::IsADirectory => "is a directory".into(),
            _ => self.to_string(),
        }
    }

    fn cure(&self) -> Option<&'static str> {
        match self.kind() {
            io::ErrorKind::IsADirectory => Some("name the captures in it"),
            io::ErrorKind::PermissionDenied => Some("run as a user who may read it"),
            // the word of zstd for a window of more than 128 MB, which is no damage (ZSTD_WINDOWLOG_LIMIT_DEFAULT)
            _ if self.to_string().contains("requires too much memory") => {
                Some("unpack it by itself: zstd -dc --long=31 FILE | flowmap import -")
            }
            _ => None,
        }
    }
}

impl Explained for FileError {
    fn why(&self) -> String {
        match self {
            Self::Io(error) => error.why(),
            other => format!("not a capture: {other}"),
        }
    }

    fn cure(&self) -> Option<&'static str> {
        match self {
            Self::Io(error) => error.cure(),
            _ => Some(
                "captures are pcap or pcapng files, as tcpdump -w writes them (Wireshark's editcap converts others); a flow CSV names its columns in the first line, Zeek's conn.log begins with #separator, and of a kernel's log those lines are read that have PROTO=: put them first with grep",
            ),
        }
    }
}

fn summary(run: &Run, written: &Written, options: &Options) -> String {
    let Run { packets, decoded, loss, .. } = run;
    let source = one_line(&run.source);
    if let Written::Known(known) = written {
        let name = if known.source == run.source { String::new() } else { format!(" as {}", one_line(&known.source)) };
        let mut text = format!("{source}: already in the store{name}, nothing added\n");
        if !options.decode.vxlan_ports.is_empty() {
            // what it was read with is not kept
            let _ = writeln!(
                text,
                "hint: to read it with these VXLAN ports take it back first: flowmap runs rm {}",
                known.id
            );
        }
        if options.sensor.as_ref().is_some_and(|sensor| *sensor != known.sensor) {
            let (sensor, id) = (one_line(&known.sensor), known.id);
            let _ = writeln!(
                text,
                "hint: its sensor stays {sensor}: to name another take it back first: flowmap runs rm {id}"
            );
        }
        return text;
    }
    // writing to a String cannot fail
    let [all, used, not_used] =
        if run.is_records() { ["records", "used", "not used"] } else { ["packets", "decoded", "not decoded"] };
    let mut text = format!("{source}: {packets} {all}, {decoded} {used}");
    if !run.kinds.is_empty() {
        let kinds = run.kinds.iter().map(|(kind, count)| format!("{kind} {count}"));
        let _ = write!(text, " ({})", kinds.collect::<Vec<_>>().join(", "));
    }
    if !loss.not_decoded.is_empty() {
        let reasons = loss.not_decoded.iter().map(|(reason, count)| format!("{reason} {count}"));
        let _ = write!(text, ", {not_used}: ");
        text.push_str(&reasons.collect::<Vec<_>>().join(", "));
    }
    text.push('\n');
    if run.is_records() && *decoded > 0 && run.first_packet.is_none() {
        let _ = writeln!(text, "{source}: no record names a time: --since and --until leave all of them out");
    }
    for sweep in &run.sweeps {
        let _ = writeln!(text, "{source}: {}", runs::sweep_text(sweep));
    }
    text.push_str(&names_missed(run));
    text.push_str(&warnings(run));
    text
}

/// What of a run is missing; nothing where all is there.
pub(super) fn warnings(run: &Run) -> String {
    let (source, loss) = (one_line(&run.source), &run.loss);
    let mut text = String::new();
    // writing to a String cannot fail
    for (note, count) in &loss.notes {
        let _ = writeln!(text, "{source}: warning: {count} {note}");
    }
    let dropped = [(loss.dropped_by_kernel, "the kernel"), (loss.dropped_by_interface, "the interface")];
    for (count, by) in dropped.into_iter().filter(|(count, _)| *count > 0) {
        let _ = writeln!(text, "{source}: warning: {count} packets dropped by {by} while it was captured");
    }
    if let Some(damage) = &loss.damage {
        let _ = writeln!(text, "{source}: warning: {damage}; what stands before is used");
    }
    text
}

/// What was heard of names and not kept; nothing where all was.
pub(super) fn names_missed(run: &Run) -> String {
    let source = one_line(&run.source);
    let MissedNames { not_a_name, beyond_bound, cut_off } = &run.loss.names;
    let mut text = String::new();
    // writing to a String cannot fail
    if *not_a_name > 0 {
        let _ = writeln!(text, "{source}: {not_a_name} host names were none and are left out");
    }
    if *cut_off > 0 {
        let _ = writeln!(
            text,
            "{source}: {cut_off} names of TLS and HTTP servers may be in what was cut off, or in a further segment"
        );
    }
    if *beyond_bound > 0 {
        let _ = writeln!(text, "{source}: warning: {beyond_bound} host names left out, there were too many");
    }
    text
}
