//! `flowmap explain`: the verdict on one connection, and which rule of which policy gave it.

use std::{
    collections::BTreeSet,
    fmt::Write,
    net::IpAddr,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{
    Done, Fault,
    common::{Global, Output, OutputArg, askable, port},
    fault::printable,
    input,
    policies::{self, ReadingArgs},
    print::{self, Table},
    who::WhoArgs,
};
use crate::{
    inventory::Directory,
    model::{Protocol, Service, ServiceKind, ServicePort},
    policy::{
        Action, Clients, Dialled, End, Evaluator, Explanation, Options, Outside, PolicySet, Question, Roster, Server,
        Servers, Side, explain,
    },
};

/// Say which rule of which policy allows or denies a connection.
///
/// Where it is denied, the rule that comes nearest is named. Exits with 1 where it is denied; with --probes, where one is
/// denied or not as expected.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap explain production/web production/db 5432
  flowmap explain production/web production/db 5432 --policies policies-out/
  flowmap explain external production/web 8080 --policies policies-out/ --only
  flowmap explain production/web-7d4f-x2x9z 10.96.0.10 53/UDP
  flowmap explain --probes probes.jsonl --policies policies-out/

A probe is a line such as [\"production/web\", \"production/db\", \"TCP\", 5432]; a fifth element, true or false, says what is \
expected. Answers come in the same order, one JSON object a line.")]
pub(super) struct Args {
    /// Who opens the connection: namespace/workload, namespace/pod, an address, a node, a host, or external
    ///
    /// A workload may also be named by its `ReplicaSet` or `Job`, and with its kind where two have one name:
    /// `shop/db (StatefulSet)`. A host is one of a hosts file, and `external` is any public address.
    #[arg(required_unless_present = "probes", value_name = "FROM")]
    from: Option<String>,
    /// Who accepts it: the same, or a Service, by its address or as namespace/name
    #[arg(required_unless_present = "probes", value_name = "TO")]
    to: Option<String>,
    /// The port, with its protocol where that is not TCP: 53/UDP
    #[arg(required_unless_present = "probes", value_name = "PORT[/PROTO]", value_parser = port)]
    port: Option<(u16, Protocol)>,
    /// Policies to judge on top of those deployed: files or folders, - for stdin
    #[arg(long, value_name = "POLICIES", num_args = 1..)]
    policies: Vec<PathBuf>,
    /// Leave out the policies that the inventory says are deployed
    #[arg(long, requires = "policies")]
    only: bool,
    /// Answer many questions: JSON lines as below; - for stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "to", "port"])]
    probes: Option<PathBuf>,
    #[command(flatten)]
    who: WhoArgs,
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    output: OutputArg,
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    let proposed = args.reading.policies(&args.policies)?;
    let directory = args.who.directory(global).await?;
    let set = if args.only { proposed } else { proposed.on_top_of(&policies::deployed(directory.cluster())) };
    if set.is_empty() && !args.policies.is_empty() {
        policies::say("no NetworkPolicy among them: nothing is isolated");
    }
    policies::tell_unlisted_namespaces(directory.cluster(), &set);
    let bench = Bench::new(&directory, &set, args.reading.options());
    match (&args.probes, args.from, args.to, args.port) {
        (Some(file), ..) => bench.probes(file),
        (None, Some(from), Some(to), Some((port, protocol))) => {
            let explanation = bench.explain(&from, &to, protocol, port)?;
            bench.show(&explanation, args.output.output)?;
            Ok(if explanation.allowed { Done::Clean } else { Done::Found })
        }
        _ => Err(Fault::new("explain", "who opens a connection to whom, and on which port?").into()),
    }
}

/// The cluster and its policies, ready for questions.
struct Bench<'a> {
    roster: Roster<'a>,
    evaluator: Evaluator<'a>,
    outside: Outside,
    options: Options,
    /// Policies of other kinds, which the verdict does not know of.
    not_evaluated: Vec<String>,
    /// Invalid policies, which it does not know of either.
    skipped: Vec<String>,
}

/// The word for any public address.
const EXTERNAL: &str = "external";

