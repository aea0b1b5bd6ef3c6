//! What fuzzing begins with: frames of the sample captures and of every kind that the decoder knows, whole small files made of
//! them in every format, and inputs that once broke something.

use std::{collections::BTreeMap, fs, path::Path};

use flowmap::{
    capture::{LinkType, file::CaptureReader},
    decode::{Transport, decode},
    names::may_tell,
    yaml,
};
use serde_json::{Value, json};

use super::targets::LINKS;

/// The clone that this is built in, also as a part of `fuzz/`.
fn root() -> &'static Path {
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    folders.find(|folder| folder.join("tests/fuzz").is_dir()).unwrap()
}

/// A frame and the link that it is from.
struct Seed {
    link: LinkType,
    data: Vec<u8>,
}

/// A target's inputs to begin with.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    let mut all = match target {
        "pcap" => pcaps(),
        "pcapng" => pcapngs(),
        "decode" => frames().iter().filter_map(input_of).collect(),
        "intake" => pcaps().into_iter().chain(pcapngs()).collect(),
        "records" => logs(),
        "names" => messages(),
        "inventory" | "suggest" => clusters(),
        "policies" => manifests(),
        other => panic!("no target {other}"),
    };
    all.extend(found(target).into_iter().map(|(_, bytes)| bytes));
    all
}

/// Inputs that once broke something, by their names.
pub fn found(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = root().join("tests/fuzz/found").join(target);
    let mut files: Vec<_> = fs::read_dir(folder).into_iter().flatten().map(|it| it.unwrap().path()).collect();
    files.sort();
    files.iter().map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect()
}

/// The frames of `frames.txt`, and of each sample one of each length that comes up first.
fn frames() -> Vec<Seed> {
    const OF_A_SAMPLE: usize = 24;
    let mut all: Vec<Seed> =
        include_str!("frames.txt").lines().filter(|line| !line.starts_with('#')).map(parsed).collect();
    for name in ["node-1", "node-2", "pod-api"] {
        let mut lengths = Vec::new();
        sample(name, |link, data| {
            if !lengths.contains(&data.len()) && lengths.len() < OF_A_SAMPLE {
                lengths.push(data.len());
                all.push(Seed { link, data: data.to_vec() });
            }
        });
    }
    all
}

fn parsed(text: &str) -> Seed {
    let (link, hex) = text.split_once(' ').unwrap();
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let bytes = (0..hex.len()).step_by(2).map(byte).collect();
    Seed { link: LinkType(link.parse().unwrap()), data: bytes }
}

/// Hands over the frames of a sample.
fn sample(name: &str, mut take: impl FnMut(LinkType, &[u8])) {
    let bytes = fs::read(root().join(format!("samples/production/{name}.pcap"))).unwrap();
    let mut reader = CaptureReader::new(&bytes[..]).unwrap();
    while let Some(frame) = reader.next_frame().unwrap() {
        take(frame.link, frame.data);
    }
}

/// An input of the target `decode`; none where it has no number for the link type.
fn input_of(seed: &Seed) -> Option<Vec<u8>> {
    let link = LINKS.iter().position(|link| *link == seed.link)?;
    Some([&[u8::try_from(link).unwrap(), 0][..], &seed.data].concat())
}

/// Small files: the frames of each link type, some at a time, in each variant of the format.
fn pcaps() -> Vec<Vec<u8>> {
    const MAGICS: [u32; 5] = [0xa1b2_c3d4, 0xa1b2_3c4d, 0xa1b2_cd34, 0x1c00_01ac, 0x1c00_01ab];
    let mut files = Vec::new();
    for (n, (link, some)) in by_link().into_iter().enumerate() {
        let (magic, is_big) = (MAGICS[n % MAGICS.len()], n % 2 == 1);
        files.push(pcap((0xa1b2_c3d4, is_big), link, &some));
        files.push(pcap((magic, !is_big), link, &some));
    }
    files
}

fn by_link() -> Vec<(LinkType, Vec<Vec<u8>>)> {
    const IN_A_FILE: usize = 8;
    let mut all: Vec<(LinkType, Vec<Vec<u8>>)> = Vec::new();
    for Seed { link, data } in frames() {
        match all.iter_mut().rev().find(|(known, some)| *known == link && some.len() < IN_A_FILE) {
            Some((_, some)) => some.push(data),
            None => all.push((link, vec![data])),
        }
    }
    all
}

