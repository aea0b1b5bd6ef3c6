//! What captures give, a line a flow.

use serde_json::Value;

use super::{Flowmap, frames::Frames};

/// A flow in a line: `client > server:port/protocol outcome direction connections`, then VLANs, what was dialled, and
/// marks, each where there is one.
pub fn row(flow: &Value) -> String {
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let [client, server] = ["client", "server"].map(|side| word(&flow[side]["name"]));
    let [port, protocol, outcome] = ["port", "protocol", "outcome"].map(|name| word(&flow[name]));
    let [direction, connections] = ["direction", "connections"].map(|name| word(&flow[name]));
    let list = |name: &str, item: &dyn Fn(&Value) -> String| {
        let items: Vec<String> = flow[name].as_array().expect("a list").iter().map(item).collect();
        if items.is_empty() { String::new() } else { format!(" {name} {}", items.join(",")) }
    };
    let via = list("via", &|via| format!("{}:{}", word(&via["address"]), via["port"]));
    let (vlans, marks) = (list("vlans", &word), list("marks", &word));
    format!("{client} > {server}:{port}/{protocol} {outcome} {direction} {connections}{vlans}{via}{marks}")
}

/// The flows of these captures by address, a line each, in order.
pub fn rows(flowmap: &Flowmap, files: &[String]) -> Vec<String> {
    let args: Vec<&str> =
        ["flows", "--by", "address", "--from"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let mut rows: Vec<String> = flowmap.json(&args).as_array().expect("a list").iter().map(row).collect();
    rows.sort();
    rows
}

/// These captures give these rows, in whatever order they come.
#[track_caller]
pub fn expect<R: AsRef<str>>(captures: &[Frames], rows_expected: &[R]) {
    let flowmap = Flowmap::new();
    let mut files = Vec::new();
    for (n, capture) in captures.iter().enumerate() {
        let name = format!("{n}.pcap");
        flowmap.write(&name, capture.bytes());
        files.push(name);
    }
    let mut expected: Vec<&str> = rows_expected.iter().map(AsRef::as_ref).collect();
    expected.sort_unstable();
    assert_eq!(rows(&flowmap, &files), expected);
    files.reverse();
    assert_eq!(rows(&flowmap, &files), expected, "files the other way round");
}
