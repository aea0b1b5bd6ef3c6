//! `flowmap inventory sync`: who is who, from a live cluster.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    task::JoinSet,
};

use super::{Done, Fault, common::SiteArg, fault::printable, sync_state::SyncState, who::print_problems};
use crate::{
    clock,
    cluster::{Access, AccessError, Cluster, ClusterError, Follower, Listed, News, Start, Target},
    inventory::Problem,
    model::{Scope, Timestamp},
    store::{Store, Watch, WatchId},
};

/// How often news are written to the store: what a crash can lose.
const FLUSH_INTERVAL: Duration = Duration::from_secs(5);

/// News that wait to be taken; where more come, the connections wait.
const NEWS_WAITING: usize = 1_024;

/// Problems that are printed while a watch goes on; the others are counted.
const MAX_PRINTED: usize = 10;

/// Read who is who from a live cluster, once or for as long as it runs
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap inventory sync                           # from kubectl's context
  flowmap inventory sync --context prod --watch    # follow it until Ctrl-C
  flowmap inventory sync -n shop                   # one namespace alone
  kubectl apply -f deploy/rbac.yaml                # its rights, in a pod

The kubeconfig is that of --kubeconfig, else of KUBECONFIG, else ~/.kube/config; in a pod it is the service account. \
A second cluster is a second site: give it a name with --site.")]
pub(super) struct Args {
    /// A context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The kubeconfig file
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Only this namespace; may be given several times
    #[arg(short, long, value_name = "NS")]
    namespace: Vec<String>,
    /// Go on until Ctrl-C or SIGTERM, and write what changes to the store every few seconds
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    site: SiteArg,
}

pub(super) async fn run(store: &Store, args: Args) -> anyhow::Result<Done> {
    let access = Access { kubeconfig: args.kubeconfig, context: args.context };
    let cluster = access.connect().await.map_err(access_fault)?;
    let taken_at = clock::now();
    let lists = list_all(&cluster, Target::all(&args.namespace)).await?;
    report(cluster.name(), &lists);
    let mut state = SyncState::default();
    for (_, listed) in &lists {
        state.begin(listed.answered, &listed.objects);
    }
    let watch = Watch {
        site: args.site.site,
        source: cluster.name().to_owned(),
        taken_at,
        complete: scope(&lists),
        objects: state.bodies(),
    };
    let id = store.begin_watch(&watch).await?;
    if args.watch {
        let starts = lists
            .into_iter()
            .map(|(target, listed)| (target, Start { version: listed.version, contact: listed.answered }));
        follow(store, id, Arc::new(cluster), starts.collect(), state).await?;
    }
    Ok(Done::Clean)
}

/// Lists what may be listed. Kinds that the cluster lacks are left out; those that may not be listed are named.
async fn list_all(cluster: &Cluster, targets: Vec<Target>) -> anyhow::Result<Vec<(Target, Listed)>> {
    let (mut lists, mut refused) = (Vec::<(Target, Listed)>::new(), Vec::<(Target, String)>::new());
    for target in targets {
        let is_told = lists.iter().map(|(known, _)| known).chain(refused.iter().map(|(known, _)| known));
        if is_told.into_iter().any(|known| known.is_version_of(&target)) {
            continue;
        }
        match cluster.list(&target).await {
            Ok(listed) => lists.push((target, listed)),
            Err(ClusterError::Forbidden(why)) => refused.push((target, why)),
            // every API server has pods
            Err(ClusterError::NotFound) if target.kind.name != "Pod" => {}
            Err(error) => return Err(list_fault(cluster, &target, &error).into()),
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

/// Follows all targets until a signal comes.
async fn follow(
    store: &Store,
    id: WatchId,
    cluster: Arc<Cluster>,
    starts: Vec<(Target, Start)>,
    state: SyncState,
) -> anyhow::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (sender, mut news) = mpsc::channel(NEWS_WAITING);
    let name = printable(cluster.name());
    let mut session = Session::new(name, state, starts.iter().map(|(target, _)| target.to_string()).collect());
    // dropped at the end, which ends them
    let mut followers = JoinSet::new();
    for (place, (target, start)) in starts.into_iter().enumerate() {
        followers.spawn(Follower::new(cluster.clone(), (place, target), Some(start), sender.clone()).run());
    }
    drop(sender);
    warnln!("{}: following; Ctrl-C stops", session.name);
    let mut flush = tokio::time::interval(FLUSH_INTERVAL);
    loop {
        tokio::select! {
            Some((place, news)) = news.recv() => session.take(place, news),
            _ = flush.tick() => session.flush(store, id).await?,
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
        }
    }
    session.flush(store, id).await?;
    session.report();
    Ok(())
}

/// A watch that goes on, and what is said of it.
struct Session {
    name: String,
    state: SyncState,
    targets: Vec<String>,
    /// Whether each target was last said to be lost.
    lost: Vec<bool>,
    changes: usize,
    problems: usize,
}

impl Session {
    fn new(name: String, state: SyncState, targets: Vec<String>) -> Self {
        Self { name, state, lost: vec![false; targets.len()], targets, changes: 0, problems: 0 }
    }

    fn take(&mut self, place: usize, news: News) {
        match &news {
            News::Failed(_, error) => self.set_lost(place, Some(error)),
            News::InSync(_) | News::Listed { .. } | News::Caught { is_all: true, .. } => self.set_lost(place, None),
            _ => {}
        }
        match &news {
            News::Problems(problems) => self.print_some(problems),
            News::Listed { listed, .. } => self.print_some(&listed.problems),
            _ => {}
        }
        self.state.take(place, news);
    }

    /// Says once that a target is lost, and once that it is found again.
    fn set_lost(&mut self, place: usize, error: Option<&ClusterError>) {
        let (Some(lost), Some(target)) = (self.lost.get_mut(place), self.targets.get(place)) else { return };
        let was_lost = std::mem::replace(lost, error.is_some());
        match error {
            Some(error) if !was_lost => {
                warnln!("flowmap: {}", printable(&format!("{target}: {}; trying again", reason(error))));
            }
            None if was_lost => warnln!("flowmap: {target}: in sync again"),
            _ => {}
        }
    }

    fn print_some(&mut self, problems: &[Problem]) {
        let left = MAX_PRINTED.saturating_sub(self.problems);
        for problem in problems.iter().take(left) {
            warnln!("{}", printable(&problem.to_string()));
        }
        self.problems += problems.len();
    }

    async fn flush(&mut self, store: &Store, id: WatchId) -> anyhow::Result<()> {
        let changes = self.state.take_changes();
        store.extend_watch(id, &changes, self.state.in_sync()).await?;
        self.changes += changes.len();
        Ok(())
    }

    fn report(&self) {
        let until: Timestamp = self.state.in_sync();
        let problems = if self.problems > 0 { format!(", {} problems", self.problems) } else { String::new() };
        warnln!("{}: {} changes{problems}, in sync until {until}", self.name, self.changes);
    }
}

fn context(cluster: &Cluster) -> String {
    format!("context {} at {}", cluster.name(), cluster.server())
}

fn reason(error: &ClusterError) -> String {
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
        AccessError::Credentials(why) => Fault::new("kubeconfig", format!("the credentials cannot be had: {why}")),
    }
}