fn pcap((magic, is_big): (u32, bool), link: LinkType, frames: &[Vec<u8>]) -> Vec<u8> {
    let word = |value: u32| if is_big { value.to_be_bytes() } else { value.to_le_bytes() };
    let version = if is_big { [0, 2, 0, 4] } else { [2, 0, 4, 0] };
    let mut file = [word(magic), version, word(0), word(0), word(65_535), word(link.0)].concat();
    if magic >> 16 == 0x1c00 {
        file.extend(word(0));
    }
    for (n, frame) in (0..).zip(frames) {
        let length = u32::try_from(frame.len()).unwrap();
        file.extend([word(1_795_500_000 + n / 2), word(n * 1_000), word(length), word(length + n % 3)].concat());
        if magic == 0xa1b2_cd34 {
            file.extend([0; 8]);
        }
        file.extend(frame);
    }
    file
}

/// Files of two sections in both byte orders, with every kind of block.
fn pcapngs() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for (n, (link, some)) in by_link().into_iter().enumerate() {
        let Ok(link) = u16::try_from(link.0) else { continue };
        let is_big = n % 2 == 1;
        let mut file = section(is_big, &[link, 1]);
        for (kind, frame) in some.iter().enumerate() {
            file.extend(match kind % 3 {
                0 => packet_block(is_big, 0, frame),
                1 => simple_block(is_big, frame),
                _ => obsolete_block(is_big, frame),
            });
        }
        file.extend(statistics_block(is_big));
        file.extend(block(is_big, 4, &[0, 1, 0, 8, 10, 0, 0, 1, b'a', b'b', b'c', 0, 0, 0, 0, 0]));
        file.extend(section(!is_big, &[1, link]));
        file.extend(some.iter().take(2).flat_map(|frame| packet_block(!is_big, 1, frame)));
        files.push(file);
    }
    files
}

fn word(is_big: bool, value: u32) -> [u8; 4] {
    if is_big { value.to_be_bytes() } else { value.to_le_bytes() }
}

fn half(is_big: bool, value: u16) -> [u8; 2] {
    if is_big { value.to_be_bytes() } else { value.to_le_bytes() }
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap()
}

fn block(is_big: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
    let whole = word(is_big, 12 + length(body) + length(&padding));
    [&word(is_big, kind)[..], &whole, body, &padding, &whole].concat()
}

/// A section's header, and an interface of each of these link types: in nanoseconds, or in the default's microseconds.
pub fn section(is_big: bool, links: &[u16]) -> Vec<u8> {
    let header = [&word(is_big, 0x1a2b_3c4d)[..], &half(is_big, 1), &half(is_big, 0), &[0xff; 8]].concat();
    let mut section = block(is_big, 0x0a0d_0d0a, &header);
    for (n, link) in links.iter().enumerate() {
        let mut interface = [&half(is_big, *link)[..], &[0, 0], &word(is_big, 0)].concat();
        if n.is_multiple_of(2) {
            let resolution = [&half(is_big, 9)[..], &half(is_big, 1), &[9, 0, 0, 0], &[0; 4]].concat();
            interface.extend(resolution);
        }
        section.extend(block(is_big, 1, &interface));
    }
    section
}

/// An enhanced packet.
pub fn packet_block(is_big: bool, interface: u32, frame: &[u8]) -> Vec<u8> {
    let fields = [interface, 0x18ea, 0xf4a1_0000, length(frame), length(frame)].map(|it| word(is_big, it)).concat();
    block(is_big, 6, &[&fields, frame].concat())
}

fn simple_block(is_big: bool, frame: &[u8]) -> Vec<u8> {
    block(is_big, 3, &[&word(is_big, length(frame))[..], frame].concat())
}

fn obsolete_block(is_big: bool, frame: &[u8]) -> Vec<u8> {
    let words = [0x18ea, 0xf4a2_0000, length(frame), length(frame)].map(|it| word(is_big, it)).concat();
    block(is_big, 2, &[&half(is_big, 0)[..], &half(is_big, 3), &words, frame].concat())
}

