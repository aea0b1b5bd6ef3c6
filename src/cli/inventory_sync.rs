//! `flowmap inventory sync`: who is who, from a live cluster.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{
    Done, Fault,
    common::SiteArg,
    fault::printable,
    sync_follow::{Stop, follow},
    sync_keep::Keeper,
    sync_state::SyncState,
    who::print_problems,
};
use crate::{
    clock,
    cluster::{Access, AccessError, Cluster, ClusterError, Listed, Target},
    inventory::Problem,
    model::{Scope, Timestamp},
    store::{Store, Watch},
};

/// How often it is tried to list a cluster anew, for a store that is another than before.
const LIST_AGAIN_EVERY: Duration = Duration::from_secs(5);

/// Read who is who from a live cluster, once or for as long as it runs.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap inventory sync                           # from kubectl's context
  flowmap inventory sync --context prod --watch    # follow it until Ctrl-C
  flowmap inventory sync -n shop                   # one namespace alone
  kubectl apply -f deploy/rbac.yaml                # its rights, in a pod

The kubeconfig is that of --kubeconfig, else of KUBECONFIG, else ~/.kube/config; in a pod it is the service account. \
A second cluster is a second site: give it a name with --site.")]
pub(super) struct Args {
    /// The context of the kubeconfig to use [default: its current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The kubeconfig file
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Only this namespace; may be given several times
    #[arg(short, long, value_name = "NS")]
    namespace: Vec<String>,
    /// Follow the cluster until Ctrl-C or SIGTERM, and write changes to the store every few seconds
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    site: SiteArg,
}

pub(super) async fn run(store: &Store, path: &Path, args: Args) -> anyhow::Result<Done> {
    let access = Access { kubeconfig: args.kubeconfig, context: args.context };
    let cluster = Arc::new(access.connect().await.map_err(access_fault)?);
    let targets = Target::all(&args.namespace);
    let mut listing = Listing::of(&cluster, &targets).await?;
    let mut keeper = Keeper::new(store.clone(), path);
    keeper.begin(listing.watch(&cluster, &args.site.site)).await?;
    if !args.watch {
        return Ok(Done::Clean);
    }
    keeper.be_patient().await;
    let mut stop = Stop::new()?;
    while let Some(again) = follow(keeper, &cluster, listing, &mut stop).await? {
        let Some(list) = list_again(&cluster, &targets, &mut stop).await else { break };
        (keeper, listing) = (again, list);
        keeper.begin_later(listing.watch(&cluster, &args.site.site));
    }
    Ok(Done::Clean)
}

/// All that there is, as it was listed.
pub(super) struct Listing {
    /// Before the first list was asked for.
    taken_at: Timestamp,
    pub lists: Vec<(Target, Listed)>,
    pub state: SyncState,
}

impl Listing {
    async fn of(cluster: &Cluster, targets: &[Target]) -> anyhow::Result<Self> {
        let taken_at = clock::now();
        let lists = list_all(cluster, targets).await?;
        report(cluster.name(), &lists);
        let mut state = SyncState::default();
        for (target, listed) in &lists {
            state.begin(target.kind, listed.answered, &listed.objects);
        }
        Ok(Self { taken_at, lists, state })
    }

    fn watch(&self, cluster: &Cluster, site: &str) -> Watch {
        Watch {
            site: site.to_owned(),
            source: cluster.name().to_owned(),
            taken_at: self.taken_at,
            complete: scope(&self.lists),
            objects: self.state.bodies(),
        }
    }
}

/// Lists anew, as often as it takes; none where it is told to stop.
async fn list_again(cluster: &Cluster, targets: &[Target], stop: &mut Stop) -> Option<Listing> {
    let mut is_said = false;
    loop {
        let listed = tokio::select! {
            listed = Listing::of(cluster, targets) => listed,
            () = stop.told() => return None,
        };
        match listed {
            Ok(listing) => return Some(listing),
            Err(error) if !is_said => {
                is_said = true;
                warnln!("flowmap: {}", printable(&format!("{error:#}; trying again")));
            }
            Err(_) => {}
        }
        tokio::select! {
            () = tokio::time::sleep(LIST_AGAIN_EVERY) => {}
            () = stop.told() => return None,
        }
    }
}

