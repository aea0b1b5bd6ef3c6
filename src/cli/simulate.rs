//! `flowmap simulate`: every recorded connection against policies.

use std::{cell::OnceCell, collections::BTreeMap, fmt::Write, path::PathBuf};

use serde::Serialize;

use super::{
    Done, Fault,
    common::{Global, Namespaces, Output, OutputArg, Selection},
    doubts,
    policies::{self, ReadingArgs},
    print::{self, Table},
    world,
};
use crate::{
    map::By,
    model::{Dependency, Namesakes, PartyKind, Protocol, words::count},
    policy::{
        self, Census, Detail, Evaluator, Excess, Finding, Options, Outside, Past, PolicySet, Reach, Roster, Simulation,
        Undone,
    },
    proposal::Site,
};

/// Hold every recorded connection against policies: what would be denied, and why.
///
/// Exits with 1 where POLICIES deny a recorded connection. What is uncertain does not count, nor does what the proposals
/// of --versus deny.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap simulate policies-out/                     # on top of those deployed
  flowmap simulate policies-out/ --only              # these policies alone
  flowmap simulate policies-out/ --versus by-hand/   # side by side
  flowmap simulate policies-out/ --reach             # who reaches whom
  kubectl get netpol -A -o yaml | flowmap simulate - --only
  kubectl get netpol -A -o yaml | \\
      flowmap simulate - --only --since 1h --closed  # who runs into them?")]
pub(super) struct Args {
    /// Files or folders of policies: NetworkPolicies, and those of whole clusters; - for stdin
    #[arg(required = true, value_name = "POLICIES")]
    policies: Vec<PathBuf>,
    /// Leave out the policies that the inventory says are deployed
    #[arg(long)]
    only: bool,
    /// Other proposals to judge beside POLICIES, each by itself
    #[arg(long, value_name = "POLICIES", num_args = 1.., conflicts_with = "reach")]
    versus: Vec<PathBuf>,
    /// List for each workload how many others reach it and how many it reaches, before and after
    #[arg(long)]
    reach: bool,
    /// Also list failed and scanning attempts that are denied: with their outcome and, except for scans, the rule that is missing
    #[arg(long, conflicts_with = "versus")]
    closed: bool,
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    namespaces: Namespaces,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    output: OutputArg,
}

/// One proposal held against the past.
#[derive(Serialize)]
struct Report {
    /// The files or folders that it came from.
    proposal: String,
    #[serde(flatten)]
    simulation: Simulation,
    /// How much it allows beside what was seen.
    excess: Excess,
    /// Deployed policies that keep open what it closes.
    undone: Vec<Undone>,
    /// Policies of other kinds among them, which no verdict here knows of.
    not_evaluated: Vec<String>,
    /// Invalid policies that were left out.
    skipped: Vec<String>,
    /// Each workload's reach before, with what is deployed, and after.
    #[serde(skip_serializing_if = "Option::is_none")]
    reach: Option<Vec<BeforeAfter>>,
}

#[derive(Serialize)]
struct BeforeAfter {
    before: Reach,
    after: Reach,
}

/// The first proposal, and those set beside it.
#[derive(Serialize)]
struct Reports {
    #[serde(flatten)]
    first: Report,
    /// How the policies were read where network plugins differ.
    reading: Options,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    versus: Vec<Report>,
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    let first = (proposal_name(&args.policies), args.reading.policies(&args.policies)?);
    let named =
        |path: &PathBuf| anyhow::Ok((path.display().to_string(), args.reading.policies(std::slice::from_ref(path))?));
    let others = args.versus.iter().map(named).collect::<anyhow::Result<Vec<_>>>()?;
    let world = world::open(global, &args.selection).await?;
    let site = world.site_of(&args.namespaces.namespace)?;
    let dependencies = site.dependencies(By::Workload);
    let judge = Judge::new(site, &dependencies, &args);
    let reports = Reports {
        first: judge.report(first)?,
        reading: args.reading.options(),
        versus: others.into_iter().map(|other| judge.report(other)).collect::<anyhow::Result<_>>()?,
    };
    show(&reports, &Namesakes::of(&dependencies), args.output.output, args.closed)?;
    doubts::warn_incomplete(&world.runs, &site.name);
    tell_unnamed(&dependencies, &args);
    let has_host_network = site.cluster().pods.iter().any(|pod| pod.host_network && !pod.finished);
    if args.reading.options().host_network_selected && has_host_network {
        policies::say(
            "--host-network selected: which pod in a node's network it was no packet tells: what was seen of nodes is judged by their \
             addresses; `explain` asks for one pod",
        );
    }
    let Simulation { connections, also_closed, .. } = reports.first.simulation;
    if connections + also_closed == 0 {
        let why = world::why_none("connections", &world, &args.selection, &args.namespaces.namespace);
        policies::say(&format!("nothing was judged: {why}"));
    }
    Ok(if reports.first.simulation.denied > 0 { Done::Found } else { Done::Clean })
}