fn statistics_block(is_big: bool) -> Vec<u8> {
    let dropped = [&half(is_big, 5)[..], &half(is_big, 8), &[0, 0, 0, 0, 0, 0, 0, 7], &[0; 4]].concat();
    block(is_big, 5, &[&[0; 12][..], &dropped].concat())
}

const CSV: &str =
    "client,server,protocol,port,packets,bytes,bytes_to_server,connections,first_seen,last_seen,hours,outcome
10.0.0.1,10.0.0.9,tcp,5432,140,61000,7,12,2026-09-21T10:00:01.5Z,2026-09-21T15:59:58Z,5,established
\"10.0.0.2\",2001:db8::9,17,53,3,180,,3,,,70,oneway
# a comment

10.0.0.2,10.0.0.9,icmp,,8,,,4,2026-09-21T11:00:00+02:00,2026-09-21T11:10:00Z,,refused
";

const COLUMNS: &str = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n\
    #fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\tconn_state\thistory\torig_pkts\
    \torig_ip_bytes\tresp_pkts\tresp_ip_bytes\tvlan\tinner_vlan\ttunnel_parents\n\
    1789984801.250000\tC1\t10.0.0.1\t40000\t10.0.0.9\t5432\ttcp\t1.5\tSF\tShADadFf\t3\t180\t2\t96\t10\t-\t-\n\
    1789984802\tC2\t10.0.0.1\t3\tfe80::9\t3\ticmp\t-\tOTH\t-\t1\t28\t0\t0\t-\t-\t(empty)\n\
    1789984803.5\tC3\t10.0.0.1\t40001\t10.0.0.2\t53\tudp\t3600.5\tS0\t^dD\t1\t60\t9\t600\t-\t-\tC1,C2\n\
    #close\t2026-09-21-11-00-00\n";

const OBJECTS: &str = r#"{"_path":"conn","ts":1789984801.25,"uid":"C1","id.orig_h":"10.0.0.1","id.orig_p":40000,"id.resp_h":"10.0.0.9","id.resp_p":443,"proto":"tcp","conn_state":"S1","history":"ShADd","orig_pkts":3,"orig_ip_bytes":180,"resp_pkts":2,"resp_ip_bytes":96,"tunnel_parents":["C9"]}
{"ts":"2026-09-21T10:00:01.25Z","id":{"orig_h":"::1","orig_p":1,"resp_h":"::2","resp_p":53},"proto":"udp","duration":1e3,"conn_state":"SF","history":"Dd","vlan":7}
{"_path":"dns","id.orig_h":"10.0.0.1"}
"#;

const FLOWS: &str = r#"{"flow":{"time":"2026-09-21T10:00:01.25Z","verdict":"FORWARDED","IP":{"source":"10.0.0.1","destination":"10.0.0.9","ipVersion":"IPv4"},"l4":{"TCP":{"source_port":40000,"destination_port":5432,"flags":{"SYN":true}}},"is_reply":false,"trace_observation_point":"TO_ENDPOINT","Type":"L3_L4","event_type":{"type":4},"node_name":"kind/worker"},"node_name":"kind/worker","time":"2026-09-21T10:00:01.25Z"}
{"flow":{"time":{"seconds":1789984801,"nanos":5},"verdict":"DROPPED","drop_reason_desc":"POLICY_DENIED","IP":{"source":"fd00::1","destination":"fd00::9"},"l4":{"UDP":{"source_port":53,"destination_port":40000}},"l7":{"type":"RESPONSE","dns":{"query":"db.example.com.","ips":["10.0.0.7"],"ttl":30}},"is_reply":true,"Type":"L7"}}
{"lost_events":{"source":"HUBBLE_RING_BUFFER","num_events_lost":"7"}}
{"time":"2026-09-21T10:00:01Z","verdict":"AUDIT","IP":{"source":"10.0.0.1","destination":"10.0.0.9"},"l4":{"ICMPv4":{"type":8}},"Type":"L3_L4"}
"#;

