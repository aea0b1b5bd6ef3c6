//! A small cluster with a capture of one of its nodes, and what flowmap proposes for it.

use std::fs;

use serde_json::Value;

use super::{
    Flowmap,
    cluster::{list, node, pod},
    files,
    packets::Capture,
};

/// A cluster, a capture of node-1, and what flowmap makes of them.
pub struct Case {
    pub flowmap: Flowmap,
    /// What `suggest` said on stderr.
    pub said: String,
}

/// Two nodes, `web` and `api` in `shop`, and these besides.
pub fn cluster(others: &[Value]) -> Vec<Value> {
    let mut items = vec![
        node("node-1", "192.0.2.1", "10.244.1.0/24"),
        node("node-2", "192.0.2.2", "10.244.2.0/24"),
        pod("web", "10.244.1.5"),
        pod("api", "10.244.1.6"),
    ];
    items.extend_from_slice(others);
    items
}

impl Case {
    /// Policies for `shop` from a cluster and from packets, which `web` and `api` add something to of their own.
    pub fn new(items: &[Value], draw: impl FnOnce(&mut Capture)) -> Self {
        let flowmap = Flowmap::new();
        let mut capture = Capture::new();
        capture.talk("10.244.1.5:39999", "198.51.100.1:443").talk("10.244.1.6:39999", "198.51.100.1:443");
        draw(&mut capture);
        flowmap.write("node-1.pcap", capture.bytes());
        flowmap.write("cluster.json", list(items));
        flowmap.ok(&["import", "--sensor", "node-1", "node-1.pcap"]);
        flowmap.ok(&["inventory", "import", "cluster.json"]);
        let said = flowmap.ok(&["suggest", "-n", "shop", "--out-dir", "out"]).stderr;
        Self { flowmap, said }
    }

    /// A document of the proposal, its comments left out.
    pub fn policy(&self, name: &str) -> String {
        let text = self.document(&format!("shop/{name}.yaml"));
        text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
    }

    pub fn document(&self, path: &str) -> String {
        fs::read_to_string(self.flowmap.path("out").join(path)).expect("a document")
    }

    pub fn all_policies(&self) -> String {
        let files = files(&self.flowmap.path("out/shop"));
        let policies = files.keys().filter_map(|name| name.strip_suffix(".yaml"));
        policies.map(|name| self.policy(name)).collect::<Vec<_>>().join("\n")
    }

    /// `shop/web > shop/api 8080/TCP`: every dependency but those with 198.51.100.1.
    pub fn flows(&self) -> Vec<String> {
        let flows = self.flowmap.json(&["flows"]);
        let name = |party: &Value| party["name"].as_str().expect("a name").to_owned();
        let line = |flow: &Value| {
            let (port, protocol) = (&flow["port"], flow["protocol"].as_str().expect("a protocol"));
            format!("{} > {} {port}/{protocol}", name(&flow["client"]), name(&flow["server"]))
        };
        let lines = flows.as_array().expect("a list").iter().map(line);
        let mut lines: Vec<String> = lines.filter(|line| !line.contains("198.51.100.1 ")).collect();
        lines.sort();
        lines
    }

    /// Whether what was seen is allowed, all of it.
    pub fn is_whole(&self) -> bool {
        let replay = self.flowmap.json(&["simulate", "out"]);
        replay["denied"] == 0 && replay["uncertain"] == 0
    }
}
