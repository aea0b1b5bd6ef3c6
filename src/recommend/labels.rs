//! Which labels may select, and which are liked best.

/// Keys that change from one pod, revision, run or place to the next, or tell a release and not a role.
const VOLATILE: [&str; 32] = [
    "apps.kubernetes.io/pod-index",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/version",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-completion-index",
    "batch.kubernetes.io/job-name",
    "build-id",
    "build-number",
    "chart",
    "commit",
    "controller-revision-hash",
    "controller-uid",
    "deployment.kubernetes.io/revision",
    "git-commit",
    "git-sha",
    "deploy-date",
    "helm.sh/chart",
    "helm.sh/revision",
    "heritage",
    "image-tag",
    "job-completion-index",
    "job-name",
    "jobset.sigs.k8s.io/restart-attempt",
    "leaderworkerset.sigs.k8s.io/worker-index",
    "pod-template-generation",
    "pod-template-hash",
    "region",
    "rollouts-pod-template-hash",
    "service.istio.io/canonical-revision",
    "statefulset.kubernetes.io/pod-name",
    "training.kubeflow.org/replica-index",
    "zone",
];

/// Keys of places, whatever comes after.
const PLACES: [&str; 3] = ["topology.", "failure-domain.", "beta.kubernetes.io/"];

/// What keys of revisions and runs end with, whoever made them.
const ENDS: [&str; 7] = ["/hash", "-hash", "/revision", "-revision", "/uid", "-uid", "checksum"];

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

/// Tells workloads apart only where nothing else does, as the versions of one service that run side by side.
pub(super) const VERSION: &str = "version";

/// Whether a key never selects: the next pod may have another value.
pub(super) fn is_volatile(key: &str) -> bool {
    VOLATILE.contains(&key)
        || PLACES.iter().any(|place| key.starts_with(place))
        || ENDS.iter().any(|end| key.ends_with(end))
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
        ] {
            assert!(is_volatile(key), "{key}");
        }
        for key in ["app", "app.kubernetes.io/name", "tier", "version", "release", "track"] {
            assert!(!is_volatile(key), "{key}");
        }
    }
}