const LOGGED: &str = r#"2026-09-21T10:00:01+0000 node-1 kernel: [16878.949480] NetworkPolicy-DROP: IN=vb OUT= MACSRC=f2:66:29:f1:c0:7b SRC=10.9.0.1 DST=10.9.0.2 LEN=60 TOS=0x00 TTL=64 ID=17916 DF PROTO=TCP SPT=59482 DPT=81 SEQ=2752775440 ACK=0 WINDOW=64240 RES=0x00 SYN URGP=0 OPT (020405B4)
<4>1 2026-09-21T10:00:01.5Z node-1 kernel - - [a@1 b="c"] [UFW BLOCK] IN= OUT=eth0 SRC=fd09:0000::1 DST=fd09::2 LEN=34 PROTO=UDP SPT=35626 DPT=53 LEN=14
{"__REALTIME_TIMESTAMP":"1789984801000000","_HOSTNAME":"n","MESSAGE":"DROP:IN=a OUT=b SRC=10.9.0.2 DST=10.9.0.1 PROTO=ICMP TYPE=3 CODE=3 [SRC=10.9.0.1 DST=10.9.0.2 PROTO=UDP SPT=1 DPT=2 ]"}
<4>Nov  9 10:20:18 node-1 kernel: DROP IN=vb OUT= SRC=10.9.0.1 DST=10.9.0.2 LEN=44 PROTO=UDP SPT=1 DPT=2
[Sun Nov 29 10:20:18 2026] DROP IN=vb OUT= SRC=10.9.0.1 DST=10.9.0.2 LEN=44 PROTO=UDP SPT=1 DPT=2
Sun 2026-09-21 10:20:18 UTC node-1 kernel: REJECT IN=vb OUT= SRC=10.9.0.1 DST=10.9.0.2 LEN=44 PROTO=132
"#;

/// Flow logs of each format, whole and of one line each.
fn logs() -> Vec<Vec<u8>> {
    let odd = format!("\u{feff}{}", CSV.replace('\n', "\r\n"));
    let long = format!("{CSV}{}\n{CSV}", "9,".repeat(33_000));
    let mut all = vec![odd, long];
    for (log, header_lines) in [(CSV, 1), (COLUMNS, 6), (OBJECTS, 0), (FLOWS, 0), (LOGGED, 0)] {
        let lines: Vec<&str> = log.split_inclusive('\n').collect();
        let (header, records) = lines.split_at(header_lines);
        all.push(log.to_owned());
        all.extend(records.iter().map(|record| format!("{}{record}", header.concat())));
    }
    all.into_iter().map(String::into_bytes).collect()
}

/// Payloads of the samples that tell names, and others of each kind, several in one input.
fn messages() -> Vec<Vec<u8>> {
    let mut payloads: Vec<(u8, Vec<u8>)> = Vec::new();
    for name in ["node-1", "node-2", "pod-api"] {
        let mut left = 12;
        sample(name, |link, data| {
            let frame = flowmap::capture::Frame {
                time: flowmap::model::Timestamp(0),
                link,
                interface: 0,
                wire_length: 0,
                data,
            };
            let Ok(packet) = decode(&frame) else { return };
            let (kind, data) = match packet.transport {
                Transport::Udp { src_port: 53, data, .. } => (0, data),
                Transport::Tcp { data: data @ [22, ..], .. } => (6, data),
                Transport::Tcp { data, .. } => (7, data),
                _ => return,
            };
            if left > 0 && may_tell(&packet) && !payloads.iter().any(|(_, known)| known == data) {
                left -= 1;
                payloads.push((kind, data.to_vec()));
            }
        });
    }
    payloads.extend(made());
    let input = |(kind, payload): &(u8, Vec<u8>)| {
        let length = u16::try_from(payload.len()).unwrap().to_le_bytes();
        [&[*kind][..], &length, payload].concat()
    };
    let several = |some: &[(u8, Vec<u8>)]| some.iter().flat_map(input).collect();
    payloads.chunks(1).chain(payloads.chunks(5)).map(several).collect()
}

