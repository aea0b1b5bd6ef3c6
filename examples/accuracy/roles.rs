//! The section on roles and tiers: hosts whose roles people named, and applications whose tiers are known.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs, io,
    path::Path,
    process::Command,
};

use serde_json::Value;

use crate::partitions::{Labels, adjusted_rand, homogeneity, louvain, neighbours, signatures};

const METHOD: &str = "## Roles and tiers

How roles are found, and what the rules were chosen on, is told in [tiers](tiers.md). Agreement of two groupings is the
adjusted Rand index (1 is equal, 0 is chance); homogeneity says that a role holds hosts of one true group, completeness that a
true group is in one role.
";

/// A flow of the data set: client, server, protocol and port.
pub type Flow = (String, String, String);

/// Measures and writes.
pub fn section(data: &Path, flowmap: &Path) -> io::Result<String> {
    Ok([METHOD.to_owned(), hosts(&data.join("roles/g21"), flowmap)?, applications(data, flowmap)?].join("\n"))
}

fn tiers(flowmap: &Path, args: &[&str]) -> io::Result<Vec<Value>> {
    let output = Command::new(flowmap).arg("tiers").args(args).args(["-o", "json"]).output()?;
    serde_json::from_slice(&output.stdout).map_err(|_| io::Error::other(String::from_utf8_lossy(&output.stderr)))
}

fn members(role: &Value) -> impl Iterator<Item = String> {
    role["members"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned)
}

fn labels(roles: &[Value]) -> Labels {
    roles.iter().enumerate().flat_map(|(n, role)| members(role).map(move |name| (name, n))).collect()
}

fn hosts(folder: &Path, flowmap: &Path) -> io::Result<String> {
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let groups: Vec<Vec<String>> = serde_json::from_slice(&fs::read(path("groups.json"))?)?;
    let truth: Labels =
        groups.iter().enumerate().flat_map(|(n, group)| group.iter().map(move |name| (name.clone(), n))).collect();
    let flows: Vec<Flow> = fs::read_to_string(path("flows.csv"))?.lines().skip(1).filter_map(flow).collect();
    let seen: BTreeSet<&String> = flows.iter().flat_map(|(client, server, _)| [client, server]).collect();
    let scope: BTreeSet<String> = truth.keys().filter(|name| seen.contains(name)).cloned().collect();
    let at = |cut: &str| {
        let inventory = path("hosts.csv");
        tiers(flowmap, &["--cut", cut, "--from", &path("flows.csv"), "--inventory", &inventory]).map(|it| labels(&it))
    };
    let mut text = format!(
        "### {} hosts of a data centre\n\nFrom \"A Dataset of Networks of Computing Hosts\" (Madani and others, IWSPA 2022): \
         four days, {} records, {} groups\nnamed by people. One more host in scope was never seen.\n\n\
         | grouping | roles | adjusted Rand index | homogeneity | completeness |\n|---|---|---|---|---|\n",
        scope.len(),
        flows.len(),
        truth.iter().filter(|(name, _)| scope.contains(*name)).map(|(_, group)| group).collect::<BTreeSet<_>>().len(),
    );
    let louvain_name = "communities (Louvain, by modularity)";
    let rows = [
        ("**flowmap tiers**", at("38")?),
        ("flowmap tiers, cut 0.35", at("35")?),
        ("flowmap tiers, cut 0.40", at("40")?),
        ("flowmap tiers, cut 0.45", at("45")?),
        ("equal sets of served and called ports", signatures(&flows, &scope)),
        ("neighbours by Jaccard, average linkage, best cut", best(neighbours(&flows, &scope), &truth, &scope)),
        (louvain_name, louvain(&flows, &scope)),
    ];
    for (name, found) in rows {
        row(&mut text, name, &found, &truth, &scope);
    }
    text.push_str(
        "\nLouvain stands for Leiden, of which it is the older form: both maximise modularity, and both look for who talks with\nwhom, \
         where roles are who does the same. The baselines are small programs in `examples/accuracy/partitions.rs`;\nthe cut \
         of the neighbours is the one that agrees best with the truth, which flowmap does not get to see.\n",
    );
    Ok(text)
}

fn best(cuts: Vec<Labels>, truth: &Labels, scope: &BTreeSet<String>) -> Labels {
    let agreement = |found: &Labels| adjusted_rand(found, truth, scope);
    cuts.into_iter().max_by(|a, b| agreement(a).total_cmp(&agreement(b))).unwrap_or_default()
}

fn row(text: &mut String, name: &str, found: &Labels, truth: &Labels, scope: &BTreeSet<String>) {
    let roles = found.iter().filter(|(name, _)| scope.contains(*name)).map(|(_, n)| n).collect::<BTreeSet<_>>().len();
    let (homogeneity, completeness) = homogeneity(found, truth, scope);
    // writing to a String cannot fail
    let _ = writeln!(
        text,
        "| {name} | {roles} | {:.3} | {homogeneity:.3} | {completeness:.3} |",
        adjusted_rand(found, truth, scope)
    );
}