/// Says what was seen of protocols that no policy can name: what becomes of them at a closed pod differs from plugin to plugin.
fn tell_unnamed(dependencies: &[Dependency], args: &Args) {
    let is_unnamed = |it: &&Dependency| {
        let is_of_pods = it.client.kind == PartyKind::Workload || it.server.kind == PartyKind::Workload;
        !it.protocol.has_ports() && is_of_pods && it.unneeded().is_none()
    };
    let mut sums: BTreeMap<Protocol, u64> = BTreeMap::new();
    for dependency in dependencies.iter().filter(|it| args.namespaces.concern(it)).filter(is_unnamed) {
        *sums.entry(dependency.protocol).or_default() += dependency.connections;
    }
    for (protocol, connections) in sums {
        policies::say(&format!(
            "{protocol}: {}: no NetworkPolicy names it, and it is not judged; what becomes of it where a pod is closed the network \
             plugin says",
            count(connections, "connection")
        ));
    }
}

fn proposal_name(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ")
}

/// What was seen, ready to be held against proposals.
struct Judge<'a> {
    site: &'a Site,
    args: &'a Args,
    roster: Roster<'a>,
    past: Past<'a>,
    deployed: PolicySet,
    /// What was seen by address, once it was asked for.
    by_address: OnceCell<Vec<Dependency>>,
}

impl<'a> Judge<'a> {
    fn new(site: &'a Site, dependencies: &'a [Dependency], args: &'a Args) -> Self {
        let roster = Roster::new(site.cluster()).with_suspects(site.directory.suspects());
        let past = Past::new(dependencies.iter().filter(|it| args.namespaces.concern(it)), &roster);
        let deployed = if args.only && !args.reach { PolicySet::default() } else { policies::deployed(site.cluster()) };
        Self { site, args, roster, past, deployed, by_address: OnceCell::new() }
    }

    fn report(&self, (proposal, proposed): (String, PolicySet)) -> anyhow::Result<Report> {
        let combined = if self.args.only { proposed.clone() } else { proposed.on_top_of(&self.deployed) };
        if combined.is_empty() {
            let fault = Fault::new(&proposal, "no NetworkPolicy among them");
            return Err(fault.hint("`flowmap suggest` writes some").into());
        }
        let not_evaluated = combined.not_evaluated.iter().map(ToString::to_string).collect();
        let deployed = if self.args.only { &[][..] } else { &self.deployed.skipped[..] };
        let skipped = proposed.skipped.iter().chain(deployed).map(ToString::to_string).collect();
        let [proposed, after, before] = [&proposed, &combined, &self.deployed].map(|set| self.evaluator(set));
        let outside = Outside::new(&[&after, &before], self.site.cluster(), &self.site.directory.pod_ranges());
        let census = Census::new(&self.roster, &outside);
        policies::tell_unlisted_namespaces(self.site.cluster(), &combined);
        policies::tell_nodes_by_address(self.site.cluster(), &combined, self.args.reading.options());
        policies::tell_idle(census.judged(&proposed).idle());
        let undone = if self.args.only { Vec::new() } else { policy::undone(&census, &proposed, &after) };
        let reach = || {
            let before = policy::reach(&census, &before).into_iter();
            before.zip(policy::reach(&census, &after)).map(|(before, after)| BeforeAfter { before, after }).collect()
        };
        let by_address = || self.by_address.get_or_init(|| self.site.dependencies(By::Address)).as_slice();
        let detail = Detail { roster: &self.roster, by_address: &by_address };
        Ok(Report {
            proposal,
            simulation: policy::simulate(&self.past, &after, Some(&detail)),
            excess: policy::excess(&self.past, &self.roster, &outside, &after),
            undone,
            not_evaluated,
            skipped,
            reach: self.args.reach.then(reach),
        })
    }

    fn evaluator<'s>(&'s self, set: &'s PolicySet) -> Evaluator<'s> {
        Evaluator::of_cluster(set, self.site.cluster(), self.args.reading.options())
    }
}

fn show(reports: &Reports, namesakes: &Namesakes, output: Output, with_closed: bool) -> anyhow::Result<()> {
    let Reports { first, reading, versus } = reports;
    let Simulation { findings, closed, .. } = &first.simulation;
    let listed: Vec<&Finding> = findings.iter().chain(closed.iter().filter(|_| with_closed)).collect();
    match output {
        Output::Json => Ok(print::json(reports)?),
        _ if !versus.is_empty() => show_beside(output, first, versus, *reading),
        Output::Csv => Ok(print::table(output, &as_table(&listed, namesakes), "")?),
        _ if listed.is_empty() => show_one(first, "", *reading),
        Output::Table => show_one(first, &with_reasons(&listed, namesakes), *reading),
        Output::Wide => show_one(first, &as_table(&listed, namesakes).text(), *reading),
    }
}