/// Messages that the samples do not hold.
fn made() -> Vec<(u8, Vec<u8>)> {
    let dhcp = |kind: u8, reply: u8| {
        let mut message = vec![0; 240];
        (message[0], message[1], message[2], message[4]) = (reply, 1, 6, 7);
        message[16..20].copy_from_slice(&[10, 0, 0, 7]);
        message[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 7]);
        message[236..].copy_from_slice(&[0x63, 0x82, 0x53, 0x63]);
        message
            .extend([53, 1, kind, 12, 3, b'n', b'a', b's', 51, 4, 0, 0, 0, 60, 81, 6, 0, 0, 0, b'f', b'.', b'x', 255]);
        message
    };
    // an answer whose names point back, with an alias and addresses of both families
    let dns = [
        &[0, 1, 0x81, 0x80, 0, 1, 0, 3, 0, 0, 0, 0, 1, b'a', 2, b'b', b'c', 0, 0, 1, 0, 1][..],
        &[0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 4, 1, b'd', 0xc0, 14],
        &[0xc0, 34, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 7],
        &[0xc0, 34, 0, 28, 0, 1, 0, 0, 0, 60, 0, 16, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7],
    ]
    .concat();
    let pointer =
        b"\x00\x01\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x017\x010\x010\x0210\x07in-addr\x04arpa\x00\x00\x0c\x00\x01\
        \xc0\x0c\x00\x0c\x00\x01\x00\x00\x00\x3c\x00\x06\x01n\x02bc\x00";
    let mut announced = dns.clone();
    (announced[0], announced[1], announced[2]) = (0, 0, 0x84);
    let in_tcp = [&u16::try_from(dns.len()).unwrap().to_be_bytes()[..], &dns].concat();
    let hello = [
        &[22, 3, 1, 0, 70, 1, 0, 0, 66, 3, 3][..],
        &[9; 32],
        &[0, 0, 2, 0x13, 1, 1, 0, 0, 23, 0, 43, 0, 3, 2, 3, 4, 0, 0, 0, 12, 0, 10, 0, 0, 7],
        b"a.b.com",
    ]
    .concat();
    let request = b"GET / HTTP/1.1\r\nUser-Agent: x\r\nHost: shop.example:8080\r\n\r\n";
    vec![
        (5, dhcp(3, 1)),
        (4, dhcp(5, 2)),
        (0, dns.clone()),
        (3, dns),
        (0, pointer.to_vec()),
        (1, announced),
        (8, in_tcp),
        (6, hello),
        (7, request.to_vec()),
        (7, b"CONNECT db.example:443 HTTP/1.1\r\nHost: db.example:443\r\n\r\n".to_vec()),
        (7, b"GET http://x.example/ HTTP/1.1\r\nhost:x.example\r\n\r\n".to_vec()),
    ]
}

/// An IPv4 packet from 10.0.0.1 to 10.0.0.2, of UDP or TCP.
pub fn ipv4((src_port, dst_port, is_tcp): (u16, u16, bool), payload: &[u8]) -> Vec<u8> {
    const TCP: [u8; 12] = [0, 0, 0, 9, 0, 0, 0, 9, 0x50, 0x18, 1, 0];
    let payload = &payload[..payload.len().min(65_000)];
    let ports = [src_port.to_be_bytes(), dst_port.to_be_bytes()].concat();
    let datagram = u16::try_from(8 + payload.len()).unwrap().to_be_bytes();
    let (protocol, header) = if is_tcp {
        (6, [&ports[..], &TCP, &[0; 4]].concat())
    } else {
        (17, [&ports[..], &datagram, &[0, 0]].concat())
    };
    let length = u16::try_from(20 + header.len() + payload.len()).unwrap().to_be_bytes();
    let ip = [&[0x45, 0][..], &length, &[0, 1, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]].concat();
    [&ip, &header, payload].concat()
}

const HOSTS: &str = "# ours
address,name,role,site,vlan,labels
10.1.30.31,db-1,database,hq,30,tier=data;env=prod
10.1.40.0/24,\"printers, upstairs\",,hq,40,
2001:db8::53,resolver,\"a
b\",,,x
";

const HOST_LIST: &str = "- {address: 10.1.30.31, name: no, vlan: 30, labels: {tier: data, env: 1e3}}
- address: 10.1.40.0/24
  name: &n 'printers'
  site: hq