fn flow(line: &str) -> Option<Flow> {
    let mut cells = line.split(',');
    let (client, server, protocol, port) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
    Some((client.to_owned(), server.to_owned(), format!("{protocol}/{port}")))
}

/// What the truth of the applications calls tiers.
const WORDS: [(&str, &str); 5] =
    [("frontend", "edge"), ("app", "application"), ("data", "data"), ("infra", "infrastructure"), ("load", "client")];

/// Seeds that scenarios are played with.
const SEEDS: [&str; 3] = ["1", "2", "3"];

fn applications(data: &Path, flowmap: &Path) -> io::Result<String> {
    let mut text = "### Applications\n\nTraffic of three public applications, with scans, health checks, addresses that are handed on, \
                    logs and monitoring,\nas three nodes capture it; seeds 1 to 3. As partition: the adjusted Rand index of the \
                    tiers. As order: of the pairs of workloads whose true\ntiers are frontend, app and data, the share whose \
                    tiers stand in that order, or are equal where theirs are.\n\n\
                    | application | workloads | in their tier | as partition | as order |\n|---|---|---|---|---|\n"
        .to_owned();
    for name in ["bookinfo", "online-boutique", "teastore"] {
        let (mut right, mut all, mut rand, mut order) = (0, 0, f64::INFINITY, f64::INFINITY);
        for seed in SEEDS {
            let (found, truth) = play(&data.join("apps").join(name), &data.join("../tools"), flowmap, seed)?;
            let agrees = |workload: &&String| found.get(*workload) == truth.get(*workload);
            right += truth.keys().filter(agrees).count();
            all += truth.len();
            let scope = truth.keys().cloned().collect();
            rand = rand.min(adjusted_rand(&numbered(&found), &numbered(&truth), &scope));
            order = order.min(in_order(&found, &truth));
        }
        let workloads = all / SEEDS.len();
        // writing to a String cannot fail
        let _ = writeln!(text, "| {name} | {workloads} | {right} of {all} | {rand:.3} | {order:.3} |");
    }
    text.push_str("\nThe worst of the seeds is shown.\n");
    Ok(text)
}

type Words = BTreeMap<String, String>;

/// Plays a scenario; gives the tiers found and the true ones.
fn play(source: &Path, tools: &Path, flowmap: &Path, seed: &str) -> io::Result<(Words, Words)> {
    let folder = tempfile::tempdir()?;
    let scenario = folder.path().join("scenario");
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut command = Command::new(python);
    command.arg(tools.join("traffic.py")).arg(source).arg(&scenario).args(["--seed", seed]);
    if !command.output()?.status.success() {
        return Err(io::Error::other("the generator of traffic failed; it needs Python with PyYAML"));
    }
    let mut nodes: Vec<String> = fs::read_dir(&scenario)?
        .filter_map(Result::ok)
        .filter(|entry| entry.path().extension().is_some_and(|ending| ending == "pcap"))
        .map(|entry| entry.path().to_string_lossy().into_owned())
        .collect();
    nodes.sort();
    let inventory = scenario.join("cluster.json").to_string_lossy().into_owned();
    let from: Vec<&str> = ["--from"].into_iter().chain(nodes.iter().map(String::as_str)).collect();
    let roles = tiers(flowmap, &[&from[..], &["--inventory", &inventory]].concat())?;
    let truth: Value = serde_json::from_slice(&fs::read(source.join("truth.json"))?)?;
    let namespace = truth["namespace"].as_str().unwrap_or_default();
    let word = |tier: &str| WORDS.iter().find(|(theirs, _)| *theirs == tier).map_or(tier, |(_, ours)| ours).to_owned();
    let expected: Words = truth["tiers"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, tier)| (format!("{namespace}/{name}"), word(tier.as_str().unwrap_or_default())))
        .collect();
    let tier = |role: &Value| role["tier"].as_str().unwrap_or_default().to_owned();
    let found: Words = roles.iter().flat_map(|role| members(role).map(|name| (name, tier(role)))).collect();
    Ok((found.into_iter().filter(|(name, _)| expected.contains_key(name)).collect(), expected))
}

fn numbered(words: &Words) -> Labels {
    let all: BTreeSet<&String> = words.values().collect();
    let number = |word: &String| all.iter().position(|it| *it == word).unwrap_or_default();
    words.iter().map(|(name, word)| (name.clone(), number(word))).collect()
}

/// The share of pairs that stand in the order of the truth.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn in_order(found: &Words, truth: &Words) -> f64 {
    let place =
        |word: Option<&String>| ["edge", "application", "data"].iter().position(|it| word.is_some_and(|w| w == it));
    let (mut right, mut all) = (0, 0);
    for (a, of_a) in truth {
        for (b, of_b) in truth.iter().filter(|(b, _)| *b > a) {
            let Some((true_a, true_b)) = place(Some(of_a)).zip(place(Some(of_b))) else { continue };
            let pair = place(found.get(a)).zip(place(found.get(b)));
            all += 1;
            right += usize::from(pair.is_some_and(|(x, y)| x.cmp(&y) == true_a.cmp(&true_b)));
        }
    }
    right as f64 / f64::from(all.max(1))
}
