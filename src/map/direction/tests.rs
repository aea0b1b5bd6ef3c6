use crate::{
    map::tests::{handshake, map_of, midstream, seen},
    model::{Cluster, Dependency, Direction, Flags, Observation, Opening, Outcome, Protocol, Trace},
};

/// What is known of a connection between `client` and `server` that was met in its middle, after these openings and
/// among these others: the same, whichever way round it was laid. `None` where client and server were taken for each other.
#[track_caller]
fn told(openings: &[&str], others: &[&str], client: &str, server: &str) -> Option<Direction> {
    let mut known: Vec<Observation> = openings.iter().map(|ends| handshake(ends, 7)).collect();
    known.extend(others.iter().map(|ends| midstream(ends)));
    let [forth, back] = [format!("{client} > {server}"), format!("{server} > {client}")].map(|ends| {
        let all: Vec<Observation> = known.iter().cloned().chain([midstream(&ends)]).collect();
        verdict(&map_of(&all, &Cluster::default()), client, server)
    });
    assert_eq!(forth, back, "{client} {server}");
    forth
}

fn verdict(map: &[Dependency], client: &str, server: &str) -> Option<Direction> {
    let found = |client: &str, server: &str| {
        let (client, (server, port)) = (client.rsplit_once(':').unwrap().0, server.rsplit_once(':').unwrap());
        let is_it = |it: &&Dependency| {
            it.outcome == Outcome::Midstream
                && (it.client.name.as_str(), it.server.name.as_str()) == (client, server)
                && it.port.to_string() == port
        };
        map.iter().find(is_it).map(|it| it.direction)
    };
    let back = found(server, client).filter(|direction| *direction == Direction::Unknown);
    found(client, server).or(back)
}

#[test]
fn a_client_that_sends_data_has_met_a_listener_also_where_its_answer_is_lost() {
    let flags = Flags::ASKED.with(Flags::FROM_SRC).with(Flags::FROM_DST).with(Flags::PAYLOAD);
    let opened =
        seen(Opening::Seen, "10.0.0.9:40001 > 10.0.0.2:50005", Trace { identity: 7, flags, ..Trace::default() });
    let map = map_of(&[opened, midstream("10.0.0.2:50005 > 10.0.0.1:40000")], &Cluster::default());
    assert_eq!(verdict(&map, "10.0.0.1:40000", "10.0.0.2:50005"), Some(Direction::Listener));
}

#[test]
fn the_numbers_of_the_ports_tell_the_server() {
    // client, server
    let cases = [
        ("10.0.0.1:40000", "10.0.0.2:8080"),
        // a client of the superuser, once on a port that is also a service's
        ("10.0.0.1:1022", "10.0.0.2:22"),
        ("10.0.0.1:993", "10.0.0.2:2049"),
        // neither is assigned
        ("10.0.0.1:40000", "10.0.0.2:7654"),
        ("10.0.0.1:40000", "10.0.0.2:3002"),
        // a server of FTP opens data connections from port 20
        ("10.0.0.1:20", "10.0.0.2:40000"),
        ("10.0.0.1:20", "10.0.0.2:1055"),
    ];
    for (client, server) in cases {
        assert_eq!(told(&[], &[], client, server), Some(Direction::Port), "{client} > {server}");
    }
}

#[test]
fn ports_that_may_be_either_sides_tell_nothing() {
    let cases = [
        ("10.0.0.1:40000", "10.0.0.2:50005"),
        ("10.0.0.1:1055", "10.0.0.2:7654"),
        ("10.0.0.1:700", "10.0.0.2:50005"),
        ("10.0.0.1:5060", "10.0.0.2:5060"),
        // customary, but within reach of clients
        ("10.0.0.1:50051", "10.0.0.2:7654"),
    ];
    for (client, server) in cases {
        assert_eq!(told(&[], &[], client, server), Some(Direction::Unknown), "{client} > {server}");
    }
}

