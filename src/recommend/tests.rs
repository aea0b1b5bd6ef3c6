use super::*;
use crate::{
    model::{Labels, Pod},
    recommend::selector::Selectors,
};

/// A pod of a Deployment; `labels` reads `app=web,version=v1`.
fn mk_pod(owner: &str, labels: &str) -> Pod {
    let pair = |pair: &str| pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    Pod {
        namespace: "shop".into(),
        name: format!("{owner}-{labels}"),
        workload: WorkloadRef { namespace: "shop".into(), name: owner.into(), kind: "Deployment".into() },
        labels: labels.split(',').filter_map(pair).collect(),
        addresses: vec![],
        node: None,
        host_network: false,
        ports: vec![],
        started: None,
        finished: false,
        mesh: None,
        maker: None,
    }
}

/// The groups of pods: name, members, selected labels and absent ones.
fn groups(pods: &[(&str, &str)]) -> Vec<(String, usize, String, String)> {
    let pods: Vec<Pod> = pods.iter().map(|(owner, labels)| mk_pod(owner, labels)).collect();
    let selectors = Selectors::new(&Cluster { pods: pods.clone(), ..Cluster::default() });
    let groups = selectors.groups("shop");
    for group in &groups {
        // the hard rule: never a pod that is not meant
        for pod in &pods {
            let is_meant = group.members.contains(&pod.workload);
            assert_eq!(group.selector.matches(&pod.labels), is_meant, "{group:?} {}", pod.name);
        }
    }
    let absent = |selector: &Selector| selector.absent.iter().cloned().collect::<Vec<_>>().join(",");
    groups
        .iter()
        .map(|it| (it.name.clone(), it.members.len(), it.selector.equal.to_string(), absent(&it.selector)))
        .collect()
}

fn row(name: &str, members: usize, labels: &str, absent: &str) -> (String, usize, String, String) {
    (name.into(), members, labels.into(), absent.into())
}

#[test]
fn the_label_that_people_name_a_role_by_is_preferred() {
    let found = groups(&[
        ("web", "tier=front,app=web,pod-template-hash=abc"),
        ("web", "tier=front,app=web,pod-template-hash=def"),
        ("db", "app=db,tier=data"),
    ]);
    assert_eq!(found, [row("db", 1, "app=db", ""), row("web", 1, "app=web", "")]);
}

#[test]
fn versions_tell_apart_only_where_nothing_else_does() {
    let found = groups(&[
        ("reviews-v1", "app=reviews,version=v1"),
        ("reviews-v2", "app=reviews,version=v2"),
        ("web", "app=web,version=v9"),
    ]);
    let expected = [
        row("reviews-v1", 1, "app=reviews,version=v1", ""),
        row("reviews-v2", 1, "app=reviews,version=v2", ""),
        row("web", 1, "app=web", ""),
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_others_have_besides_may_be_the_difference() {
    let found = groups(&[("base", "app=web"), ("canary", "app=web,track=canary")]);
    assert_eq!(found, [row("base", 1, "app=web", "track"), row("canary", 1, "track=canary", "")]);
}

#[test]
fn pods_without_labels_are_selected_by_that() {
    let found = groups(&[("bare", ""), ("web", "app=web")]);
    assert_eq!(found, [row("bare", 1, "", "app"), row("web", 1, "app=web", "")]);
}

#[test]
fn workloads_that_no_label_tells_apart_share_a_group() {
    let found = groups(&[("one", "app=web,pod-template-hash=a"), ("two", "app=web,pod-template-hash=b")]);
    assert_eq!(found, [row("one", 2, "app=web", "")]);
}

#[test]
fn names_that_files_have_already_get_their_kind() {
    let found = groups(&[("allow-dns", "app=a"), ("web", "app=web")]);
    assert_eq!(found[0].0, "allow-dns-deployment");
}

#[test]
fn a_selector_says_no_more_than_it_must() {
    let labels: Labels = [("app", "web"), ("tier", "front")].into_iter().collect();
    assert!(Selector::default().matches(&labels));
    let any_of = BTreeMap::from([("app".to_owned(), BTreeSet::from(["web".to_owned(), "api".to_owned()]))]);
    assert!(Selector { any_of, ..Selector::default() }.matches(&labels));
    assert!(!Selector { absent: BTreeSet::from(["tier".to_owned()]), ..Selector::default() }.matches(&labels));
}
