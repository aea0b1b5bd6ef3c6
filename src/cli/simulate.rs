//! `flowmap simulate`: every recorded connection against policies.

use std::path::{Path, PathBuf};

use super::{
    Done, Fault,
    common::{Global, Namespaces, Output, OutputArg, Selection},
    fault::printable,
    print::{self, Table},
    world::{Site, World},
};
use crate::{
    map::By,
    model::RawObject,
    policy::{self, Evaluator, Options, PolicySet, Simulation, Strictness},
};

/// Hold every recorded connection against policies: what would be denied, and why. Exits with 1 where anything is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap simulate policies-out/
  flowmap simulate policies-out/ --only
  kubectl get networkpolicy -A -o yaml | flowmap simulate -")]
pub(super) struct Args {
    /// Files or folders of NetworkPolicies; - for stdin
    #[arg(required = true, value_name = "POLICIES")]
    policies: Vec<PathBuf>,
    /// Without the policies that the inventory says are deployed
    #[arg(long)]
    only: bool,
    /// Skip invalid policies instead of refusing them
    #[arg(long)]
    lenient: bool,
    /// Take ipBlocks to cover pods' addresses too, as some network plugins do
    #[arg(long)]
    ipblock_matches_pods: bool,
    #[command(flatten)]
    namespaces: Namespaces,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    output: OutputArg,
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    let objects = read(&args.policies)?;
    let world = World::open(global, &args.selection).await?;
    let site = world.site_of(&args.namespaces.namespace)?;
    let strictness = if args.lenient { Strictness::Lenient } else { Strictness::Strict };
    let set = set(&objects, site, args.only, strictness)?;
    let options = Options { ipblock_matches_pods: args.ipblock_matches_pods, ..Options::default() };
    let evaluator = Evaluator::new(&set, &site.cluster().namespaces, options);
    let simulation = policy::simulate(&site.dependencies(By::Workload), site.cluster(), &evaluator);
    report(&simulation, args.output.output)?;
    Ok(if simulation.denied > 0 { Done::Found } else { Done::Clean })
}

/// The policies proposed, on top of those deployed; one of the same name takes the deployed one's place.
fn set(objects: &[RawObject], site: &Site, only: bool, strictness: Strictness) -> anyhow::Result<PolicySet> {
    let proposed = PolicySet::from_objects(objects, strictness).map_err(|error| invalid(&error))?;
    for skipped in &proposed.skipped {
        eprintln!("flowmap: {}", printable(&format!("skipped: {skipped}")));
    }
    for other in &proposed.not_evaluated {
        eprintln!("flowmap: {}", printable(&format!("not evaluated: {other}")));
    }
    let mut policies = proposed.policies.clone();
    if !only {
        let deployed =
            PolicySet::from_objects(&site.cluster().policies, Strictness::Lenient).map_err(|error| invalid(&error))?;
        for other in &deployed.not_evaluated {
            eprintln!("flowmap: {}", printable(&format!("deployed, not evaluated: {other}")));
        }
        let is_replaced = |name: &str| proposed.policies.iter().any(|policy| policy.full_name() == name);
        policies.extend(deployed.policies.into_iter().filter(|policy| !is_replaced(&policy.full_name())));
    }
    if policies.is_empty() {
        return Err(Fault::new("policies", "no NetworkPolicy among them").hint("`flowmap suggest` writes some").into());
    }
    Ok(PolicySet { policies, ..proposed })
}

fn invalid(error: &policy::PolicyError) -> anyhow::Error {
    Fault::new("policies", error).hint("an API server would refuse it too; --lenient skips it").into()
}

/// Reads files, and folders with all below them, in the order of their names.
pub(super) fn read(paths: &[PathBuf]) -> anyhow::Result<Vec<RawObject>> {
    let mut objects = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            let text = std::io::read_to_string(std::io::stdin())?;
            objects.extend(policy::read("stdin", &text).map_err(|error| Fault::new("stdin", error))?);
            continue;
        }
        let files = files(path)?;
        let is_folder = path.is_dir();
        for file in files {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(&file).map_err(|error| Fault::new(&name, error))?;
            match policy::read(&name, &text) {
                Ok(found) => objects.extend(found),
                // a folder holds other files besides, such as the evidence
                Err(policy::ReadError::NoObject { .. }) if is_folder => {}
                Err(error) => return Err(Fault::new("policies", error).into()),
            }
        }
    }
    Ok(objects)
}

fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let name = path.display().to_string();
    let kind = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Fault::new(&name, "no such file or folder"),
        _ => Fault::new(&name, error),
    })?;
    if !kind.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|error| Fault::new(&name, error))? {
        let path = entry?.path();
        let is_manifest = path.extension().is_some_and(|ending| ["yaml", "yml", "json"].iter().any(|e| ending == *e));
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if is_manifest {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn report(simulation: &Simulation, output: Output) -> anyhow::Result<()> {
    if output == Output::Json {
        return Ok(print::json(simulation)?);
    }
    let mut table = Table::new(&["verdict", "from", "to", "port", "connections", "reason"]).numeric(&[4]);
    for finding in &simulation.findings {
        table.row(vec![
            finding.verdict.into(),
            finding.from.clone(),
            finding.to.clone(),
            format!("{}/{}", finding.port, finding.protocol),
            finding.connections.to_string(),
            finding.reason.clone(),
        ]);
    }
    if output == Output::Csv {
        return Ok(print::list(output, &(), &table, "")?);
    }
    if !simulation.findings.is_empty() {
        print::text(table.text().as_bytes())?;
    }
    Ok(print::text(summary(simulation).as_bytes())?)
}

/// The verdict in a line.
pub(super) fn summary(simulation: &Simulation) -> String {
    let Simulation { connections, allowed, denied, uncertain, also_closed, .. } = simulation;
    let closed = if *also_closed > 0 {
        format!("; also closed: {also_closed} failed or scanning attempts")
    } else {
        String::new()
    };
    format!("{connections} connections seen: {allowed} allowed, {denied} denied, {uncertain} uncertain{closed}\n")
}
