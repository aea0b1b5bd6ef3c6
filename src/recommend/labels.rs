//! Which labels may select, and which are liked best.

/// Keys that change from one pod, revision, run or place to the next, or tell a release and not a role.
const VOLATILE: [&str; 52] = [
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
    "image-tag",
    "job-completion-index",
    "job-name",
    "jobset.sigs.k8s.io/restart-attempt",
    "leaderworkerset.sigs.k8s.io/worker-index",
    "map_index",
    "pipeline/runid",
    "pod-template-generation",
    "pod-template-hash",
    "region",
    "rollouts-pod-template-hash",
    "run_id",
    "runner-pod",
    "service.istio.io/canonical-revision",
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

/// Whether a label tells a release: the next one will have another value. It tells workloads apart only where nothing else does,
/// as the versions of one service that run side by side.
pub(super) fn tells_a_release(key: &str, value: &str) -> bool {
    let is_like_one = || is_number_of_version(value) || is_date_or_count(value) || is_commit(value);
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
        for value in
            ["1.4", "v2.0.1", "2.0.1-rc.1", "2026-11-01", "20261101-1530", "482131", "9fceb02", "0a1b2c3d4e5f60718"]
        {
            assert!(tells_a_release("build", value), "{value}");
        }
        for value in ["", "v1", "stable", "8080", "a.b", "1.x", "web-1", "defaced", "facade", "db-01", "eu-1"] {
            assert!(!tells_a_release("build", value), "{value}");
        }
        assert!(tells_a_release("version", "v1"));
    }
}
