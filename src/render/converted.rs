//! Converted policies as documents, and what a person reads before they are applied.

use std::fmt::Write;

use super::{Document, RenderError, kubernetes, words};
use crate::{
    convert::{Converted, Target},
    model::words::{count, noun},
};

/// The document that is read first.
pub const CONVERTED_REVIEW: &str = "REVIEW.md";

/// A document for each policy, in the folder of its namespace, with the comment that it had and with what is not the same.
/// `comment` gives the lines that stood before a policy, each with its `#`.
pub fn converted(all: &[Converted], comment: &dyn Fn(&Converted) -> String) -> Result<Vec<Document>, RenderError> {
    let one = |it: &Converted| {
        let path = format!("{}/{}.yaml", it.namespace, it.name);
        let mut head = comment(it);
        if !it.remarks.is_empty() {
            head.push_str("#\n");
        }
        for remark in &it.remarks {
            let _ = writeln!(head, "# NOT THE SAME: {}", words::safe(&remark.to_string()));
        }
        let text = kubernetes::document(&path, &head, &[], &it.object)?;
        Ok(Document { path, text })
    };
    all.iter().map(one).collect()
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
        count(all.len() as u64, target.kind()),
        count(namespaces.len() as u64, "namespace"),
    );
    text.push_str("## What is not the same\n\n");
    let remarks: Vec<_> = all.iter().flat_map(|it| it.remarks.iter().map(move |remark| (it, remark))).collect();
    if remarks.is_empty() {
        text.push_str("Nothing: what these allow, the NetworkPolicies allow, and the other way round.\n");
    }
    for (it, remark) in remarks {
        let _ = writeln!(text, "- `{}/{}` {}.", it.namespace, it.name, words::safe(&remark.to_string()));
    }
    text.push_str("\n## Before you apply them\n\n");
    let folder = words::quoted(folder);
    for line in steps(target) {
        let _ = writeln!(text, "- {}", line.replace("FOLDER", &folder));
    }
    Document { path: CONVERTED_REVIEW.to_owned(), text }
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
    }
}
