//! Labels to add, for what no label tells from others, or none that lasts, with the patch that adds them.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::{
    model::WorkloadRef,
    recommend::{Missing, NamespacePlan},
    render::words,
};

pub(super) fn section(text: &mut String, plan: &NamespacePlan) {
    let groups = plan.groups.iter().filter(|group| group.residue_of.is_none());
    let missing: Vec<&Missing> = groups.flat_map(|group| &group.missing).collect();
    if missing.is_empty() {
        return;
    }
    text.push_str("### Labels to add\n\n");
    for missing in &missing {
        let is_shared = |name: &str| missing.values.keys().filter(|member| member.name == name).count() > 1;
        let with_kind = |member: &WorkloadRef| format!("{} ({})", member.name, member.kind);
        let called =
            |member: &WorkloadRef| if is_shared(&member.name) { with_kind(member) } else { member.name.clone() };
        let names: Vec<String> = missing.values.keys().map(called).collect();
        // writing to a String cannot fail
        let _ = match (names.as_slice(), &missing.until_release) {
            (_, Some(label)) => writeln!(
                text,
                "- **Only its release tells {} from others:** it is selected by {}, which its next release has another value of, and then no policy \
                 lets it talk.",
                words::safe(&names.join(" and ")),
                words::safe(label)
            ),
            ([one], None) => writeln!(
                text,
                "- **No label says who {} is:** it is selected by what it lacks. A pod that has no more labels than it would be taken for it.",
                words::safe(one)
            ),
            (all, None) => writeln!(
                text,
                "- **No stable label tells {} apart:** they share one policy. Give each a label of its own.",
                words::safe(&all.join(" and "))
            ),
        };
    }
    text.push_str(
        "\nThe next proposal uses these labels. Where manifests are kept elsewhere, set them there:\n\n```sh\n",
    );
    for missing in missing {
        for (member, value) in &missing.values {
            let _ = writeln!(text, "{}", command(member, &missing.key, value));
        }
    }
    text.push_str("```\n\n");
}

/// What adds a label to a workload and to its next pods.
fn command(workload: &WorkloadRef, key: &str, value: &str) -> String {
    let WorkloadRef { namespace, name, kind } = workload;
    // what is no name that an API server takes never gets into a command
    let is_plain = |text: &str| text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-._/".contains(letter));
    if ![namespace, name, kind, value].into_iter().all(is_plain) {
        return format!("# {}: label {key}", words::safe(name));
    }
    let labels = json!({"metadata": {"labels": {key: value}}});
    let kind = kind.to_lowercase();
    let patch = |spec: Value| format!("kubectl -n {namespace} patch {kind} {name} --type merge -p '{spec}'");
    match kind.as_str() {
        "pod" => format!("kubectl -n {namespace} label pod {name} {key}={value}"),
        "job" => format!("# Job {name}: its template cannot be changed, set {key}={value} where it is made"),
        "cronjob" => patch(json!({"spec": {"jobTemplate": {"spec": {"template": labels}}}})),
        _ => patch(json!({"spec": {"template": labels}})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: &str, name: &str) -> String {
        let workload = WorkloadRef { namespace: "shop".into(), name: name.into(), kind: kind.into() };
        command(&workload, "app.kubernetes.io/name", "web")
    }

    #[test]
    fn a_template_is_patched_where_the_kind_has_it() {
        let labels = r#"{"metadata":{"labels":{"app.kubernetes.io/name":"web"}}}"#;
        assert_eq!(
            of("Deployment", "web"),
            format!(r#"kubectl -n shop patch deployment web --type merge -p '{{"spec":{{"template":{labels}}}}}'"#)
        );
        assert!(of("CronJob", "web").contains(&format!(r#"{{"jobTemplate":{{"spec":{{"template":{labels}}}}}}}"#)));
        assert_eq!(of("Pod", "web"), "kubectl -n shop label pod web app.kubernetes.io/name=web");
    }

    #[test]
    fn a_hostile_name_never_gets_into_a_command() {
        assert_eq!(of("Deployment", "x'; rm -rf /"), "# x'; rm -rf /: label app.kubernetes.io/name");
    }
}
