//! `flowmap convert`: NetworkPolicies as other kinds of policies.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use clap::{ValueEnum, builder::PossibleValue};
use serde_json::json;

use super::{
    Done, Fault,
    common::{Global, Output, OutputArg},
    convert_names,
    fault::one_line,
    policies::{self, Text, policies, say},
    print::{self, Table},
    who::WhoArgs,
};
use crate::{
    convert::{Answers, Asked, Converted, Ground, Remark, Slot, Target, convert},
    inventory::Directory,
    model::{HostName, RawObject, words::count},
    policy::{Peer, PolicySet, PolicyType, Strictness, Tier},
    proposal::folder,
    render, yaml,
};

/// Convert NetworkPolicies to the kinds of Cilium or Calico, or to those of whole clusters.
///
/// What comes out allows the same; where that cannot be, it is told. Cilium knows nodes and the API server as entities,
/// which rules about addresses do not reach: they are taken from the inventory. Calico's staged policies enforce nothing,
/// and show in its flow logs what they would deny.
///
/// ClusterNetworkPolicies cannot name who comes from outside: they close ingress from pods only. In the Baseline tier they
/// decide where no NetworkPolicy isolates a pod; in the Admin tier they deny what is not listed, and leave the rest to the
/// NetworkPolicies of the namespaces.
///
/// With --names Cilium also allows what is outside by the names that pods were answered over DNS and used themselves,
/// whatever addresses these have later.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap convert policies-out/ --to cilium
  flowmap convert policies-out/ --to calico-staged --out-dir trial
  flowmap convert policies-out/ --to cilium --names
  flowmap convert policies-out/ --to cluster-network-policy --tier admin
  kubectl get netpol -A -o yaml | flowmap convert - --to cilium --out-dir -
  flowmap convert by-hand/ --to cilium --inventory cluster.json -o json")]
pub(super) struct Args {
    /// Files or folders of NetworkPolicies; - for stdin
    #[arg(required = true, value_name = "POLICIES")]
    policies: Vec<PathBuf>,
    /// What to convert them to
    #[arg(long, value_enum, value_name = "TARGET")]
    to: Target,
    /// When ClusterNetworkPolicies are asked [default: baseline]
    #[arg(long, value_enum, value_name = "TIER")]
    tier: Option<Tier>,
    /// The first of the four priorities that ClusterNetworkPolicies take [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(..=i64::from(Slot::LAST_PRIORITY)))]
    priority: Option<u16>,
    /// The folder for the documents; - prints them [default: TARGET-out]
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
    /// Count and skip invalid policies instead of refusing them
    #[arg(long)]
    lenient: bool,
    /// Also allow what is outside by the names that its clients asked for and used (Cilium)
    #[arg(long)]
    names: bool,
    /// Leave out a name; may be given several times
    #[arg(long, value_name = "NAME", requires = "names", value_parser = convert_names::name)]
    without_name: Vec<HostName>,
    /// Take the names from these captures alone, without the store
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "names")]
    from: Vec<PathBuf>,
    #[command(flatten)]
    who: WhoArgs,
    #[command(flatten)]
    output: OutputArg,
}

impl ValueEnum for Target {
    fn value_variants<'v>() -> &'v [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Cilium => "CiliumNetworkPolicy, with nodes and the API server as entities",
            Self::CalicoStaged => "StagedKubernetesNetworkPolicy: a trial that denies nothing",
            Self::ClusterNetworkPolicy(_) => {
                "ClusterNetworkPolicy: of the whole cluster, before or after NetworkPolicies"
            }
        };
        Some(PossibleValue::new(self.as_str()).help(help))
    }
}

