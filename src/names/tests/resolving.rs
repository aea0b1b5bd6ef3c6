//! DNS, multicast DNS.

use super::{
    super::dns::{Answer, announcements, answers},
    *,
};

fn told(address: &str, name: &str, ttl_s: u32) -> Answer {
    Answer { address: super::address(address), name: Some(super::name(name)), ttl_s, is_reverse: false }
}

fn reverse(address: &str, name: &str, ttl_s: u32) -> Answer {
    Answer { is_reverse: true, ..told(address, name, ttl_s) }
}

/// As a name server writes it: www is an alias of cdn, which has two addresses; names are compressed.
const ALIASED: &[u8] = b"\x12\x34\x81\x80\x00\x01\x00\x03\x00\x00\x00\x00\
    \x03WWW\x07example\x03com\x00\x00\x01\x00\x01\
    \xc0\x0c\x00\x05\x00\x01\x00\x00\x01\x2c\x00\x06\x03cdn\xc0\x10\
    \xc0\x2d\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xcb\x00\x71\x09\
    \xc0\x2d\x00\x01\x00\x01\x00\x00\x02\x58\x00\x04\xcb\x00\x71\x0a";

#[test]
fn addresses_are_told_under_the_name_that_was_asked_for_the_shortest_time_on_the_way() {
    let expected = [told("203.0.113.9", "www.example.com", 60), told("203.0.113.10", "www.example.com", 300)];
    assert_eq!(answers(ALIASED), expected);
}

#[test]
fn of_a_message_that_is_cut_the_whole_records_count() {
    let whole = answers(ALIASED);
    // behind the alias, the first address, and the second
    let ends = [51, 67, 83];
    assert_eq!(ALIASED.len(), ends[2]);
    for cut in 0..=ALIASED.len() {
        let count = ends[1..].iter().filter(|end| cut >= **end).count();
        assert_eq!(answers(&ALIASED[..cut]), whole[..count], "{cut} bytes");
    }
}

#[test]
fn aliases_may_stand_in_any_order_and_in_a_circle() {
    let alias = |from: &str, to: &str| record(&labels(from), 5, 1, 60, &labels(to));
    let chain = [
        record(&labels("c.example"), 1, 1, 60, &[203, 0, 113, 9]),
        alias("b.example", "c.example"),
        alias("a.example", "b.example"),
    ];
    assert_eq!(answers(&response("a.example", &chain)), [told("203.0.113.9", "a.example", 60)]);
    let circle = [alias("a.example", "b.example"), alias("b.example", "a.example")];
    assert_eq!(answers(&response("a.example", &circle)), []);
    let far: Vec<Vec<u8>> = (0..100)
        .map(|n| alias(&format!("n{n}.example"), &format!("n{}.example", n + 1)))
        .chain([record(&labels("n100.example"), 1, 1, 60, &[203, 0, 113, 9])])
        .collect();
    assert_eq!(answers(&response("n0.example", &far)), []);
    assert_eq!(answers(&response("n90.example", &far)), [told("203.0.113.9", "n90.example", 60)]);
}

#[test]
fn aliases_lead_over_names_that_are_not_of_hosts() {
    let alias = |from: &[u8], to: &[u8]| record(from, 5, 1, 60, to);
    // a prefix in the place of a label, as RFC 2317 delegates parts of the reverse tree
    let (asked, below) = ("9.113.0.203.in-addr.arpa", labels("9.0/25.113.0.203.in-addr.arpa"));
    let pointer = record(&below, 12, 1, 3_600, &labels("host-9.example"));
    let chain = [alias(&labels(asked), &below), pointer];
    assert_eq!(answers(&response(asked, &chain)), [reverse("203.0.113.9", "host-9.example", 60)]);
    let address = |owner: &[u8]| record(owner, 1, 1, 300, &[203, 0, 113, 9]);
    let chain = [alias(&labels("www.example"), &labels("*.cdn.example")), address(&labels("*.CDN.example"))];
    assert_eq!(answers(&response("www.example", &chain)), [told("203.0.113.9", "www.example", 60)]);
    // a dot within a label parts no labels
    let dotted = b"\x05a.cdn\x07example\0";
    let chain = [alias(&labels("www.example"), dotted), address(&labels("a.cdn.example"))];
    assert_eq!(answers(&response("www.example", &chain)), []);
    // what is no name of a host at the end is told as such
    let chain = [alias(&labels(asked), &below), record(&below, 12, 1, 60, &labels("a b.example"))];
    let names: Vec<_> = answers(&response(asked, &chain)).into_iter().map(|answer| answer.name).collect();
    assert_eq!(names, [None]);
}

