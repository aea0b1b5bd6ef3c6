mod exposed;
mod lab;
mod names;
mod prefixes;
mod rules;

use super::*;
use crate::{
    model::{Labels, Pod, WorkloadRef},
    recommend::units::Unit,
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
        host_ports: Vec::new(),
    }
}

fn mk_units(pods: &[(&str, &str)]) -> (Vec<Pod>, Vec<Unit>) {
    let pods: Vec<Pod> = pods.iter().map(|(owner, labels)| mk_pod(owner, labels)).collect();
    let units = Units::new(&Cluster { pods: pods.clone(), ..Cluster::default() });
    (pods, units.all)
}

/// The units of pods: name, members, selected labels and absent ones.
fn groups(pods: &[(&str, &str)]) -> Vec<(String, usize, String, String)> {
    let (pods, units) = mk_units(pods);
    for unit in &units {
        // the hard rule: never a pod that is not meant
        for pod in &pods {
            let is_meant = unit.members.contains(&pod.workload);
            assert_eq!(unit.selector.matches(&pod.labels), is_meant, "{unit:?} {}", pod.name);
        }
    }
    let absent = |selector: &Selector| selector.absent.iter().cloned().collect::<Vec<_>>().join(",");
    units
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
fn a_label_whose_value_tells_a_release_selects_where_nothing_else_does() {
    // whatever its key is called: the next release has another value, and no policy would select it
    let found = groups(&[
        ("api", "app=shop,build=9fceb02,part=api"),
        ("web", "app=shop,build=4ac1d77,part=web"),
        ("web-next", "app=shop,build=5b2e001,part=web"),
        ("cron", "app=shop,release=2026-11-01,team=pay"),
        ("mail", "app=shop,release=2026-11-01,team=post"),
    ]);
    let expected = [
        row("api", 1, "app=shop,part=api", ""),
        row("cron", 1, "app=shop,team=pay", ""),
        row("mail", 1, "app=shop,team=post", ""),
        row("web", 1, "app=shop,build=4ac1d77", ""),
        row("web-next", 1, "app=shop,build=5b2e001", ""),
    ];
    assert_eq!(found, expected);
    // which is told, with a label to add, but where the owner itself finds its pods by it
    let pods = [("web", "app=shop,build=4ac1d77"), ("web-next", "app=shop,build=5b2e001")];
    let pods: Vec<Pod> = pods.iter().map(|(owner, labels)| mk_pod(owner, labels)).collect();
    let selected =
        pods.iter().take(1).map(|pod| crate::model::Selected { id: pod.workload.clone(), labels: pod.labels.clone() });
    let units = Units::new(&Cluster { selected: selected.collect(), pods, ..Cluster::default() });
    let until: Vec<_> = units.all.iter().map(|it| it.missing.as_ref().map(|it| it.until_release.as_deref())).collect();
    assert_eq!(until, [None, Some(Some("build"))]);
    let found = groups(&[("base", "app=web,chart=1,image=1.4.2"), ("canary", "app=web,image=1.4.2,track=canary")]);
    assert_eq!(found, [row("base", 1, "app=web", "track"), row("canary", 1, "app=web,track=canary", "")]);
}

#[test]
fn what_others_have_besides_may_be_the_difference() {
    let found = groups(&[("base", "app=web"), ("canary", "app=web,track=canary")]);
    assert_eq!(found, [row("base", 1, "app=web", "track"), row("canary", 1, "app=web,track=canary", "")]);
}

#[test]
fn which_of_several_says_not_of_what() {
    let found =
        groups(&[("pay", "app=pay,track=stable"), ("pay-canary", "app=pay,track=canary"), ("job", "tier=batch")]);
    let expected = [
        row("job", 1, "tier=batch", ""),
        row("pay", 1, "app=pay,track=stable", ""),
        row("pay-canary", 1, "app=pay,track=canary", ""),
    ];
    assert_eq!(found, expected);
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

#[test]
fn a_workload_whose_old_pods_look_like_another_shares_its_unit() {
    // the second has pods of two revisions: what both share is what the first has too
    let found = groups(&[("a", "app=web,tier=a"), ("b", "app=web,tier=a,extra=1"), ("b", "app=web,tier=b")]);
    assert_eq!(found, [row("a", 2, "app=web", "")]);
}

#[test]
fn a_label_that_the_template_lacks_never_selects() {
    let pod = mk_pod("web", "app=web,debug=on");
    let template = crate::model::Workload {
        id: pod.workload.clone(),
        template_labels: [("app", "web")].into_iter().collect(),
        ports: vec![],
        host_network: false,
    };
    let other = mk_pod("other", "app=web,tier=x");
    let cluster = Cluster { pods: vec![pod, other], workloads: vec![template], ..Cluster::default() };
    let units = Units::new(&cluster);
    for unit in &units.all {
        assert!(!unit.selector.equal.0.contains_key("debug"), "{unit:?}");
        assert!(!unit.selector.absent.contains("debug"), "{unit:?}");
    }
}

/// Operators' own kinds have no template that tells how the next pod is labelled.
#[test]
fn a_label_that_tells_one_pod_of_an_owner_from_the_next_never_selects() {
    let third = ("gen", "app=x,role=gen");
    let expected = [row("gen", 1, "app=x,role=gen", ""), row("kafka", 2, "app=x", "role")];
    let of_two = |key: &str, values: [&str; 4]| {
        let [a, b, c, d] = values.map(|value| format!("app=x,{key}={value}"));
        groups(&[("kafka", &a), ("kafka", &b), ("other", &c), ("other", &d), third])
    };
    assert_eq!(of_two("pod", ["kafka-0", "kafka-1", "other-0", "other-1"]), expected);
    assert_eq!(of_two("ordinal", ["0", "1", "0", "1"]), expected);
}

#[test]
fn a_label_that_names_a_lone_pod_never_selects() {
    let lone = |owner: &str, name: &str, labels: &str| Pod { name: name.into(), ..mk_pod(owner, labels) };
    let chosen = |pods: [Pod; 2]| -> Vec<String> {
        let other = mk_pod("other", "app=x,role=gen");
        let units = Units::new(&Cluster { pods: [&pods[..], &[other]].concat(), ..Cluster::default() });
        units.all.iter().map(|it| format!("{}: {}", it.name, it.selector.equal)).collect()
    };
    for labels in [["pod=prod-a-0", "pod=prod-b-0"], ["pod=a-0", "pod=b-0"]] {
        let [a, b] = labels.map(|label| format!("app=x,{label}"));
        let pods = [lone("prod-a", "prod-a-0", &a), lone("prod-b", "prod-b-0", &b)];
        assert_eq!(chosen(pods), ["other: app=x,role=gen", "prod-a: app=x"], "{labels:?}");
    }
    // their owners' names tell them apart, and of a pod that nobody owns it is the same
    let pods = [lone("db-1", "db-1-1", "app=x,db=db-1"), lone("web", "web", "app=x,run=web")];
    assert_eq!(chosen(pods), ["db-1: app=x,db=db-1", "other: app=x,role=gen", "web: run=web"]);
    // nor does a number change where the pod comes back under its name
    let pods = ["1", "2"].map(|n| lone(&format!("web-{n}"), &format!("web-{n}"), &format!("app=x,shard={n}")));
    assert_eq!(chosen(pods), ["other: app=x,role=gen", "web-1: app=x,shard=1", "web-2: app=x,shard=2"]);
}

#[test]
fn what_no_label_tells_apart_is_told_which_label_to_add() {
    let (_, units) =
        mk_units(&[("one", "app.kubernetes.io/name=web"), ("two", "app.kubernetes.io/name=web"), ("db", "app=db")]);
    let missing: Vec<_> = units.iter().filter_map(|unit| unit.missing.as_ref()).collect();
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].key, "app.kubernetes.io/component");
    assert_eq!(missing[0].values.values().collect::<Vec<_>>(), ["one", "two"]);
}