impl<'a> Bench<'a> {
    fn new(directory: &'a Directory, set: &'a PolicySet, options: Options) -> Self {
        let cluster = directory.cluster();
        let evaluator = Evaluator::of_cluster(set, cluster, options);
        let outside = Outside::new(&[&evaluator], cluster, &directory.pod_ranges());
        let not_evaluated = set.not_evaluated.iter().map(ToString::to_string).collect();
        let skipped = set.skipped.iter().map(ToString::to_string).collect();
        Self { roster: Roster::new(cluster), evaluator, outside, options, not_evaluated, skipped }
    }

    fn explain(&self, from: &str, to: &str, protocol: Protocol, port: u16) -> Result<Explanation, Fault> {
        let clients = match from {
            EXTERNAL => vec![Clients::External],
            name => self.clients(name)?.into_iter().map(Clients::Ends).collect(),
        };
        let servers = match to {
            EXTERNAL => vec![Servers::External],
            name => self.meanings(name, protocol, port)?.into_iter().map(Servers::Ends).collect(),
        };
        let pairs = clients.iter().flat_map(|clients| servers.iter().map(move |servers| (clients, servers)));
        let question = |(clients, servers): (&Clients, &Servers)| {
            let (clients, servers) = (clients.clone(), servers.clone());
            Question { from: from.to_owned(), clients, to: to.to_owned(), servers, protocol, port }
        };
        let answers = pairs.map(|pair| explain(&question(pair), &self.evaluator, &self.outside));
        let answers: Option<Vec<Explanation>> = answers.collect();
        let answer = answers.and_then(of_either);
        answer.ok_or_else(|| Fault::new(to, "no pods stand behind it"))
    }

    /// Whom the name of a client may mean: an address that several pods have is one of theirs, and it is not known whose.
    fn clients(&self, name: &str) -> Result<Vec<Vec<End>>, Fault> {
        let ends = self.roster.find(name).ok_or_else(|| self.unknown(name))?;
        let sharing = self.sharing(name);
        Ok(if sharing.is_empty() { vec![ends] } else { sharing.into_iter().map(|end| vec![end]).collect() })
    }

    /// Whom the name of a server may mean, likewise.
    fn meanings(&self, name: &str, protocol: Protocol, port: u16) -> Result<Vec<Vec<Server>>, Fault> {
        let servers = self.servers(name, protocol, port)?;
        let sharing = self.sharing(name);
        let server = |end| vec![Server { end, port, dialled: None }];
        Ok(if sharing.is_empty() { vec![servers] } else { sharing.into_iter().map(server).collect() })
    }

    /// The pods that have an address, where they are several, and it is no Service's.
    fn sharing(&self, name: &str) -> Vec<End> {
        let address = name.parse::<IpAddr>().ok().filter(|it| self.roster.service_at(*it).is_none());
        address.map(|it| self.roster.sharing(it)).unwrap_or_default()
    }

    /// Where a connection to a name ends: behind a Service at the port that its own leads to.
    fn servers(&self, name: &str, protocol: Protocol, port: u16) -> Result<Vec<Server>, Fault> {
        // as tables call one whose name a workload has too
        if let Some(service) = name.strip_suffix(" (service)").and_then(|name| self.roster.service(name)) {
            return self.behind(service, protocol, port, self.at_service(service, protocol, port));
        }
        let address = name.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        if let Some((service, address)) = address.and_then(|it| Some((self.roster.service_at(it)?, it))) {
            let dialled = self.roster.dialled(address, protocol, port);
            return self.behind(service, protocol, port, Some(dialled));
        }
        if let Some(ends) = self.roster.find(name) {
            return match self.behind_node(&ends, protocol, port) {
                Some(servers) => servers,
                None => Ok(ends.into_iter().map(|end| Server { end, port, dialled: None }).collect()),
            };
        }
        match self.roster.service(name) {
            Some(service) => self.behind(service, protocol, port, self.at_service(service, protocol, port)),
            None => Err(self.unknown(name)),
        }
    }

    /// What is dialled where a Service is named.
    fn at_service(&self, service: &Service, protocol: Protocol, port: u16) -> Option<Dialled> {
        service.cluster_ips.first().map(|address| self.roster.dialled(*address, protocol, port))
    }