/// Lists what may be listed. Kinds that the cluster lacks are left out; those that may not be listed are named.
async fn list_all(cluster: &Cluster, targets: &[Target]) -> anyhow::Result<Vec<(Target, Listed)>> {
    let (mut lists, mut refused) = (Vec::<(Target, Listed)>::new(), Vec::<(&Target, String)>::new());
    for target in targets {
        let mut is_told = lists.iter().map(|(known, _)| known).chain(refused.iter().map(|(known, _)| *known));
        if is_told.any(|known| known.is_version_of(target)) {
            continue;
        }
        match cluster.list(target).await {
            Ok(listed) => lists.push((target.clone(), listed)),
            Err(ClusterError::Forbidden(why)) => refused.push((target, why)),
            // every API server has pods
            Err(ClusterError::NotFound) if target.kind.name != "Pod" => {}
            Err(error) => return Err(list_fault(cluster, target, &error).into()),
        }
    }
    if let Some((target, why)) = refused.first().filter(|_| lists.is_empty()) {
        let why = format!("nothing of it may be listed (403): {target}: {why}");
        return Err(Fault::new(context(cluster), why).hint(RBAC_HINT).into());
    }
    for (target, why) in &refused {
        warnln!("flowmap: {}", printable(&format!("{target}: may not be listed (403), and is not known: {why}")));
    }
    if !refused.is_empty() {
        let rules: Vec<String> = refused.iter().map(|(target, _)| format!("`{target} list, watch`")).collect();
        warnln!("hint: the rest is read; missing are the rights {}, see deploy/rbac.yaml", rules.join(", "));
    }
    Ok(lists)
}

const RBAC_HINT: &str = "`kubectl apply -f deploy/rbac.yaml` makes a service account with the rights that are needed";

fn scope(lists: &[(Target, Listed)]) -> Scope {
    let mut scope = Scope::default();
    for (Target { kind, namespace }, _) in lists {
        match namespace {
            Some(namespace) => scope.add(kind.name, namespace),
            None => scope.add_everywhere(kind.name),
        }
    }
    scope
}

fn report(name: &str, lists: &[(Target, Listed)]) {
    let count = |kind: &str| -> usize {
        let of_kind = lists.iter().filter(|(target, _)| target.kind.name == kind);
        of_kind.map(|(_, listed)| listed.objects.len()).sum()
    };
    let counts = [("Namespace", "namespaces"), ("Node", "nodes"), ("Pod", "pods"), ("Service", "services")];
    let found: Vec<String> = counts.iter().map(|(kind, plural)| format!("{} {plural}", count(kind))).collect();
    warnln!("{}: {}", printable(name), found.join(", "));
    let problems: Vec<Problem> = lists.iter().flat_map(|(_, listed)| listed.problems.iter().cloned()).collect();
    print_problems(&printable(name), &problems, 0);
}

fn context(cluster: &Cluster) -> String {
    format!("context {} at {}", cluster.name(), cluster.server())
}

pub(super) fn reason(error: &ClusterError) -> String {
    match error {
        ClusterError::Unauthorized(why) => format!("the credentials are not accepted (401): {why}"),
        ClusterError::Forbidden(why) => format!("not permitted (403): {why}"),
        other => other.to_string(),
    }
}

/// Why a list that everything depends on was not had.
fn list_fault(cluster: &Cluster, target: &Target, error: &ClusterError) -> Fault {
    let what = context(cluster);
    match error {
        ClusterError::Unauthorized(_) => {
            Fault::new(what, reason(error)).hint("sign in again, or name another context with --context")
        }
        ClusterError::NotFound | ClusterError::Malformed(_) => {
            Fault::new(what, format!("no Kubernetes API server answers there: {target}: {error}"))
                .hint("see `server` of the cluster in the kubeconfig")
        }
        ClusterError::Unreachable(why) if is_tls(why) => Fault::new(what, format!("TLS: {why}"))
            .hint("see `server` and `certificate-authority-data` of the cluster in the kubeconfig"),
        ClusterError::Unreachable(why) => {
            Fault::new(what, format!("cannot be reached: {why}")).hint("is it up, and is there a way to it from here?")
        }
        other => Fault::new(what, format!("{target}: {other}")),
    }
}

/// What rustls says of certificates, and of servers that do not speak TLS.
fn is_tls(why: &str) -> bool {
    ["certificate", "corrupt message", "handshake", "tls", "TLS"].iter().any(|word| why.contains(word))
}

fn access_fault(error: AccessError) -> Fault {
    match error {
        AccessError::Nowhere => Fault::new("kubeconfig", "there is none, and this is no pod with a service account")
            .hint("name one with --kubeconfig or KUBECONFIG"),
        AccessError::NoContext { wanted, known } => {
            let hint = if known.is_empty() { "it has none".into() } else { format!("it has {}", known.join(", ")) };
            Fault::new(format_args!("--context {wanted}"), "the kubeconfig has no such context").hint(hint)
        }
        AccessError::NoCurrentContext => Fault::new("kubeconfig", "no context is current")
            .hint("name one with --context; `kubectl config get-contexts` lists them"),
        AccessError::Kubeconfig(why) => {
            Fault::new("kubeconfig", why).hint("name another with --kubeconfig or KUBECONFIG")
        }
        AccessError::Proxy(why) => Fault::new("proxy", why)
            .hint("it is `proxy-url` of the cluster in the kubeconfig, else HTTPS_PROXY; NO_PROXY excepts servers"),
        AccessError::Credentials(why) => Fault::new("kubeconfig", format!("the credentials cannot be had: {why}")),
    }
}