impl ValueEnum for Tier {
    fn value_variants<'v>() -> &'v [Self] {
        &[Self::Baseline, Self::Admin]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::Baseline => ("baseline", "After NetworkPolicies, where none of them isolates the pod"),
            Self::Admin => ("admin", "Before them: what is not listed is denied, the rest is theirs to decide"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

/// What is asked for, with its place among the policies of whole clusters where it is such.
fn target(args: &Args) -> Result<Target, Fault> {
    let Target::ClusterNetworkPolicy(slot) = args.to else {
        let given = [("--tier", args.tier.is_some()), ("--priority", args.priority.is_some())];
        return match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => Err(Fault::new(flag, format!("{} has no tiers", args.to.as_str()))
                .hint("`--to cluster-network-policy` is asked before or after NetworkPolicies")),
            None => Ok(args.to),
        };
    };
    let (tier, priority) = (args.tier.unwrap_or(slot.tier), args.priority.unwrap_or(slot.priority));
    Ok(Target::ClusterNetworkPolicy(Slot { tier, priority }))
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    if args.names && args.to != Target::Cilium {
        return Err(convert_names::not_for(args.to.as_str()).into());
    }
    let target = target(&args)?;
    let texts = policies::texts(&args.policies)?;
    let strictness = if args.lenient { Strictness::Lenient } else { Strictness::Strict };
    let (objects, set) = policies(&texts, strictness)?;
    let (ground, answers) = known(global, &args).await?;
    let all = convert(&set, &objects, target, &ground, answers.as_ref());
    let comments = comments(&texts, &objects);
    let comment = |it: &Converted| comments.get(&place(&it.origin)).cloned().unwrap_or_default();
    let mut documents = render::converted(&all, &comment)?;
    let out_dir = args.out_dir.clone().unwrap_or_else(|| format!("{}-out", args.to.as_str()).into());
    let is_stream = out_dir.as_os_str() == "-";
    if is_stream {
        let texts: Vec<&str> = documents.iter().map(|document| document.text.as_str()).collect();
        print::text(texts.join("---\n").as_bytes())?;
    } else if !all.is_empty() {
        documents.push(render::converted_review(&all, target, &out_dir.display().to_string()));
        folder::replace_sealed_folders(&out_dir, &documents)?;
    }
    warn(&args, &set, &ground, &all, is_stream);
    if let Some(answers) = &answers {
        warn_of_names(answers, &all);
    }
    if !is_stream {
        report(&args, &all, &out_dir)?;
    }
    Ok(Done::Clean)
}

/// What the target asks of the inventory, and the names of what is outside where they are asked for.
async fn known(global: &Global, args: &Args) -> anyhow::Result<(Ground, Option<Answers>)> {
    let ground = |directory: &Directory| {
        let ground = Ground::new(directory.cluster(), directory.api_servers());
        ground.with_ranges(directory.ranges_inside())
    };
    match args.to {
        Target::Cilium if args.names => {
            let (directory, answers) = convert_names::heard(global, &args.who, &args.from).await?;
            Ok((ground(&directory), Some(answers.without(args.without_name.iter().cloned()))))
        }
        Target::Cilium => Ok((ground(&args.who.directory(global).await?), None)),
        Target::ClusterNetworkPolicy(_) => {
            let directory = args.who.directory_if_any(global).await?;
            Ok((directory.as_ref().map(ground).unwrap_or_default(), None))
        }
        // knows nodes by their addresses
        Target::CalicoStaged => Ok((Ground::default(), None)),
    }
}

/// Where an object stands, as a key.
fn place(object: &RawObject) -> (String, usize) {
    (object.source.clone(), object.document.unwrap_or_default())
}

/// The comments before objects, where every document of a text is one object.
fn comments(texts: &[Text], objects: &[RawObject]) -> BTreeMap<(String, usize), String> {
    let mut comments = BTreeMap::new();
    for text in texts {
        let own: Vec<&RawObject> = objects.iter().filter(|object| object.source == text.name).collect();
        let parts = yaml::documents(&text.content);
        if parts.len() != own.len() {
            continue;
        }
        for (object, (_, part)) in own.into_iter().zip(parts) {
            let lines = part.lines().skip_while(|line| line.starts_with("---"));
            let comment: String =
                lines.take_while(|line| line.starts_with('#')).flat_map(|line| [line, "\n"]).collect();
            comments.insert(place(object), comment);
        }
    }
    comments
}

/// Says aloud what was not converted, and what could not be known.
fn warn(args: &Args, set: &PolicySet, ground: &Ground, all: &[Converted], is_stream: bool) {
    for other in &set.not_evaluated {
        say(&format!("not converted: {other}"));
    }
    for other in &set.cluster_wide {
        say(&format!(
            "not converted: {other}: it is of the whole cluster, and comes before or after what is converted"
        ));
    }
    let rules = set.policies.iter().flat_map(|policy| {
        [PolicyType::Ingress, PolicyType::Egress].into_iter().filter_map(|side| policy.rules(side)).flatten()
    });
    let has_blocks = rules.flat_map(|rule| &rule.peers).any(|peer| matches!(peer, Peer::Block(_)));
    if args.to == Target::Cilium && ground.has_no_nodes() && has_blocks {
        say(
            "the inventory lists no nodes: what an ipBlock says of them is lost, for Cilium reaches nodes by no address; name an \
             inventory with nodes and endpoints by --inventory",
        );
    }
    if matches!(args.to, Target::ClusterNetworkPolicy(_)) && ground.has_no_pods() && has_blocks {
        say(
            "the inventory lists no pods: which ipBlocks hold addresses of pods or Services is not known, and these are told by labels \
             alone; name an inventory by --inventory",
        );
    }
    let wider = all.iter().filter(|it| it.remarks.iter().any(Remark::is_wider)).count();
    if wider > 0 && is_stream {
        say(&format!("{}: wider than before, each says where in its comment", count(wider as u64, "policy")));
    }
}

/// Says aloud for what no names were found.
fn warn_of_names(answers: &Answers, all: &[Converted]) {
    if answers.is_empty() {
        say(
            "no names: of no pod it is known that DNS answered it a name of somebody outside; capture where pods ask, at their nodes, and \
             see `flowmap inventory names`",
        );
    }
    for name in answers.never_answered() {
        say(&format!("--without-name {name}: no pod was answered this name"));
    }
    let blocks = |it: &Converted| it.remarks.iter().map(|remark| remark.by_address_alone().len()).sum::<usize>();
    let (policies, alone) = (all.iter().filter(|it| blocks(it) > 0).count(), all.iter().map(blocks).sum::<usize>());
    if alone > 0 {
        say(&format!(
            "{} outside, of {}, {} allowed by address alone; why, each says in its comment",
            count(alone as u64, "block"),
            count(policies as u64, "policy"),
            if alone == 1 { "is" } else { "are" },
        ));
    }
}

fn asked(asked: &Asked) -> serde_json::Value {
    let Asked { name, ports, addresses, also_at, askers, times, span } = asked;
    json!({
        "name": name, "ports": ports, "addresses": addresses, "also_at": also_at, "asked_by": askers, "answers": times,
        "first_seen": span.first, "last_seen": span.last,
    })
}

fn report(args: &Args, all: &[Converted], out_dir: &std::path::Path) -> anyhow::Result<()> {
    let output = args.output.output;
    if output == Output::Json {
        let one = |it: &Converted| {
            let remark = |remark: &Remark| json!({"what": remark.to_string(), "wider": remark.is_wider()});
            json!({
                "policy": format!("{}/{}", it.namespace, it.name),
                "document": format!("{}/{}.yaml", it.namespace, it.name),
                "not_the_same": it.differences().map(remark).collect::<Vec<_>>(),
                "names": it.asked.iter().map(asked).collect::<Vec<_>>(),
                "names_not_in_use": it.unused.first.iter().map(asked).collect::<Vec<_>>(),
                "more_not_in_use": it.unused.more,
                "without_names": it.without_names().map(ToString::to_string).collect::<Vec<_>>(),
            })
        };
        let policies: Vec<_> = all.iter().map(one).collect();
        let value = json!({"to": args.to.as_str(), "kind": args.to.kind(), "out_dir": out_dir, "policies": policies});
        return Ok(print::json(&value)?);
    }
    let mut table = Table::new(&["policy", "not the same"]);
    for (it, remark) in all.iter().flat_map(|it| it.differences().map(move |remark| (it, remark))) {
        table.row(vec![format!("{}/{}", it.namespace, it.name), one_line(&remark.to_string())]);
    }
    print::table(
        output,
        &table,
        if all.is_empty() { "no NetworkPolicies to convert" } else { "all of it is the same" },
    )?;
    if output == Output::Csv || all.is_empty() {
        return Ok(());
    }
    let namespaces: BTreeSet<&str> = all.iter().map(|it| it.namespace.as_str()).collect();
    let objects: usize = all.iter().map(|it| it.objects.len()).sum();
    let (number, folders) = (count(objects as u64, args.to.kind()), count(namespaces.len() as u64, "namespace"));
    let review = out_dir.join(render::CONVERTED_REVIEW);
    let text = format!("\n{number} of {folders}; read {} before you apply anything\n", review.display());
    Ok(print::text(text.as_bytes())?)
}
