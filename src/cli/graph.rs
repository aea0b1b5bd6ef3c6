//! `flowmap graph`: the map as a picture.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::PathBuf,
};

use clap::ValueEnum;

use super::{
    Done, Fault,
    common::{Global, Namespaces, Selection},
    fault::printable,
    parts::{is_part_of, parts_of},
    policies::{self, ReadingArgs},
    print, world,
};
use crate::{
    graph::{self, Fold, Judged, Links, Map, Svg, Verdict},
    map::By,
    model::{Dependency, Party, Protocol, words::count},
    policy::{self, Detail, Evaluator, Past, Roster},
    proposal::{self, Site},
    render::page,
    tier::Tier,
};

/// Draw the map: who calls whom, in columns by tier.
///
/// Lines are as thick as they have connections, by the logarithm; dashed where one side alone was seen, or in one hour
/// alone; red where --policies deny them. Failed attempts and scans are counted, not drawn. Exits with 1 where --policies
/// deny a connection.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap graph > map.svg
  flowmap graph --policies policies-out/ > map.svg   # what they deny, in red
  flowmap graph -o html > map.html                   # the same as a page
  flowmap graph -o mermaid                           # for Markdown
  flowmap graph -A --fold tier -o dot | dot -Tpdf > map.pdf
  flowmap graph --from trace.pcap --inventory cluster.json > map.svg")]
