use super::*;
use crate::inventory::ReadError;
use crate::model::Host;

fn hosts(text: &str) -> Vec<Host> {
    let reading = read("hosts", text.as_bytes()).unwrap();
    assert_eq!(reading.problems, []);
    reading.cluster.hosts
}

fn mk_host(range: &str, name: Option<&str>, role: Option<&str>, labels: &[(&str, &str)]) -> Host {
    let labels = labels.iter().copied().collect();
    let (name, role) = (name.map(Into::into), role.map(Into::into));
    Host { range: range.parse().unwrap(), name, role, site: None, vlan: None, labels }
}

#[test]
fn a_csv_is_read_by_its_header() {
    let text = "# machines\nname,Address,role,site,vlan,labels\n\
                db,10.0.0.5,database,hq,100,\"tier=data;env=prod\"\n\"lab, upstairs\",10.1.0.7/16,,,,\n,fd00::1\n";
    assert_eq!(
        hosts(text),
        [
            Host {
                site: Some("hq".into()),
                vlan: Some(100),
                ..mk_host("10.0.0.5/32", Some("db"), Some("database"), &[("env", "prod"), ("tier", "data")])
            },
            mk_host("10.1.0.0/16", Some("lab, upstairs"), None, &[]),
            mk_host("fd00::1/128", None, None, &[]),
        ]
    );
}

#[test]
fn one_column_is_enough() {
    assert_eq!(hosts("address\r\n192.0.2.7\r\n"), [mk_host("192.0.2.7/32", None, None, &[])]);
}

#[test]
fn yaml_and_json_lists_of_the_same_keys_are_hosts_too() {
    let expected = [mk_host("10.0.0.5/32", Some("db"), None, &[("tier", "data")])];
    assert_eq!(hosts("- address: 10.0.0.5\n  name: db\n  labels: {tier: data}\n"), expected);
    let [host] = &expected;
    let tagged = [Host { vlan: Some(100), ..host.clone() }];
    assert_eq!(hosts("- address: 10.0.0.5\n  name: db\n  vlan: 100\n  labels: {tier: data}\n"), tagged);
    assert_eq!(hosts("- address: 10.0.0.5\n  name: db\n  labels: tier=data\n"), expected);
    assert_eq!(hosts(r#"[{"address": "10.0.0.5", "name": "db", "labels": {"tier": "data"}}]"#), expected);
    assert_eq!(hosts("[{address: 10.0.0.5, name: db, labels: {tier: data}}]\n"), expected);
}

#[test]
fn a_host_is_called_what_is_written() {
    let text = "---\n# ours\n---\n- {address: 10.0.0.1, name: no, role: on, labels: {a: yes, b: 1e3}}\n- {address: 10.0.0.2, name: 010}\n\
                - {address: 10.0.0.3, name: 1.10, labels: 'k=v'}\n---\n- {address: 10.0.0.4, name: ~, labels: [a=b]}\n";
    let expected = [
        mk_host("10.0.0.1/32", Some("no"), Some("on"), &[("a", "yes"), ("b", "1e3")]),
        mk_host("10.0.0.2/32", Some("010"), None, &[]),
        mk_host("10.0.0.3/32", Some("1.10"), None, &[("k", "v")]),
        mk_host("10.0.0.4/32", None, None, &[("a", "b")]),
    ];
    assert_eq!(hosts(text), expected);
    // beside other documents it cannot be told, and is not made up
    let text = b"- {address: 10.0.0.1, name: no, labels: {a: 1e3}}\n---\n- {address: 10.0.0.2, name: [x]}\n";
    let reading = read("h.yaml", text).unwrap();
    assert_eq!(reading.cluster.hosts[0], mk_host("10.0.0.1/32", None, None, &[("a", "")]));
    let told: Vec<String> = reading.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "h.yaml: item 1: name is read as `false`, which is no text: it must be in quotes",
            "h.yaml: item 1: a is read as `1000.0`, which is no text: it must be in quotes"
        ]
    );
}

#[test]
fn utf_16_is_text_behind_its_mark() {
    let text = "\u{feff}address,name\r\n10.0.0.1,caf\u{e9}\r\n";
    let expected = [mk_host("10.0.0.1/32", Some("caf\u{e9}"), None, &[])];
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in [&little, &big] {
        assert_eq!(read("hosts", bytes).unwrap().cluster.hosts, expected);
        assert_eq!(read("hosts", &bytes[..bytes.len() - 1]), Err(ReadError::NotText { valid: 0 }));
    }
}

#[test]
fn rows_that_are_no_hosts_are_told_by_their_line() {
    let reading =
        read("h.csv", b"address,name,colour,labels,vlan\n10.0.0.300,a,red,,1\n10.0.0.3,b,red,tier,4095\n").unwrap();
    let told: Vec<String> = reading.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "h.csv: line 2: address `10.0.0.300` is neither an address nor a CIDR",
            "h.csv: line 3: vlan `4095` is not a number from 1 to 4094",
            "h.csv: line 3: label `tier` is not written as key=value",
            "h.csv: header: column `colour` is not known; known are address, name, role, site, vlan, labels",
        ]
    );
    assert_eq!(reading.cluster.hosts, [mk_host("10.0.0.3/32", Some("b"), None, &[])]);
}

