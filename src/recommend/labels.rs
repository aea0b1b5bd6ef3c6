//! Which labels may select, and which are liked best.

use crate::model::{Labels, Pod};

/// Keys that change from one pod, revision, run or place to the next, or tell a release and not a role.
const VOLATILE: [&str; 59] = [
    "airflow-worker",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/version",
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-completion-index",
    "batch.kubernetes.io/job-name",
    "build-id",
    "build-number",
    "buildkite.com/job-uuid",
    "chart",
    "commit",
    "controller-revision-hash",
    "controller-uid",
    "deploy-date",
    "deployment.kubernetes.io/revision",
    "emr-containers.amazonaws.com/job.id",
    "execution_date",
    "git-commit",
    "git-sha",
    "helm.sh/chart",
    "helm.sh/revision",
    "heritage",
    "hub.jupyter.org/servername",
    "hub.jupyter.org/username",
    "image-tag",
    "jenkins/label-digest",
    "job-completion-index",
    "job-name",
    "jobset.sigs.k8s.io/restart-attempt",
    "kubevirt.io/created-by",
    "kubevirt.io/nodeName",
    "leaderworkerset.sigs.k8s.io/worker-index",
    "map_index",
    "moniker.spinnaker.io/sequence",
    "pipeline/runid",
    "pod-template-generation",
    "pod-template-hash",
    "region",
    "rollouts-pod-template-hash",
    "run_id",
    "runner-pod",
    "service.istio.io/canonical-revision",
    "serving.knative.dev/configurationGeneration",
    "spark-app-selector",
    "spark-exec-id",
    "spark-exec-resourceprofile-id",
    "sparkoperator.k8s.io/submission-id",
    "statefulset.kubernetes.io/pod-name",
    "tekton.dev/customRun",
    "tekton.dev/pipelineRun",
    "tekton.dev/taskRun",
    "training.kubeflow.org/job-name",
    "training.kubeflow.org/replica-index",
    "triggers.tekton.dev/triggers-eventid",
    "try_number",
    "workflows.argoproj.io/completed",
    "workflows.argoproj.io/workflow",
    "zone",
];

/// What keys of places begin with, and those of a runner's jobs, whatever comes after.
const BEGINNINGS: [&str; 4] = ["topology.", "failure-domain.", "beta.kubernetes.io/", "job.runner.gitlab.com/"];

/// What keys of revisions and runs end with, whoever made them.
const ENDS: [&str; 8] = ["/hash", "-hash", "/revision", "-revision", "/uid", "-uid", "UID", "checksum"];

/// Keys by which people name a role, best first.
const PREFERRED: [&str; 8] = [
    "app.kubernetes.io/name",
    "app",
    "k8s-app",
    "app.kubernetes.io/component",
    "component",
    "name",
    "app.kubernetes.io/instance",
    "run",
];

/// Whether a key never selects: the next pod may have another value.
pub(super) fn is_volatile(key: &str) -> bool {
    VOLATILE.contains(&key)
        || BEGINNINGS.iter().any(|beginning| key.starts_with(beginning))
        || ENDS.iter().any(|end| key.ends_with(end))
}

/// Whether a key numbers the revisions of one application, each of which is a workload of its own: Knative's and Spinnaker's.
pub(super) fn tells_a_revision(key: &str) -> bool {
    matches!(key, "moniker.spinnaker.io/sequence" | "serving.knative.dev/revision")
}

