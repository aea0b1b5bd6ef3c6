//! `flowmap doctor`: what stands in the way of a good capture here, each with its cure.

use std::time::Duration;

use super::{
    Done, capture,
    common::{Global, Output, OutputArg, TunnelArgs, duration},
    fault::one_line,
    print::{self, Table, hanging},
};
use crate::{
    capture::live::{BUFFER_MIB, LiveOptions, SNAPLEN},
    daemon::{Finding, Options, State, examine},
    model::DEFAULT_SITE,
};

/// Check rights, interfaces, clock, disk and store before a capture starts.
///
/// Each finding comes with its cure. Exits with 1 where something is wrong.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap doctor
  flowmap doctor eth0 --for 10s")]
pub(super) struct Args {
    /// Interfaces to try; `any` stands for all
    #[arg(default_value = "any", value_name = "IFACE")]
    interfaces: Vec<String>,
    /// How long to capture at each interface
    #[arg(long = "for", default_value = "3s", value_name = "DURATION", value_parser = duration)]
    trial: Duration,
    /// Bytes to take of each packet
    #[arg(long, default_value_t = SNAPLEN, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(64..=262_144))]
    snaplen: u32,
    #[command(flatten)]
    tunnels: TunnelArgs,
    #[command(flatten)]
    output: OutputArg,
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    let options = Options {
        interfaces: args.interfaces,
        live: LiveOptions {
            snaplen: args.snaplen,
            filter: None,
            promiscuous: false,
            is_light: false,
            buffer_bytes: BUFFER_MIB << 20,
        },
        config: None,
        decode: args.tunnels.options(),
        site: DEFAULT_SITE.into(),
        sensor: String::new(),
        store: global.store_path()?,
        period: None,
        flush_interval: capture::FLUSH_INTERVAL,
        keep: None,
        thin_after: None,
        metrics: None,
    };
    let found = examine(&options, args.trial).await;
    match args.output.output {
        Output::Table => print::text(lines(&found).as_bytes())?,
        output => print::list(output, &found, |finding| finding, table, || "nothing was looked at".to_owned())?,
    }
    Ok(if found.iter().all(|finding| finding.state != State::Wrong) { Done::Clean } else { Done::Found })
}

/// For people: findings that fit a page, each with its cure below it.
fn lines(found: &[Finding]) -> String {
    let beside = |check: &str, state: &str| format!("{check:<12}{state:<11}");
    let below = beside("", "");
    let mut text = beside("CHECK", "STATE") + "FINDING\n";
    for finding in found {
        text += &hanging(&one_line(&finding.what), &beside(finding.check, word(finding.state)), &below);
        if let Some(cure) = finding.cure {
            text += &hanging(&format!("cure: {cure}"), &below, &format!("{below}  "));
        }
    }
    text
}

fn table(found: &[Finding]) -> Table {
    let mut table = Table::new(&["check", "state", "finding", "cure"]);
    for Finding { check, state, what, cure } in found {
        table.row([*check, word(*state), what, cure.unwrap_or_default()].map(str::to_owned).to_vec());
    }
    table
}

fn word(state: State) -> &'static str {
    match state {
        State::Fine => "fine",
        State::Attention => "attention",
        State::Wrong => "wrong",
    }
}