    /// Where a port of a node leads on, to a Service (NodePort) or to pods of its own (`hostPort`).
    fn behind_node(&self, ends: &[End], protocol: Protocol, port: u16) -> Option<Result<Vec<Server>, Fault>> {
        let node = ends.iter().find_map(|end| match end {
            End::Address(address) if self.roster.is_node(*address) => Some(*address),
            _ => None,
        })?;
        let dialled = Some(self.roster.dialled(node, protocol, port));
        if let Some((service, own)) = self.roster.node_port(protocol, port) {
            return Some(self.behind(service, protocol, own.port, dialled));
        }
        let pods = self.roster.host_port(node, protocol, port);
        let server = |(who, port)| Server { end: self.roster.end(who), port, dialled };
        (!pods.is_empty()).then(|| Ok(pods.into_iter().map(server).collect()))
    }

    fn behind(
        &self,
        service: &Service,
        protocol: Protocol,
        port: u16,
        dialled: Option<Dialled>,
    ) -> Result<Vec<Server>, Fault> {
        let name = format!("Service {}/{}", service.namespace, service.name);
        if service.kind == ServiceKind::ExternalName {
            return Err(Fault::new(name, "is the name of a host outside (ExternalName); name its address"));
        }
        let is_asked = |own: &&ServicePort| own.port == port && own.protocol == protocol;
        let Some(own) = service.ports.iter().find(is_asked) else {
            let ports: Vec<String> = service.ports.iter().map(|own| format!("{}/{}", own.port, own.protocol)).collect();
            let fault = Fault::new(name, format!("has no port {port}/{protocol}"));
            return Err(if ports.is_empty() { fault } else { fault.hint(format!("it has {}", ports.join(", "))) });
        };
        let targets = self.roster.targets(service, own);
        if targets.is_empty() {
            return Err(Fault::new(name, format!("nothing stands behind its port {port}/{protocol}")));
        }
        let server = |(who, port)| Server { end: self.roster.end(who), port, dialled };
        Ok(targets.into_iter().map(server).collect())
    }

    /// What a verdict takes for granted of a name: that an address of the pods' ranges which nobody has is one outside.
    fn note(&self, name: &str) -> Option<String> {
        let address: IpAddr = name.parse().ok()?;
        let is_nobody = matches!(self.roster.at(address), End::Address(_)) && self.outside.is_inside(address);
        let is_service = self.roster.service_at(address).is_some();
        if !is_nobody || is_service {
            return None;
        }
        Some(match self.roster.node_with_end(address) {
            Some(node) => {
                format!(
                    "{name} is an address that network plugins give to the node itself, here {}: judged so",
                    node.name
                )
            }
            None => format!("{name} is in the pods' ranges and nobody in the inventory has it: judged by its address"),
        })
    }

    /// That it is not known which pod an address means.
    fn note_of_sharing(&self, name: &str) -> Option<String> {
        let pods: Vec<String> = self.sharing(name).iter().map(ToString::to_string).collect();
        (!pods.is_empty())
            .then(|| format!("{name} is the address of {}: each of them was asked", pods.join(" and of ")))
    }

    /// That a name means several workloads.
    fn note_of_several(&self, name: &str) -> Option<String> {
        let all = self.roster.several(name);
        (!all.is_empty())
            .then(|| format!("{name} means {}: all of them were asked; name one like this", all.join(" and ")))
    }

    /// That a workload's name is a Service's as well, which leads the port elsewhere.
    fn note_of_service(&self, name: &str, protocol: Protocol, port: u16) -> Option<String> {
        let service = self.roster.service(name).filter(|_| self.roster.find(name).is_some())?;
        let own = service.ports.iter().find(|own| own.port == port && own.protocol == protocol)?;
        let targets: BTreeSet<u16> = self.roster.targets(service, own).into_iter().map(|(_, target)| target).collect();
        let address = service.cluster_ips.first()?;
        (!targets.is_empty() && !targets.contains(&port)).then(|| {
            let targets = targets.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
            format!(
                "{name} was taken for the workload: the Service of that name leads port {port} to {targets}; for it ask {address} {port}"
            )
        })
    }