/// The labels of a pod or a template that may select: not those whose keys never do, nor those whose value is the next
/// revision's or run's no longer by what stands beside it.
pub(super) fn stable(labels: &Labels) -> Labels {
    let lasts = |(key, value): &(&String, &String)| !is_volatile(key) && !is_of_revision(key, value, labels);
    labels.0.iter().filter(lasts).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The labels that may select and that the next pod of the same owner will have, too: not those that name this one.
pub(super) fn shared_with_the_next(pod: &Pod) -> Labels {
    let mut labels = stable(&pod.labels);
    labels.0.retain(|_, value| !names_the_pod(value, pod));
    labels
}

/// Whether a value is a pod's name, or the end of it with its ordinal: `kafka-0` or `0` of `prod-kafka-0`. Its owner's name is none: all
/// pods of the owner have it, and one that nobody owns is made anew under its own.
fn names_the_pod(value: &str, pod: &Pod) -> bool {
    let is_end = || pod.name.strip_suffix(value).is_some_and(|before| before.ends_with('-'));
    let ordinal = || value.rsplit('-').next().is_some_and(is_number);
    let is_owned = pod.name != pod.workload.name;
    is_owned && value != pod.workload.name && (value == pod.name || is_end() && ordinal())
}

/// Whether a label is of one revision or run alone, though its key does not say so: Knative sets `app` to the name of the
/// revision where nobody else does, `OpenShift`'s `DeploymentConfig` names its replication controllers in `deployment`, and
/// Jenkins calls the agents of one build `JOB_BUILD-RANDOM` (`jenkins/label`).
fn is_of_revision(key: &str, value: &str, labels: &Labels) -> bool {
    match key {
        "app" => labels.get("serving.knative.dev/revision") == Some(value),
        "deployment" => labels.get("deploymentconfig").is_some(),
        "jenkins/label" => is_of_build(value),
        _ => false,
    }
}

/// `shop_41-x7k2p`: what Jenkins' Kubernetes plugin calls the agents of a build whose pipeline gives them no name.
fn is_of_build(value: &str) -> bool {
    let parts = value.rsplit_once('-').and_then(|(build, random)| Some((build.rsplit_once('_')?.1, random)));
    parts.is_some_and(|(number, random)| {
        let is_random = !random.is_empty() && random.len() <= 5 && random.bytes().all(|b| b.is_ascii_alphanumeric());
        is_number(number) && is_random
    })
}

/// Whether a value is digits alone: mostly a count of something, and liked least.
pub(super) fn is_number(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a label tells a release: the next one will have another value. It tells workloads apart only where nothing else does,
/// as the versions of one service that run side by side.
pub(super) fn tells_a_release(key: &str, value: &str) -> bool {
    let is_like_one = || is_number_of_version(value) || is_date_or_count(value) || is_commit(value) || is_unique(value);
    key == "version" || !names_a_role(key) && is_like_one()
}

/// `1.4`, `v2.0.1`, `2.0.1-rc.1`: semver.org, with two numbers or more.
fn is_number_of_version(value: &str) -> bool {
    let numbers = value.strip_prefix('v').unwrap_or(value).split(['-', '+', '_']).next().unwrap_or_default();
    numbers.contains('.')
        && numbers.split('.').all(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// `2026-11-01`, `20261101`, `20261101-1530`, the number of a build, seconds since 1970: digits, six or more of them.
fn is_date_or_count(value: &str) -> bool {
    value.bytes().filter(u8::is_ascii_digit).count() >= 6
        && value.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'_' | b'T' | b'Z'))
}

/// Seven or more hexadecimal digits, letters and numbers among them: as git shortens the names of commits.
fn is_commit(value: &str) -> bool {
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    value.len() >= 7
        && value.bytes().all(is_hex)
        && value.bytes().any(|b| b.is_ascii_digit())
        && value.bytes().any(|b| b.is_ascii_lowercase())
}

/// A UUID (RFC 9562): whatever is made next has another one.
fn is_unique(value: &str) -> bool {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let is_hex = |group: &str| group.bytes().all(|b| b.is_ascii_hexdigit());
    value.split('-').map(str::len).eq(GROUPS) && value.split('-').all(is_hex)
}

/// Whether people name a role by a key.
pub(super) fn names_a_role(key: &str) -> bool {
    PREFERRED.contains(&key)
}

/// Whether a key names an application by itself: components and releases of several may be called alike.
pub(super) fn names_an_application(key: &str) -> bool {
    const PARTS: [&str; 3] = ["app.kubernetes.io/component", "component", "app.kubernetes.io/instance"];
    names_a_role(key) && !PARTS.contains(&key)
}

/// How well a key is liked, 0 best: after the names of roles come the keys by which the owner itself finds its pods,
/// for they can never change.
pub(super) fn preference(key: &str, is_owners: bool) -> usize {
    let after = PREFERRED.len() + usize::from(!is_owners);
    PREFERRED.iter().position(|preferred| *preferred == key).unwrap_or(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_revisions_runs_and_places_never_select() {
        for key in [
            "pod-template-hash",
            "rollouts-pod-template-hash",
            "controller-uid",
            "batch.kubernetes.io/job-name",
            "topology.kubernetes.io/zone",
            "failure-domain.beta.kubernetes.io/region",
            "apps.kubernetes.io/pod-index",
            "app.kubernetes.io/version",
            "helm.sh/chart",
            "serving.knative.dev/revision",
            "example.com/config-checksum",
            "workflows.argoproj.io/workflow",
            "tekton.dev/taskRunUID",
            "job.runner.gitlab.com/pod",
            "moniker.spinnaker.io/sequence",
            "kubevirt.io/created-by",
            "hub.jupyter.org/username",
        ] {
            assert!(is_volatile(key), "{key}");
        }
        for key in
            ["app", "app.kubernetes.io/name", "tier", "version", "release", "track", "tekton.dev/task", "spark-role"]
        {
            assert!(!is_volatile(key), "{key}");
        }
    }

    #[test]
    fn values_tell_releases_whatever_their_key_is_called() {
        for value in [
            "1.4",
            "v2.0.1",
            "2.0.1-rc.1",
            "2026-11-01",
            "20261101-1530",
            "482131",
            "9fceb02",
            "0a1b2c3d4e5f60718",
            "5b0e7d10-93c4-4a6e-9f1d-2c8b7a6e5d40",
        ] {
            assert!(tells_a_release("build", value), "{value}");
        }
        for value in ["", "v1", "stable", "8080", "a.b", "1.x", "web-1", "defaced", "facade", "db-01", "eu-1"] {
            assert!(!tells_a_release("build", value), "{value}");
        }
        assert!(tells_a_release("version", "v1"));
    }

    #[test]
    fn labels_of_one_revision_or_build_do_not_last_whatever_their_key() {
        let kept = |labels: &[(&str, &str)]| -> Vec<String> {
            stable(&labels.iter().copied().collect()).0.into_keys().collect()
        };
        let knative =
            |app| [("app", app), ("serving.knative.dev/revision", "a-1"), ("serving.knative.dev/service", "a")];
        assert_eq!(kept(&knative("a-1")), ["serving.knative.dev/service"]);
        assert_eq!(kept(&knative("a")), ["app", "serving.knative.dev/service"], "somebody named it");
        assert_eq!(kept(&[("deployment", "web-3"), ("deploymentconfig", "web")]), ["deploymentconfig"]);
        assert_eq!(kept(&[("deployment", "web-3")]), ["deployment"], "of no DeploymentConfig");
        for (label, lasts) in
            [("shop_41-x7k2p", false), ("linux-agent", true), ("linux_64-agents", true), ("a_b-c", true)]
        {
            assert_eq!(kept(&[("jenkins/label", label)]).len(), usize::from(lasts), "{label}");
        }
    }
}