/// One report, below the table of its findings.
fn show_one(report: &Report, findings: &str, reading: Options) -> anyhow::Result<()> {
    let Report { simulation, excess, undone, reach, .. } = report;
    let mut text = String::new();
    if !findings.is_empty() {
        text += findings;
        text.push('\n');
    }
    if let Some(reach) = reach {
        text += &reach_table(reach).text();
        text.push('\n');
    }
    for undone in undone {
        text += &print::wrapped(&format!("undone by deployed {}: {}", undone.policy, undone.words()), "");
    }
    text += &summary(simulation);
    text += &excess_words(excess);
    text += &print::wrapped(&format!("read so: {reading}"), "");
    Ok(print::text(super::fault::printable(&text).as_bytes())?)
}

fn show_beside(output: Output, first: &Report, versus: &[Report], reading: Options) -> anyhow::Result<()> {
    let mut table = Table::new(&["proposal", "allowed", "denied", "uncertain", "also closed", "over-permission"])
        .numeric(&[1, 2, 3, 4, 5]);
    // machines get all digits
    let digits = |over: f64| if output == Output::Csv { over.to_string() } else { format!("{over:.2}") };
    for report in std::iter::once(first).chain(versus) {
        let Simulation { allowed, denied, uncertain, also_closed, .. } = report.simulation;
        let counts = [allowed, denied, uncertain, also_closed].map(|count| count.to_string());
        let over = report.excess.over_permission.map_or_else(|| "-".to_owned(), digits);
        table.row([vec![report.proposal.clone()], counts.to_vec(), vec![over]].concat());
    }
    print::table(output, &table, "")?;
    if output != Output::Csv {
        print::text(print::wrapped(&format!("read so: {reading}"), "").as_bytes())?;
    }
    Ok(())
}

/// The findings with each reason on lines of its own.
fn with_reasons(findings: &[&Finding], namesakes: &Namesakes) -> String {
    let mut table = Table::new(&["verdict", "from", "to", "port", "connections"]).numeric(&[4]);
    for finding in findings {
        table.row(vec![
            finding.verdict.to_string(),
            namesakes.called(&finding.from),
            namesakes.called(&finding.to),
            format!("{}/{}", finding.port, finding.protocol),
            finding.connections.to_string(),
        ]);
    }
    let rows = table.text();
    let reasons = std::iter::once(String::new()).chain(findings.iter().map(|it| print::wrapped(&it.reason, "    ")));
    rows.lines().zip(reasons).flat_map(|(row, reason)| [row.to_owned(), "\n".to_owned(), reason]).collect()
}

fn as_table(findings: &[&Finding], namesakes: &Namesakes) -> Table {
    let mut table = Table::new(&["verdict", "from", "to", "port", "connections", "reason"]).numeric(&[4]);
    for finding in findings {
        table.row(vec![
            finding.verdict.to_string(),
            namesakes.called(&finding.from),
            namesakes.called(&finding.to),
            format!("{}/{}", finding.port, finding.protocol),
            finding.connections.to_string(),
            finding.reason.clone(),
        ]);
    }
    table
}

fn reach_table(reach: &[BeforeAfter]) -> Table {
    let mut table = Table::new(&["workload", "reached by", "then", "reaches", "then", "from outside", "to outside"])
        .numeric(&[1, 2, 3, 4]);
    let change = |before: bool, after: bool| {
        let word = |yes: bool| if yes { "yes" } else { "no" };
        if before == after { word(after).to_owned() } else { format!("{}, then {}", word(before), word(after)) }
    };
    for BeforeAfter { before, after } in reach {
        table.row(vec![
            before.workload.clone(),
            before.reached_by.to_string(),
            after.reached_by.to_string(),
            before.reaches.to_string(),
            after.reaches.to_string(),
            change(before.reached_from_outside, after.reached_from_outside),
            change(before.reaches_outside, after.reaches_outside),
        ]);
    }
    table
}

/// The verdict in a line.
pub(super) fn summary(simulation: &Simulation) -> String {
    let Simulation { connections, allowed, denied, uncertain, also_closed, .. } = simulation;
    let closed = if *also_closed > 0 {
        format!("; also closed: {also_closed} failed or scanning attempts")
    } else {
        String::new()
    };
    format!(
        "{}: {allowed} allowed, {denied} denied, {uncertain} uncertain{closed}\n",
        count(*connections, "connection")
    )
}

/// How many of the widest rules a table names.
const SHOWN: usize = 3;

fn excess_words(excess: &Excess) -> String {
    let Excess { needed, denied, extra, over_permission, widest } = excess;
    let over = over_permission.map_or_else(|| "unknown".to_owned(), |over| format!("{over:.2}"));
    let mut text =
        format!("over-permission {over}: {extra} ways open that nobody was seen to need, beside {needed} needed\n");
    if *denied > 0 {
        let _ = writeln!(text, "  {denied} of the {needed} needed ways are denied");
    }
    for wide in widest.iter().take(SHOWN) {
        text += &print::wrapped(&format!("{} of them by {}", wide.extra, wide.rule), "  ");
    }
    text
}
