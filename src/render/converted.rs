//! Converted policies as documents, and what a person reads before they are applied.

use std::fmt::Write;

use super::{Document, RenderError, head, kubernetes, words};
use crate::{
    convert::{Asked, Converted, Remark, Target},
    model::words::{count, noun},
    policy::Tier,
};

/// The document that is read first.
pub const CONVERTED_REVIEW: &str = "REVIEW.md";

/// A document for each policy, in the folder of its namespace, with the comment that it had and with what is not the same.
/// `comment` gives the lines that stood before a policy, each with its `#`.
pub fn converted(all: &[Converted], comment: &dyn Fn(&Converted) -> String) -> Result<Vec<Document>, RenderError> {
    let one = |it: &Converted| {
        let path = format!("{}/{}.yaml", it.namespace, it.name);
        let mut head = still_so(&comment(it), it);
        if !it.remarks.is_empty() {
            head.push_str("#\n");
        }
        let differences = it.differences().map(|remark| ("NOT THE SAME", remark));
        for (what, remark) in differences.chain(it.without_names().map(|remark| ("WITHOUT NAMES", remark))) {
            let _ = writeln!(head, "# {what}: {}", words::safe(&remark.to_string()));
        }
        let heads = std::iter::once(head.as_str()).chain(std::iter::repeat(""));
        let texts = heads.zip(&it.objects).map(|(head, object)| kubernetes::document(&path, head, &[], object));
        let text = texts.collect::<Result<Vec<_>, _>>()?.join("---\n");
        Ok(Document { path, text })
    };
    all.iter().map(one).collect()
}

/// A comment without what the names of a policy have made wrong: of their other addresses it says that they are not allowed.
fn still_so(comment: &str, it: &Converted) -> String {
    let is_wrong = |line: &str| {
        let other = line.trim_end().strip_suffix(head::NOT_ALLOWED).and_then(|line| line.split_once(" was also at "));
        let name = other.map(|(name, _)| name.trim_start_matches(['#', ' ']));
        name.is_some_and(|name| it.asked.iter().any(|asked| asked.name.as_str() == name))
    };
    comment.split_inclusive('\n').filter(|line| !is_wrong(line)).collect()
}

/// What is not the same, and how to go on. `folder` is where the documents are.
#[must_use]
pub fn converted_review(all: &[Converted], target: Target, folder: &str) -> Document {
    let mut text = format!("# NetworkPolicies as {}\n\n", noun(2, target.kind()));
    let namespaces: std::collections::BTreeSet<&str> = all.iter().map(|it| it.namespace.as_str()).collect();
    let _ = writeln!(
        text,
        "{} of {}. On what each rests is told by its comment, and by the `REVIEW.md` that flowmap wrote beside the \
         NetworkPolicies.\n",
        count(all.iter().map(|it| it.objects.len() as u64).sum(), target.kind()),
        count(namespaces.len() as u64, "namespace"),
    );
    text.push_str("## What is not the same\n\n");
    let differences: Vec<_> = all.iter().flat_map(|it| it.differences().map(move |remark| (it, remark))).collect();
    if differences.is_empty() {
        text.push_str("Nothing: what these allow, the NetworkPolicies allow, and the other way round.\n");
    }
    list(&mut text, differences);
    let without: Vec<_> = all.iter().flat_map(|it| it.without_names().map(move |remark| (it, remark))).collect();
    if !without.is_empty() {
        text.push_str("\n## Without names\n\n");
        list(&mut text, without);
    }
    let has_names = all.iter().any(|it| !it.asked.is_empty());
    if has_names {
        names(&mut text, all);
    }
    unused(&mut text, all);
    text.push_str("\n## Before you apply them\n\n");
    let folder = words::quoted(folder);
    for line in order(target).iter().chain(steps(target)).chain(if has_names { OF_NAMES } else { &[] }) {
        let line = line.replace("FOLDER", &folder).replace("PRIORITIES", &priorities(target));
        let _ = writeln!(text, "- {line}");
    }
    Document { path: CONVERTED_REVIEW.to_owned(), text }
}

fn list(text: &mut String, remarks: Vec<(&Converted, &Remark)>) {
    for (it, remark) in remarks {
        let _ = writeln!(text, "- `{}/{}` {}.", it.namespace, it.name, words::safe(&remark.to_string()));
    }
}

/// What of names is to be seen to.
const OF_NAMES: &[&str] = &[
    "Names are learnt from what Cilium's DNS proxy sees, which needs `enable-l7-proxy`: `cilium-dbg fqdn cache list` in the agent's pod \
     lists them.",
    "Where pods ask a cache of names on their own node (NodeLocal DNSCache), lead them to one that runs as a pod by a \
     CiliumLocalRedirectPolicy, and allow that pod on port 53 by a NetworkPolicy: of what is asked on the node itself the proxy learns \
     nothing.",
];

/// Which names are allowed, and on what each rests.
fn names(text: &mut String, all: &[Converted]) {
    text.push_str(
        "\n## Names\n\nWhatever addresses these have later is allowed too, on these ports. DNS answered them to the pods, which then used \
         them there over TLS or HTTP: whoever can make the pods call a name of his can have put one here. Where one is not what these pods \
         need, convert again with `--without-name NAME`, which may repeat, or without `--names`.\n\n",
    );
    table(text, all, |it| &it.asked);
}