    /// That none of one name has an address of the family that one of the other has.
    fn note_of_families(&self, from: &str, to: &str) -> Option<String> {
        let (clients, servers) = (self.roster.find(from)?, self.roster.find(to)?);
        let meets = clients.iter().any(|client| servers.iter().any(|server| client.meets(server)));
        (!meets).then(|| {
            format!("{from} and {to} have no addresses of one family: nothing connects them, whatever is allowed")
        })
    }

    fn unknown(&self, name: &str) -> Fault {
        let (what, ended) = (format_args!("`{name}`"), "has ended, and policies are judged by the pods that are");
        if self.roster.has_ended(name) {
            return Fault::new(what, ended).hint("name its workload, or a pod that runs");
        }
        let fault = Fault::new(what, "nobody in the inventory is called so");
        let like = self.roster.like(name);
        match like.len() {
            0 => fault.hint("name a namespace/workload, a namespace/pod, an address, a node, or external"),
            _ => fault.hint(format!("did you mean {}?", like[..like.len().min(5)].join(", "))),
        }
    }

    fn show(&self, explanation: &Explanation, output: Output) -> anyhow::Result<()> {
        match output {
            Output::Json => Ok(print::json(&self.json(explanation)?)?),
            Output::Csv => Ok(print::table(output, &row(explanation), "")?),
            Output::Table | Output::Wide => {
                let mut text = words(explanation);
                for note in self.notes(explanation) {
                    let _ = write!(text, "\nnote: {note}");
                }
                let _ = writeln!(text, "\nread so: {}", self.options);
                Ok(print::text(printable(&text).as_bytes())?)
            }
        }
    }

    fn notes(&self, explanation: &Explanation) -> Vec<String> {
        let Explanation { from, to, protocol, port, .. } = explanation;
        let of_ends = [from, to].into_iter().filter_map(|name| self.note(name));
        let sharing = [from, to].into_iter().filter_map(|name| self.note_of_sharing(name));
        let several = [from, to].into_iter().filter_map(|name| self.note_of_several(name));
        let of_both = [self.note_of_service(to, *protocol, *port), self.note_of_families(from, to)];
        of_ends.chain(sharing).chain(several).chain(of_both.into_iter().flatten()).collect()
    }

    fn json(&self, explanation: &Explanation) -> serde_json::Result<Value> {
        let mut value = serde_json::to_value(explanation)?;
        value["reading"] = serde_json::to_value(self.options)?;
        let beside = [("not_evaluated", &self.not_evaluated), ("skipped", &self.skipped)];
        let lists =
            [("notes", self.notes(explanation))].into_iter().chain(beside.map(|(key, list)| (key, list.clone())));
        for (key, list) in lists.filter(|(_, list)| !list.is_empty()) {
            value[key] = list.into();
        }
        Ok(value)
    }

    /// Answers a file of questions. One that cannot be answered has its error in its place.
    fn probes(&self, file: &Path) -> anyhow::Result<Done> {
        let name = file.display().to_string();
        let text = input::text(file)?;
        let (mut answers, mut faults, mut denied, mut unexpected) = (String::new(), 0usize, 0usize, 0usize);
        for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let answer = match self.probe(line) {
                Ok((answer, allowed, expected)) => {
                    denied += usize::from(!allowed);
                    unexpected += usize::from(expected.is_some_and(|expected| expected != allowed));
                    answer
                }
                Err((question, why)) => {
                    faults += 1;
                    policies::say(&format!("{name}: line {}: {why}", n + 1));
                    json!({"probe": question, "error": why})
                }
            };
            answers += &serde_json::to_string(&answer)?;
            answers.push('\n');
        }
        print::text(answers.as_bytes())?;
        if unexpected > 0 {
            policies::say(&format!("{name}: verdicts that are not as expected: {unexpected}"));
        }
        match faults {
            0 if denied > 0 || unexpected > 0 => Ok(Done::Found),
            0 => Ok(Done::Clean),
            _ => Err(Fault::new(&name, format!("{faults} probes could not be answered")).into()),
        }
    }

    /// The answer to a line, whether it is allowed, and what was expected; else the line as a value and why there is none.
    fn probe(&self, line: &str) -> Result<(Value, bool, Option<bool>), (Value, String)> {
        let value: Value = serde_json::from_str(line).map_err(|error| (Value::from(line), error.to_string()))?;
        let failed = |why: String| (value.clone(), why);
        let form = || failed("is no [\"from\", \"to\", \"TCP\", 80]".to_owned());
        let (from, to, protocol, port, expected) = match value.as_array().map(Vec::as_slice) {
            Some([from, to, protocol, port]) => (from, to, protocol, port, None),
            Some([from, to, protocol, port, Value::Bool(expected)]) => (from, to, protocol, port, Some(*expected)),
            _ => return Err(form()),
        };
        let (Some(from), Some(to), Some(protocol)) = (from.as_str(), to.as_str(), protocol.as_str()) else {
            return Err(form());
        };
        let protocol = protocol.parse().map_err(|error: crate::model::UnknownProtocol| failed(error.to_string()))?;
        let port = port.as_u64().and_then(|port| u16::try_from(port).ok()).ok_or_else(form)?;
        askable(protocol, port).map_err(failed)?;
        let explanation = self.explain(from, to, protocol, port).map_err(|fault| failed(fault.to_string()))?;
        let mut answer = self.json(&explanation).map_err(|error| failed(error.to_string()))?;
        if let Some(expected) = expected {
            answer["expected"] = expected.into();
        }
        Ok((answer, explanation.allowed, expected))
    }
}