#[test]
fn a_client_that_calls_many_services_from_one_port_is_no_server() {
    let calls = ["10.0.0.1:45000 > 10.0.0.3:443", "10.0.0.1:45000 > 10.0.0.4:443", "10.0.0.1:45000 > 10.0.0.5:5432"];
    assert_eq!(told(&[], &calls, "10.0.0.1:45000", "10.0.0.6:8080"), Some(Direction::Port));
    assert_eq!(told(&[], &calls, "10.0.0.1:45000", "10.0.0.6:50005"), Some(Direction::Unknown));
}

#[test]
fn a_server_that_opens_many_data_connections_is_their_client() {
    let data = ["10.0.0.1:20 > 10.0.0.2:40001", "10.0.0.1:20 > 10.0.0.2:40002", "10.0.0.1:20 > 10.0.0.3:40003"];
    assert_eq!(told(&[], &data, "10.0.0.1:20", "10.0.0.2:40000"), Some(Direction::Port));
    // stronger evidence stands
    let listens = ["10.0.0.9:40000 > 10.0.0.1:20"];
    assert_eq!(told(&listens, &data, "10.0.0.2:40000", "10.0.0.1:20"), Some(Direction::Listener));
}

#[test]
fn a_port_that_stays_while_the_others_change_is_listened_on() {
    let (client, server) = ("10.0.0.1:40001", "10.0.0.2:50005");
    assert_eq!(told(&[], &["10.0.0.1:40002 > 10.0.0.2:50005"], client, server), Some(Direction::FanIn));
    // seen before and after translation, one connection has two servers
    assert_eq!(told(&[], &["10.0.0.1:40001 > 10.0.0.3:50006"], client, server), Some(Direction::Unknown));
}

#[test]
fn who_asks_for_a_port_is_the_client_there() {
    let asks = |port: u16| format!("10.0.0.1:1050 > 10.0.0.2:{port}");
    for giver in [21, 111, 135, 1099] {
        let told = told(&[&asks(giver)], &[], "10.0.0.1:1055", "10.0.0.2:50005");
        assert_eq!(told, Some(Direction::Port), "{giver}");
    }
    // its port may be one that it serves on, or that a translator gave it
    assert_eq!(told(&[&asks(21)], &[], "10.0.0.1:7654", "10.0.0.2:50005"), Some(Direction::Unknown));
    // that it calls another service tells nothing, but that its system gives clients such ports
    assert_eq!(told(&[&asks(80)], &[], "10.0.0.1:1055", "10.0.0.2:50005"), Some(Direction::Unknown));
}

#[test]
fn who_asks_for_a_port_of_streams_is_not_thereby_the_client_of_datagrams() {
    let flags = Flags::FROM_SRC.with(Flags::FROM_DST).with(Flags::SRC_FIRST);
    let mut datagrams = seen(Opening::Unseen, "10.0.0.2:50005 > 10.0.0.1:40001", Trace { flags, ..Trace::default() });
    datagrams.key.protocol = Protocol::UDP;
    let told = |giver: u16| {
        let asks = handshake(&format!("10.0.0.1:40000 > 10.0.0.2:{giver}"), 7);
        let map = map_of(&[asks, datagrams.clone()], &Cluster::default());
        let it = map.iter().find(|it| it.protocol == Protocol::UDP).unwrap();
        (it.client.name.clone(), it.direction)
    };
    assert_eq!([21, 1099].map(told), [(); 2].map(|()| ("10.0.0.2".to_owned(), Direction::Order)));
    assert_eq!([111, 135].map(told), [(); 2].map(|()| ("10.0.0.1".to_owned(), Direction::Port)));
}

#[test]
fn a_port_that_others_serve_on_is_a_servers() {
    let others =
        ["10.0.0.9:40000 > 10.0.0.3:7654", "10.0.0.9:40001 > 10.0.0.4:50005", "10.0.0.9:40002 > 10.0.0.5:50005"];
    assert_eq!(told(&others, &[], "10.0.0.1:7655", "10.0.0.2:7654"), Some(Direction::Port));
    assert_eq!(told(&others, &[], "10.0.0.1:40000", "10.0.0.2:50005"), Some(Direction::Port));
    // one alone had a port of the clients' range by chance
    assert_eq!(told(&others[..2], &[], "10.0.0.1:40000", "10.0.0.2:50005"), Some(Direction::Unknown));
}