#[test]
fn what_was_not_asked_is_not_believed() {
    let stranger = record(&labels("bank.example"), 1, 1, 60, &[203, 0, 113, 66]);
    let own = record(&labels("www.example"), 28, 1, 60, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
    let message = response("www.example", &[stranger.clone(), own.clone()]);
    assert_eq!(answers(&message), [told("2001:db8::9", "www.example", 60)]);
    let without_question = [&header(0x8180, [0, 1, 0, 0])[..], &own].concat();
    assert_eq!(answers(&without_question), []);
    // what is added behind the answers is not asked for either
    let mut additional = response("www.example", &[]);
    additional.splice(10..12, [0, 1]);
    additional.extend(own);
    assert_eq!(answers(&additional), []);
}

#[test]
fn questions_and_errors_tell_nothing() {
    let address = record(&labels("a.example"), 1, 1, 60, &[203, 0, 113, 9]);
    let message = response("a.example", &[address]);
    for (flags, count) in [(0x0100, 0), (0x8183, 0), (0x8182, 0), (0xa180, 0), (0x8180, 1), (0x8380, 1), (0x8580, 1)] {
        let flagged = [&message[..2], &u16::to_be_bytes(flags), &message[4..]].concat();
        assert_eq!(answers(&flagged).len(), count, "{flags:04x}");
    }
}

#[test]
fn a_time_with_its_highest_bit_set_is_none() {
    let message = |ttl_s| response("a.example", &[record(&labels("a.example"), 1, 1, ttl_s, &[203, 0, 113, 9])]);
    assert_eq!(answers(&message(0x7fff_ffff))[0].ttl_s, 0x7fff_ffff);
    assert_eq!(answers(&message(0x8000_0000))[0].ttl_s, 0);
    assert_eq!(answers(&message(u32::MAX))[0].ttl_s, 0);
}

#[test]
fn names_that_point_in_circles_or_forward_end_the_message() {
    let question_at = 12;
    let cases: [&[u8]; 5] = [
        // to itself; to a label before it that leads there again; forward; two that point at each other; past the end
        &[0xc0, question_at],
        &[1, b'a', 0xc0, question_at],
        &[0xc0, 0x20, 0, 0],
        &[0xc0, question_at + 2, 0xc0, question_at],
        &[0xff, 0xff],
    ];
    for case in cases {
        let address = record(&[0xc0, 12], 1, 1, 60, &[203, 0, 113, 9]);
        let message = [&header(0x8180, [1, 1, 0, 0])[..], case, &[0, 1, 0, 1], &address].concat();
        assert_eq!(answers(&message), [], "{case:02x?}");
    }
}

#[test]
fn a_name_that_leads_on_and_on_is_given_up() {
    // the data of a text record are pointers, each to the one before it and the first to the name that was asked
    let message = |count: u16| {
        let data_at = response("a.example", &[]).len() + 12;
        let place = |n: u16| u16::try_from(data_at).unwrap() + n * 2;
        let pointer = |to: u16| (0xc000 | to).to_be_bytes();
        let data: Vec<u8> = (0..count).flat_map(|n| pointer(if n == 0 { 12 } else { place(n - 1) })).collect();
        let text = record(&[0xc0, 12], 16, 1, 60, &data);
        let address = record(&pointer(place(count - 1)), 1, 1, 60, &[203, 0, 113, 9]);
        response("a.example", &[text, address])
    };
    assert_eq!(answers(&message(5)), [told("203.0.113.9", "a.example", 60)]);
    assert_eq!(answers(&message(31)), [told("203.0.113.9", "a.example", 60)]);
    assert_eq!(answers(&message(32)), []);
    assert_eq!(answers(&message(5_000)), []);
}

#[test]
fn counts_that_promise_more_than_there_is_are_only_words() {
    let mut message = response("a.example", &[record(&labels("a.example"), 1, 1, 60, &[203, 0, 113, 9])]);
    message.splice(6..8, [0xff, 0xff]);
    assert_eq!(answers(&message).len(), 1);
    let many: Vec<_> = (0..1_000u32).map(|n| record(&[0xc0, 12], 1, 1, 60, &n.to_be_bytes())).collect();
    assert_eq!(answers(&response("a.example", &many)).len(), 256);
    // a length of data that is none
    let mut short = response("a.example", &[record(&[0xc0, 12], 1, 1, 60, &[203, 0, 113])]);
    assert_eq!(answers(&short), []);
    let length_at = short.len() - 5;
    short.splice(length_at..length_at + 2, [0xff, 0xff]);
    assert_eq!(answers(&short), []);
}

#[test]
fn an_address_that_is_asked_for_its_name_has_it() {
    let pointer = |asked: &str, name: &str| response(asked, &[record(&labels(asked), 12, 1, 3_600, &labels(name))]);
    let v4 = pointer("9.113.0.203.in-addr.arpa", "host-9.example.net");
    assert_eq!(answers(&v4), [reverse("203.0.113.9", "host-9.example.net", 3_600)]);
    let v6 = "9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
    assert_eq!(answers(&pointer(v6, "nine.example")), [reverse("2001:db8::9", "nine.example", 3_600)]);
    for no_address in
        ["113.0.203.in-addr.arpa", "9.9.113.0.203.in-addr.arpa", "x.113.0.203.in-addr.arpa", "9.8.ip6.arpa"]
    {
        assert_eq!(answers(&pointer(no_address, "host.example")), [], "{no_address}");
    }
    assert_eq!(answers(&pointer("_http._tcp.example", "printer._http._tcp.example")), []);
}

#[test]
fn bytes_that_are_no_name_are_reported_as_such() {
    for label in [&b"a b"[..], b"a.b", b"\x1b[2J", b"#", b"\n"] {
        let owner = [&[u8::try_from(label.len()).unwrap()][..], label, b"\x07example\0"].concat();
        let question = [&owner[..], &[0, 1, 0, 1]].concat();
        let address = record(&[0xc0, 12], 1, 1, 60, &[203, 0, 113, 9]);
        let message = [&header(0x8180, [1, 1, 0, 0])[..], &question, &address].concat();
        let names: Vec<_> = answers(&message).into_iter().map(|answer| answer.name).collect();
        assert_eq!(names, [None], "{label:?}");
    }
}

#[test]
fn a_host_that_says_goodbye_claims_no_name() {
    let message = |ttl_s| {
        let records = [
            record(&labels("printer.local"), 1, 0x8001, ttl_s, &[192, 168, 1, 50]),
            record(&labels("50.1.168.192.in-addr.arpa"), 12, 0x8001, ttl_s, &labels("printer.local")),
            record(&labels("a b.local"), 1, 0x8001, ttl_s, &[192, 168, 1, 50]),
        ];
        [&header(0x8400, [0, 3, 0, 0])[..], &records.concat()].concat()
    };
    assert_eq!(announcements(&message(120)).len(), 3);
    assert_eq!(announcements(&message(0)), []);
    // an answer to a question that holds no longer than its connection is one all the same
    let answer = record(&labels("a.example"), 1, 1, 0, &[203, 0, 113, 9]);
    assert_eq!(answers(&response("a.example", &[answer])), [told("203.0.113.9", "a.example", 0)]);
}

#[test]
fn what_hosts_announce_counts_for_names_of_the_link_alone() {
    // the highest bit of the class says that older records of the name are void
    let flush = 0x8001;
    let records = [
        record(&labels("_http._tcp.local"), 12, 1, 120, &labels("printer._http._tcp.local")),
        record(&labels("Printer.local"), 1, flush, 120, &[192, 168, 1, 50]),
        record(&labels("printer.local"), 28, flush, 120, &[0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x50]),
        record(&labels("50.1.168.192.in-addr.arpa"), 12, flush, 120, &labels("printer.local")),
        record(&labels("bank.example"), 1, flush, 120, &[192, 168, 1, 66]),
        record(&labels("66.1.168.192.in-addr.arpa"), 12, flush, 120, &labels("bank.example")),
    ];
    let expected = [
        told("192.168.1.50", "printer.local", 120),
        told("fe80::50", "printer.local", 120),
        reverse("192.168.1.50", "printer.local", 120),
    ];
    // among the answers, the additional records, and behind a question
    assert_eq!(announcements(&[&header(0x8400, [0, 6, 0, 0])[..], &records.concat()].concat()), expected);
    assert_eq!(announcements(&[&header(0x8400, [0, 1, 0, 5])[..], &records.concat()].concat()), expected);
    let question = [&labels("printer.local")[..], &[0, 1, 0, 1]].concat();
    assert_eq!(announcements(&[&header(0x8400, [1, 6, 0, 0])[..], &question, &records.concat()].concat()), expected);
    assert_eq!(announcements(&[&header(0x0000, [0, 6, 0, 0])[..], &records.concat()].concat()), []);
}