/// The one answer where the names may mean this or that: what they do not agree on is uncertain, and counts as denied.
fn of_either(answers: Vec<Explanation>) -> Option<Explanation> {
    let is_allowed_to_some = answers.iter().any(|answer| answer.allowed);
    let is_doubted = |answer: &Explanation| !is_allowed_to_some && answer.uncertain;
    let answer = answers.into_iter().min_by_key(|answer| (answer.allowed, !is_doubted(answer)))?;
    if answer.allowed || !is_allowed_to_some {
        return Some(answer);
    }
    let reason = format!("it hangs on which pod has the address; {}", answer.reason);
    Some(Explanation { uncertain: true, partly: None, reason, ..answer })
}

fn words(explanation: &Explanation) -> String {
    let Explanation { from, to, protocol, port, allowed, egress, ingress, reason, partly, uncertain } = explanation;
    let verdict = match (allowed, partly) {
        (true, _) => "allowed",
        (false, None) if *uncertain => "uncertain",
        (false, Some(_)) => "allowed in part",
        (false, None) => "denied",
    };
    let mut text = format!("{from} -> {to} {protocol}/{port}: {verdict}\n");
    // the sides say the rest, each for itself
    let is_by_sides = partly.is_none() && (!allowed || egress.is_enough() && ingress.is_enough());
    if !is_by_sides {
        text += &print::wrapped(partly.as_ref().unwrap_or(reason), "  ");
    }
    for (name, side) in [("egress", egress), ("ingress", ingress)] {
        text += &side_words(name, side);
    }
    text.trim_end().to_owned()
}

fn side_words(name: &str, side: &Side) -> String {
    if !side.isolated && side.decided.is_none() && !side.uncertain {
        return format!("{name}: no policy isolates this side\n");
    }
    // what the nearest rule misses has lines of its own
    let sentence = match (&side.reason, &side.decided) {
        (Some(denied), _) => format!("{name}: {denied}"),
        (None, Some(decided)) if decided.action == Action::Deny => format!("{name}: {} would deny it", decided.rule),
        (None, Some(decided)) => format!("{name}: decided in the {} tier", decided.tier.as_str()),
        (None, None) => format!("{name}: isolated by {}", side.isolated_by.join(", ")),
    };
    let mut text = print::hanging(&sentence, "", "  ");
    for rule in &side.rules {
        text += &print::hanging(&format!("allowed by {rule}"), "  ", "    ");
    }
    if let Some(nearest) = &side.nearest {
        text += &print::hanging(&format!("nearest is {}, but", nearest.rule), "  ", "    ");
        for miss in &nearest.misses {
            text += &print::hanging(miss, "    ", "      ");
        }
    }
    text
}

fn row(explanation: &Explanation) -> Table {
    let mut table = Table::new(&["from", "to", "port", "allowed", "reason"]);
    let Explanation { from, to, protocol, port, allowed, reason, .. } = explanation;
    table.row(vec![from.clone(), to.clone(), format!("{port}/{protocol}"), allowed.to_string(), reason.clone()]);
    table
}