#[test]
fn hosts_of_other_sites_are_left_out() {
    let text = "address,name,site\n10.0.0.3,a,hq\n10.0.0.4,b,lab\n10.0.0.5,c,\n";
    let mut reading = read("h.csv", text.as_bytes()).unwrap();
    assert_eq!(reading.keep_site("hq"), 1);
    let again = read("again", format!("[{}]", reading.objects.join(",")).as_bytes()).unwrap();
    let names: Vec<_> = again.cluster.hosts.iter().filter_map(|host| host.name.as_deref()).collect();
    assert_eq!(names, ["a", "c"]);
    assert_eq!(reading.cluster, again.cluster);
}

#[test]
fn an_address_with_two_names_is_nobodys_and_a_conflict() {
    let text = "address,name\n10.0.0.3,a\n10.0.0.3,b\n10.0.0.0/24,lab\n";
    let directory = Directory::new(&read("h.csv", text.as_bytes()).unwrap().cluster);
    let told: Vec<String> = directory.conflicts().iter().map(ToString::to_string).collect();
    assert_eq!(told, ["10.0.0.3: Host a and Host b had it at one time, from always until now"]);
    assert_eq!(directory.who(ip("10.0.0.3"), Timestamp::default()), Owner::Unknown);
    assert!(matches!(directory.who(ip("10.0.0.4"), Timestamp::default()), Owner::Host(_)));
}

#[test]
fn the_rows_of_a_csv_can_be_read_again_as_objects() {
    let reading = read("h.csv", b"address,name\n10.0.0.3,b\n").unwrap();
    assert_eq!(read("again", format!("[{}]", reading.objects.join(",")).as_bytes()).unwrap().cluster, reading.cluster);
}

#[test]
fn a_quote_that_is_not_closed_costs_its_row_alone() {
    let text =
        b"address,name,role\n10.0.0.1,\"db,x\n10.0.0.2,web,y\n10.0.0.3,\"app\",z\n10.0.0.4,a \"b\" c,\n10.0.0.5,\"d";
    let reading = read("h.csv", text).unwrap();
    let told: Vec<String> = reading.problems.iter().map(ToString::to_string).collect();
    let expected = [
        "h.csv: line 2: text stands behind a quoted cell, before the next comma",
        "h.csv: line 6: a quote is opened in it and not closed",
    ];
    assert_eq!(told, expected);
    let names: Vec<_> = reading.cluster.hosts.iter().filter_map(|host| host.name.as_deref()).collect();
    assert_eq!(names, ["web", "app", "a \"b\" c"]);
    // also where a later quote would close it: no name goes over several lines
    let reading = read("h.csv", b"address,name,x\n10.0.0.1,\"db,\n10.0.0.2,web,\n10.0.0.3,\",\n").unwrap();
    let told: Vec<String> = reading.problems.iter().map(|problem| problem.object.clone()).collect();
    assert_eq!(told, ["line 2", "line 4", "header"]);
    assert_eq!(reading.cluster.hosts, [mk_host("10.0.0.2/32", Some("web"), None, &[])]);
}

#[test]
fn what_a_csv_says_twice_or_beyond_its_header_is_not_taken() {
    let error = read("h.csv", b"address,name,role,Name\n10.0.0.1,a,b,c\n").unwrap_err();
    assert_eq!(error.to_string(), "two columns are called `name`");
    let reading = read("h.csv", b"address,name,role\n10.0.0.1,lab, upstairs,web\n10.0.0.2,a,b,,\n").unwrap();
    let told: Vec<String> = reading.problems.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["h.csv: line 2: has 4 cells, the header names 3"]);
    assert_eq!(reading.cluster.hosts, [mk_host("10.0.0.2/32", Some("a"), Some("b"), &[])]);
    let reading = read("h.yaml", b"- {address: 10.0.0.1, name: a, Name: b}\n").unwrap();
    assert_eq!(reading.problems[0].reason, "says name twice, as `name` and as `Name`");
    assert_eq!(reading.cluster.hosts, [mk_host("10.0.0.1/32", None, None, &[])]);
}

#[test]
fn ranges_of_ipv4_written_as_ipv6_are_ranges_of_ipv4() {
    let reading =
        read("h.csv", b"address\n::ffff:10.0.0.5\n::ffff:10.1.0.9/112\n::ffff:0:0/80\n2001:db8::/32\n").unwrap();
    let ranges: Vec<String> = reading.cluster.hosts.iter().map(|host| host.range.to_string()).collect();
    assert_eq!(ranges, ["10.0.0.5/32", "10.1.0.0/16", "::/80", "2001:db8::/32"]);
}
