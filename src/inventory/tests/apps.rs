//! Inventories of real applications, where the data set is at hand.

use std::{collections::BTreeSet, path::PathBuf};

use super::*;

/// The data set: `FLOWMAP_DATA`, or where it lies beside the project.
fn data() -> PathBuf {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    std::env::var_os("FLOWMAP_DATA").map_or_else(beside, PathBuf::from)
}

#[test]
fn the_inventories_of_real_applications_are_read_without_a_problem() {
    // pods, Services, namespaces, workloads that the pods make
    let expected = [("bookinfo", 8, 5, 2, 7), ("online-boutique", 18, 13, 2, 13), ("teastore", 9, 8, 2, 8)];
    for (app, pods, services, namespaces, workloads) in expected {
        let path = data().join("apps").join(app).join("cluster.json");
        let Ok(text) = std::fs::read(&path) else {
            eprintln!("skipped: {} is not here; FLOWMAP_DATA says where", path.display());
            continue;
        };
        let reading = read(app, &text).unwrap();
        assert_eq!((&reading.problems[..], reading.skipped.len()), (&[][..], 0), "{app}");
        let cluster = &reading.cluster;
        assert_eq!(
            (cluster.pods.len(), cluster.services.len(), cluster.namespaces.len()),
            (pods, services, namespaces),
            "{app}"
        );
        let owners: BTreeSet<_> = cluster.pods.iter().map(|pod| &pod.workload).collect();
        assert_eq!(owners.len(), workloads, "{app}: {owners:?}");
        assert!(owners.iter().all(|owner| owner.kind == "Deployment"), "{app}: {owners:?}");
        let directory = Directory::new(cluster);
        for pod in &cluster.pods {
            assert_eq!(directory.who(pod.addresses[0], at("10:00:00")), Owner::Pod(pod), "{app}");
        }
        for service in &cluster.services {
            assert!(!directory.backends(service).is_empty(), "{app}: {}", service.name);
        }
    }
}