/// Which names are not, though DNS answered them.
fn unused(text: &mut String, all: &[Converted]) {
    let more: usize = all.iter().map(|it| it.unused.more).sum();
    let number = more + all.iter().map(|it| it.unused.first.len()).sum::<usize>();
    if number == 0 {
        return;
    }
    let _ = writeln!(
        text,
        "\n## Answered, and not seen in use\n\n{} not written: whoever can send to a pod can make such a name up. Add it by hand where you \
         know it, in a policy of your own.\n",
        count(number as u64, "name"),
    );
    table(text, all, |it| &it.unused.first);
    if more > 0 {
        let _ = writeln!(text, "\n{} not listed.", count(more as u64, "more name"));
    }
}

fn table<'c>(text: &mut String, all: &'c [Converted], of: impl Fn(&'c Converted) -> &'c [Asked]) {
    text.push_str(
        "| policy | ports | name | was then | also at | asked by | answers | first | last |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for (it, asked) in all.iter().flat_map(|it| of(it).iter().map(move |asked| (it, asked))) {
        let Asked { name, ports, addresses, also_at, askers, times, span } = asked;
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let also_at: Vec<String> = also_at.iter().map(ToString::to_string).collect();
        let askers: Vec<&str> = askers.iter().map(String::as_str).collect();
        let _ = writeln!(
            text,
            "| `{}/{}` | {} | `{name}` | {} | {} | {} | {times} | {} | {} |",
            it.namespace,
            it.name,
            words::safe(ports),
            first_of(&addresses),
            first_of(&also_at),
            words::safe(&first_of(&askers)),
            words::minute(span.first),
            words::minute(span.last),
        );
    }
}

/// So many addresses or clients of a name are written out.
const MAX_LISTED: usize = 4;

fn first_of<T: AsRef<str>>(all: &[T]) -> String {
    let (first, more) = all.split_at(all.len().min(MAX_LISTED));
    let text = first.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    if more.is_empty() { text } else { format!("{text} and {} more", more.len()) }
}

/// `priorities 100 to 103 of the Baseline tier`, for policies that have such.
fn priorities(target: Target) -> String {
    let Target::ClusterNetworkPolicy(slot) = target else { return String::new() };
    format!("priorities {} to {} of the {} tier", slot.priority, slot.last(), slot.tier.as_str())
}

/// What comes before and after them, where that is a question.
fn order(target: Target) -> &'static [&'static str] {
    let Target::ClusterNetworkPolicy(slot) = target else { return &[] };
    match slot.tier {
        Tier::Admin => &[
            "They deny what the NetworkPolicies did not allow, and pass the rest on to the NetworkPolicies that are in the cluster. Where \
             none of these isolates a pod, the Baseline tier decides, and without one all of that is allowed.",
        ],
        Tier::Baseline => &[
            "They are asked where no NetworkPolicy isolates a pod. Where one does, it decides alone. So where the NetworkPolicies that these \
             were made of are in the cluster, apply these first, which changes nothing, and delete those afterwards.",
        ],
    }
}

fn steps(target: Target) -> &'static [&'static str] {
    match target {
        Target::Cilium => &[
            "Apply one form alone. Where the NetworkPolicies are in the cluster as well, whatever either form allows passes.",
            "Cilium 1.16 or newer for ranges of ports; older ones take such a rule for its first port.",
            "`kubectl apply --dry-run=server -R -f FOLDER` asks the API server. `policy-audit-mode` in Cilium's configuration enforces \
             nothing and shows in `hubble observe --verdict AUDIT` what would be denied.",
            "A pod's own node always reaches it, unless `allow-localhost` says `policy`.",
            "Edit the NetworkPolicies, not these, and convert them again: what was edited here is not overwritten.",
        ],
        Target::CalicoStaged => &[
            "Calico 3.30 or newer, with its API server.",
            "`kubectl apply -R -f FOLDER`: nothing of it is enforced. Calico's flow logs name, as pending policies, the staged ones that \
             would deny a connection.",
            "Once they deny nothing that is needed, apply the NetworkPolicies themselves, then `kubectl delete -R -f FOLDER`.",
            "Edit the NetworkPolicies, not these, and convert them again: what was edited here is not overwritten.",
        ],
        Target::ClusterNetworkPolicy(_) => &[
            "They take the PRIORITIES: no other policy of that tier may have one of these. `--priority` moves them.",
            "Apply all of them or none: what one allows another may close, such as the default deny of its namespace.",
            "Pods on their node's network are neither subjects nor peers. An ipBlock reaches no pod and no Service, whatever the network \
             plugin makes of one: name the pods by labels in the NetworkPolicies.",
            "The cluster needs the definitions of network-policy-api 0.2 or newer, and a network plugin that enforces them. In their \
             standard channel ports have no names, and in older ones there were no networks: `kubectl apply --dry-run=server -R -f FOLDER` \
             asks the API server.",
            "An object that a later conversion no longer writes stays in the cluster until you delete it: `kubectl get \
             clusternetworkpolicies` lists all of them.",
            "Edit the NetworkPolicies, not these, and convert them again: what was edited here is not overwritten.",
        ],
    }
}
