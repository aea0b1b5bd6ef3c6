//! Policies from files and from the inventory, and how they are read: what `simulate`, `explain` and `diff` share.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use clap::ValueEnum;

use super::{Fault, fault::printable, input};
use crate::{
    inventory,
    model::{Cluster, RawObject},
    policy::{self, Dnat, Idle, IpBlock, NetworkPolicy, Options, Peer, PolicySet, PolicyType, Strictness},
    render,
};

/// How policies are read, where that is a choice.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ReadingArgs {
    /// Count and skip invalid policies instead of refusing them
    #[arg(long)]
    lenient: bool,
    /// Let ipBlocks match the addresses of pods too, as some network plugins do
    #[arg(long)]
    ipblock_matches_pods: bool,
    /// How policies treat pods in their node's network
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    host_network: HostNetwork,
    /// Which address egress ipBlocks match where a Service was dialled
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    dnat: Judged,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum HostNetwork {
    /// They are selected by their labels, like others
    Selected,
    /// They count as their node
    #[default]
    NotSelected,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Judged {
    /// That of the Service
    Before,
    /// That of the pod behind it
    #[default]
    After,
}

impl ReadingArgs {
    /// The reading as the policy room takes it.
    pub fn options(&self) -> Options {
        Options {
            ipblock_matches_pods: self.ipblock_matches_pods,
            host_network_selected: matches!(self.host_network, HostNetwork::Selected),
            dnat: match self.dnat {
                Judged::Before => Dnat::Before,
                Judged::After => Dnat::After,
            },
        }
    }

    /// The policies among files and folders. What is left out and what is not evaluated is told.
    pub fn policies(&self, paths: &[PathBuf]) -> anyhow::Result<PolicySet> {
        let strictness = if self.lenient { Strictness::Lenient } else { Strictness::Strict };
        let (objects, set) = policies(&texts(paths)?, strictness)?;
        tell_unplaced(&objects);
        tell_not_evaluated("not evaluated", &set);
        set.doubts().iter().for_each(|doubt| say(doubt));
        Ok(set)
    }
}

/// The objects of texts, and the policies among them. What is left out is told.
pub(super) fn policies(texts: &[Text], strictness: Strictness) -> anyhow::Result<(Vec<RawObject>, PolicySet)> {
    let (objects, unread) = read(texts, strictness)?;
    let set = PolicySet::from_objects(&objects, strictness).map_err(|error| invalid(&error))?;
    match unread {
        0 => {}
        1 => say("1 document that is no object was skipped"),
        unread => say(&format!("{unread} documents that are no objects were skipped")),
    }
    for skipped in &set.skipped {
        say(&format!("skipped: {skipped}"));
    }
    match set.skipped.len() {
        0 => {}
        1 => say("1 invalid policy was skipped"),
        skipped => say(&format!("{skipped} invalid policies were skipped")),
    }
    Ok((objects, set))
}

/// The policies that the inventory says are deployed. An invalid one is no policy of a cluster's: it is told and skipped.
pub(super) fn deployed(cluster: &Cluster) -> PolicySet {
    let set = PolicySet::deployed(&cluster.policies);
    for skipped in &set.skipped {
        say(&format!("deployed, skipped: {skipped}"));
    }
    tell_not_evaluated("deployed, not evaluated", &set);
    set.doubts().iter().for_each(|doubt| say(&format!("deployed: {doubt}")));
    set
}

/// Tells where a selector of namespaces meets such as the inventory lists no object of: their labels are not known.
pub(super) fn tell_unlisted_namespaces(cluster: &Cluster, set: &PolicySet) {
    let listed: BTreeSet<&str> = cluster.namespaces.iter().map(|namespace| namespace.name.as_str()).collect();
    let of_pods: BTreeSet<&str> = cluster.pods.iter().map(|pod| pod.namespace.as_str()).collect();
    let unlisted: Vec<&str> = of_pods.difference(&listed).copied().collect();
    if set.selects_namespaces() && !unlisted.is_empty() {
        say(&format!(
            "the labels of namespaces are not known, and selectors of them may match wrongly: {}",
            unlisted.join(", ")
        ));
    }
}

/// Tells which policies name no namespace: `kubectl apply -n` may put them elsewhere than they are judged.
fn tell_unplaced(objects: &[RawObject]) {
    let is_unplaced = |it: &&RawObject| {
        it.object["kind"] == "NetworkPolicy" && it.object["metadata"]["namespace"].as_str().is_none_or(str::is_empty)
    };
    let mut unplaced = objects.iter().filter(is_unplaced);
    if let Some(first) = unplaced.next() {
        let more = match unplaced.count() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        say(&format!("{}{more}: names no namespace, and is judged as a policy of `default`", first.place()));
    }
}

/// Tells which policies name nodes by their addresses where the network plugin reaches none so. A block of all addresses means
/// the outside.
pub(super) fn tell_nodes_by_address(cluster: &Cluster, set: &PolicySet, options: Options) {
    if inventory::network_plugin(cluster).knows_nodes_by_address() {
        return;
    }
    let nodes = || cluster.nodes.iter().flat_map(|node| &node.addresses);
    let is_of_node = |block: &IpBlock| block.cidr.prefix_len() > 0 && nodes().any(|it| block.contains(*it));
    let names_node = |peer: &Peer| matches!(peer, Peer::Block(block) if is_of_node(block));
    let is_naming = |policy: &&NetworkPolicy| {
        let mut rules = PolicyType::ALL.into_iter().filter_map(|direction| policy.rules(direction)).flatten();
        rules.any(|rule| rule.peers.iter().any(names_node))
    };
    let naming: Vec<String> = set.policies.iter().filter(is_naming).map(NetworkPolicy::full_name).collect();
    if !naming.is_empty() {
        say(&format!(
            "{}: Cilium, which runs here, reaches nodes by no ipBlock, unless its policyCIDRMatchMode has `nodes`: it denies what \
             these policies allow of them, whatever the verdict",
            render::few(&naming, NAMES_SHOWN)
        ));
    }
    if options.ipblock_matches_pods {
        say("--ipblock-matches-pods: Cilium, which runs here, reaches pods by no ipBlock");
    }
}

/// How many policies of one kind are named.
const NAMES_SHOWN: usize = 10;

fn tell_not_evaluated(what: &str, set: &PolicySet) {
    for other in &set.not_evaluated {
        say(&format!("{what}: {other}"));
    }
}

/// Tells what speaks of nobody: it cannot be judged, and may be a misspelt label.
pub(super) fn tell_idle(idle: &[Idle]) {
    for idle in idle.iter().take(IDLE_SHOWN) {
        say(&idle.to_string());
    }
    if idle.len() > IDLE_SHOWN {
        say(&format!("{} more policies and rules name nobody of the inventory", idle.len() - IDLE_SHOWN));
    }
}

/// How many policies and rules that name nobody are named.
const IDLE_SHOWN: usize = 10;

/// Tells something that is no error, in one line.
pub(super) fn say(words: &str) {
    warnln!("flowmap: {}", printable(words).replace('\n', " "));
}

fn invalid(error: &policy::PolicyError) -> anyhow::Error {
    Fault::new("policies", error).hint("an API server would refuse it too; --lenient skips it").into()
}

/// A text that policies are read from.
pub(super) struct Text {
    /// The file, or `stdin`.
    pub name: String,
    /// What is in it.
    pub content: String,
    /// Whether it was found in a folder that was named.
    is_in_folder: bool,
}

/// Reads files, and folders with all below them, in the order of their names; `-` is stdin.
pub(super) fn texts(paths: &[PathBuf]) -> anyhow::Result<Vec<Text>> {
    let mut texts = Vec::new();
    for path in paths {
        let is_stdin = path == Path::new("-");
        let is_in_folder = path.is_dir() && !is_stdin;
        for file in if is_stdin { vec![path.clone()] } else { files(path)? } {
            let name = if is_stdin { "stdin".to_owned() } else { file.display().to_string() };
            texts.push(Text { name, content: input::text(&file)?, is_in_folder });
        }
    }
    Ok(texts)
}

/// The objects of texts, and how many documents were skipped.
fn read(texts: &[Text], strictness: Strictness) -> anyhow::Result<(Vec<RawObject>, usize)> {
    let (mut objects, mut skipped) = (Vec::new(), 0);
    for Text { name, content, is_in_folder } in texts {
        let (found, unread) = match strictness {
            Strictness::Strict => (objects_of(name, content, *is_in_folder)?, 0),
            Strictness::Lenient => some_objects_of(name, content),
        };
        objects.extend(found);
        skipped += unread;
    }
    Ok((objects, skipped))
}

/// The objects of a text, and how many of its documents are none; each of them is told.
fn some_objects_of(name: &str, text: &str) -> (Vec<RawObject>, usize) {
    let (objects, others) = policy::read_some(name, text);
    for error in &others {
        say(&format!("skipped: {error}"));
    }
    (objects, others.len())
}

/// The objects of a text. A folder holds other files besides, such as lists of values: what is no object there is told.
fn objects_of(name: &str, text: &str, is_in_folder: bool) -> anyhow::Result<Vec<RawObject>> {
    let (objects, others) = policy::read_all(name, text).map_err(|error| unreadable(&error))?;
    match others.first() {
        Some(error) if !is_in_folder => Err(unreadable(error).into()),
        _ => {
            for error in &others {
                say(&format!("passed over: {error}"));
            }
            Ok(objects)
        }
    }
}

fn unreadable(error: &policy::ReadError) -> Fault {
    Fault::new("policies", error)
        .hint("expected are manifests of policies: YAML or JSON; --lenient skips other documents")
}

/// The endings of manifests, also behind them those of compressed files.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

fn is_manifest(path: &Path) -> bool {
    let is_one_of = |path: &Path, endings: &[&str]| path.extension().is_some_and(|it| endings.iter().any(|e| it == *e));
    let inner = path.file_stem().filter(|_| is_one_of(path, &["gz", "zst"])).map_or(path, Path::new);
    is_one_of(inner, &ENDINGS)
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
        let entry = entry.map_err(|error| Fault::new(&name, error))?;
        let path = entry.path();
        // links to folders may lead round in circles
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(files(&path)?);
        } else if is_manifest(&path) && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