#[test]
fn the_label_that_the_owner_selects_by_is_preferred() {
    let pods = vec![mk_pod("web", "a=1,team=red,z=1"), mk_pod("db", "a=2,team=red,z=2")];
    let selected =
        |pod: &Pod, pair| crate::model::Selected { id: pod.workload.clone(), labels: [pair].into_iter().collect() };
    let selected = vec![selected(&pods[0], ("z", "1")), selected(&pods[1], ("z", "2"))];
    let units = Units::new(&Cluster { pods, selected, ..Cluster::default() });
    let chosen: Vec<String> = units.all.iter().map(|unit| unit.selector.equal.to_string()).collect();
    assert_eq!(chosen, ["z=2", "z=1"]);
}

#[test]
fn units_together_are_selected_by_one_label_where_one_tells_them() {
    let pods = [
        ("reviews-v1", "app=reviews,version=v1"),
        ("reviews-v2", "app=reviews,version=v2"),
        ("web", "app=web"),
        ("db", "app=db"),
    ];
    let pods: Vec<Pod> = pods.iter().map(|(owner, labels)| mk_pod(owner, labels)).collect();
    let units = Units::new(&Cluster { pods, ..Cluster::default() });
    let together = |names: &[&str]| {
        let of: BTreeSet<usize> =
            (0..units.all.len()).filter(|n| names.contains(&units.all[*n].name.as_str())).collect();
        units.together(&of)
    };
    let equal =
        |key: &str, value: &str| Selector { equal: [(key, value)].into_iter().collect(), ..Selector::default() };
    assert_eq!(together(&["reviews-v1", "reviews-v2"]), [equal("app", "reviews")]);
    let any_of = BTreeMap::from([("app".to_owned(), BTreeSet::from(["db".to_owned(), "web".to_owned()]))]);
    assert_eq!(together(&["db", "web"]), [Selector { any_of, ..Selector::default() }]);
    assert_eq!(together(&["reviews-v1", "web"]).len(), 2, "one selector for each");
}