pub(super) struct Args {
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    /// What counts as one client or server
    #[arg(long, value_enum, default_value = "workload", value_name = "WHAT")]
    by: ByArg,
    /// What to draw as one box [default: as little as makes at most 80 boxes]
    #[arg(long, value_enum, value_name = "WHAT")]
    fold: Option<FoldArg>,
    /// Show in red what these policies would deny, on top of those deployed: files or folders, - for stdin
    #[arg(long, value_name = "POLICIES", num_args = 1..)]
    policies: Vec<PathBuf>,
    /// Leave out the policies that the inventory says are deployed
    #[arg(long, requires = "policies")]
    only: bool,
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    namespaces: Namespaces,
    #[command(flatten)]
    selection: Selection,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// A picture
    #[default]
    Svg,
    /// Text for Graphviz
    Dot,
    /// A diagram for Markdown
    Mermaid,
    /// A page with the picture
    Html,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ByArg {
    /// A workload, host or node, where it is known
    Workload,
    /// An address
    Address,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FoldArg {
    /// Nothing is put together
    None,
    /// Each tier of a namespace
    Tier,
    /// Each namespace
    Namespace,
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    let proposed = if args.policies.is_empty() { None } else { Some(args.reading.policies(&args.policies)?) };
    let world = world::open(global, &args.selection).await?;
    let site = world.site_of(&args.namespaces.namespace)?;
    let by_workload = site.dependencies(By::Workload);
    let by_address = if args.by == ByArg::Address { site.dependencies(By::Address) } else { Vec::new() };
    let named: Vec<&Dependency> = by_workload.iter().filter(|it| args.namespaces.concern(it)).collect();
    let drawn: Vec<&Dependency> = match args.by {
        ByArg::Workload => named.clone(),
        ByArg::Address if args.namespaces.namespace.is_empty() => by_address.iter().collect(),
        ByArg::Address => parts_of(&named, &by_address),
    };
    if drawn.is_empty() {
        let why = world::why_none("flows", &world, &args.selection, &args.namespaces.namespace);
        return Err(Fault::new("graph", why).into());
    }
    // who is who decides tiers and verdicts, however parties are drawn
    let mut judged = Judged::new();
    if let Some(proposed) = proposed {
        judged = self::judged(site, &args, &proposed, &named)?;
        if args.by == ByArg::Address {
            judged = of_addresses(&judged, &named, &drawn);
        }
    }
    let places = Places::new(site, &by_workload);
    let map = graph::build(drawn.iter().copied(), &|party| places.tier(party), &judged);
    let has_denied = map.denied() > 0;
    let (map, fold) = graph::fold(map, args.fold.map(FoldArg::fold));
    if fold.is_any() && args.fold.is_none() {
        warnln!("flowmap: put together by {}, for there are too many boxes; --fold none draws all", fold.as_str());
    }
    let text = written(&map, &args)?;
    if matches!(args.output, Format::Mermaid) && !graph::mermaid_draws(&map, &text) {
        let lines = count(map.edges.len() as u64, "line");
        warnln!(
            "flowmap: {lines} in {} kB are more than Mermaid draws: -o svg and -o html have no such bound",
            text.len() / 1_000
        );
    }
    print::text(text.as_bytes())?;
    Ok(if has_denied { Done::Found } else { Done::Clean })
}

fn written(map: &Map, args: &Args) -> anyhow::Result<String> {
    let title = title(&args.namespaces.namespace);
    Ok(match args.output {
        Format::Dot => graph::dot(map, &title),
        Format::Mermaid => graph::mermaid(map, &title),
        Format::Svg => graph::svg(map, &graph::layout(map), &Svg { title, within_page: None, links: Links::default() }),
        Format::Html => page::map_page(map, &title)?,
    })
}

fn title(namespaces: &[String]) -> String {
    match namespaces {
        [] => "Who calls whom".into(),
        some => format!("Who calls whom in {}", printable(&some.join(", "))),
    }
}

/// What policies say to what was seen.
fn judged(
    site: &Site,
    args: &Args,
    proposed: &policy::PolicySet,
    dependencies: &[&Dependency],
) -> anyhow::Result<Judged> {
    let set = if args.only { proposed.clone() } else { proposed.on_top_of(&policies::deployed(site.cluster())) };
    if set.is_empty() {
        let fault = Fault::new("--policies", "no NetworkPolicy among them");
        return Err(fault.hint("`flowmap suggest` writes some").into());
    }
    let roster = Roster::new(site.cluster());
    let past = Past::new(dependencies.iter().copied(), &roster);
    let evaluator = Evaluator::of_cluster(&set, site.cluster(), args.reading.options());
    let parts = OnceCell::new();
    let by_address = || parts.get_or_init(|| site.dependencies(By::Address)).as_slice();
    let detail = Detail { roster: &roster, by_address: &by_address };
    Ok(proposal::judged(&policy::simulate(&past, &evaluator, Some(&detail))))
}

/// Verdicts on workloads as verdicts on the addresses that were theirs.
fn of_addresses(judged: &Judged, by_workload: &[&Dependency], by_address: &[&Dependency]) -> Judged {
    let mut doubtful: BTreeMap<(Protocol, u16), Vec<(&Dependency, Verdict)>> = BTreeMap::new();
    for it in by_workload {
        if let Some(verdict) = judged.get(&((&it.client).into(), (&it.server).into(), it.protocol, it.port)) {
            doubtful.entry((it.protocol, it.port)).or_default().push((it, *verdict));
        }
    }
    let verdict = |it: &Dependency| {
        let all = doubtful.get(&(it.protocol, it.port)).into_iter().flatten();
        all.filter(|(whole, _)| is_part_of(it, whole)).map(|(_, verdict)| *verdict).max()
    };
    let named =
        |it: &&Dependency| Some((((&it.client).into(), (&it.server).into(), it.protocol, it.port), verdict(it)?));
    by_address.iter().filter_map(named).collect()
}

/// The tier of everybody who has one.
struct Places {
    by_name: proposal::Places,
    /// The tiers of who had an address, in the whole window.
    addresses: BTreeMap<IpAddr, BTreeSet<Tier>>,
}

impl Places {
    fn new(site: &Site, by_workload: &[Dependency]) -> Self {
        let by_name = proposal::Places::new(site, by_workload);
        let mut addresses: BTreeMap<IpAddr, BTreeSet<Tier>> = BTreeMap::new();
        for party in by_workload.iter().flat_map(|it| [&it.client, &it.server]) {
            if let Some(tier) = by_name.tier(party) {
                party.addresses.iter().for_each(|address| _ = addresses.entry(*address).or_default().insert(tier));
            }
        }
        Self { by_name, addresses }
    }

    fn tier(&self, party: &Party) -> Option<Tier> {
        self.by_name.tier(party).or_else(|| {
            match self.addresses.get(&party.name.parse().ok()?)?.iter().collect::<Vec<_>>()[..] {
                [one] => Some(*one),
                // it changed hands: no tier is that of all
                _ => None,
            }
        })
    }
}

impl FoldArg {
    fn fold(self) -> Fold {
        match self {
            Self::None => Fold::Nothing,
            Self::Tier => Fold::Tier,
            Self::Namespace => Fold::Namespace,
        }
    }
}