- {address: ::ffff:10.0.0.1, name: *n, labels: [a=b]}
";

/// Inventories: the sample's objects, some of each kind at a time as JSON and as YAML, and hosts files.
fn clusters() -> Vec<Vec<u8>> {
    const OF_A_KIND: usize = 3;
    let text = fs::read(root().join("samples/production/cluster.json")).unwrap();
    let list: Value = serde_json::from_slice(&text).unwrap();
    let mut kinds: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for item in list["items"].as_array().unwrap() {
        kinds.entry(item["kind"].as_str().unwrap()).or_default().push(item);
    }
    let some: Vec<&Value> = kinds.values().flat_map(|all| all.iter().take(OF_A_KIND).copied()).collect();
    let listed = |items: &[&Value]| json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
    let written =
        |items: &[&Value]| items.iter().map(|item| yaml::write(item).unwrap()).collect::<Vec<_>>().join("---\n");
    let mut texts = vec![listed(&some), written(&some), HOSTS.to_owned(), HOST_LIST.to_owned()];
    texts.push(HOSTS.replace('\n', "\r\n"));
    for all in kinds.values() {
        let few = &all[..all.len().min(OF_A_KIND)];
        texts.extend([listed(few), written(few), few[0].to_string()]);
    }
    texts.into_iter().map(String::into_bytes).collect()
}

const POLICY: &str = "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: api, namespace: production, labels: {a: b}}
spec:
  podSelector:
    matchLabels: {app: api}
    matchExpressions:
    - {key: tier, operator: In, values: ['', front]}
    - {key: app, operator: Exists}
  policyTypes: [Ingress, Egress]
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {team: a}}
      podSelector: {}
    - ipBlock: {cidr: 10.0.0.0/8, except: [10.244.0.0/16]}
    ports: [{port: 80, endPort: 8080}, {protocol: UDP, port: dns}, {}]
  - {}
  egress:
  - to: [{ipBlock: {cidr: 2001:db8::/32}}, {podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [db]}]}}]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: other}
---
[no, object]
";

/// Policies of whole clusters, in each version.
const CLUSTER_WIDE: &str = "apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: guard}
spec:
  priority: 10
  subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: api}}}}
  ingress:
  - {name: one, action: Pass, from: [{namespaces: {matchLabels: {team: a}}}], ports: [{namedPort: http}]}
  - {action: Deny, from: [{pods: {namespaceSelector: {}, podSelector: {}}}], ports: [{portRange: {start: 80, end: 8080}}]}
  egress:
  - {action: Allow, to: [{domainNames: ['*.example.org']}, {nodes: {}}], ports: [{portNumber: {protocol: UDP, port: 53}}]}
---
apiVersion: policy.networking.k8s.io/v1alpha1
kind: BaselineAdminNetworkPolicy
metadata: {name: default}
spec:
  subject: {namespaces: {}}
  egress: [{action: Deny, to: [{networks: [10.0.0.0/8, '2001:db8::/32']}]}]
---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: guard}
spec: {tier: Baseline, priority: 0, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}
---
apiVersion: policy.networking.k8s.io/v1beta1
kind: ClusterNetworkPolicy
metadata: {name: other}
spec:
  tier: Admin
  priority: 1000
  subject: {namespaces: {}}
  egress:
  - action: Deny
    to: [{networks: [0.0.0.0/0, '::/0']}]
    protocols: [{tcp: {destinationPort: {number: 80}}}, {sctp: {destinationPort: {range: {start: 1, end: 65535}}}}]
";

/// Policies: the sample's proposal, those of every feature, and one in a List.
fn manifests() -> Vec<Vec<u8>> {
    let folder = root().join("policies-out/production");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    let mut texts: Vec<String> = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    texts.extend([POLICY, CLUSTER_WIDE].map(str::to_owned));
    let object = yaml::read_all(POLICY.split("---").next().unwrap()).unwrap().remove(0);
    texts.push(object.to_string());
    texts.push(json!({"apiVersion": "v1", "kind": "List", "items": [object, {"kind": "Pod"}]}).to_string());
    texts.into_iter().map(String::into_bytes).collect()
}
