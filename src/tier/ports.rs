//! What ports tell of a job: knowledge beside the traffic, for what hosts everywhere need and for stores.

use super::token::Service;
use crate::model::{Protocol, well_known};

/// What hosts need whatever their work is, and what no application is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    Names,
    Time,
    Identity,
    Records,
    Addresses,
}

impl Need {
    /// What a role that serves it is said to do.
    pub fn told(self) -> &'static str {
        match self {
            Self::Names => "it names hosts for others",
            Self::Time => "it tells others the time",
            Self::Identity => "it tells others who somebody is",
            Self::Records => "it takes the logs, figures or traces of others",
            Self::Addresses => "it gives addresses to others",
        }
    }
}

/// By what protocols a port is used.
#[derive(Clone, Copy)]
enum By {
    Both,
    Tcp,
    Udp,
}

impl By {
    fn has(self, protocol: Protocol) -> bool {
        match self {
            Self::Both => matches!(protocol, Protocol::TCP | Protocol::UDP),
            Self::Tcp => protocol == Protocol::TCP,
            Self::Udp => protocol == Protocol::UDP,
        }
    }
}

/// Ports registered with IANA or given by vendors for one use alone: DHCP; DNS and DNS over TLS; NTP; Kerberos with its passwords, LDAP
/// with the global catalogue of Active Directory, TACACS+, RADIUS; syslog, Beats, statsd, GELF, Fluentd, OpenTelemetry.
const NEEDS: [(u16, By, Need); 23] = [
    (well_known::DHCP_SERVER, By::Udp, Need::Addresses),
    (well_known::DHCP_V6_SERVER, By::Udp, Need::Addresses),
    (53, By::Both, Need::Names),
    (853, By::Both, Need::Names),
    (123, By::Udp, Need::Time),
    (49, By::Tcp, Need::Identity),
    (88, By::Both, Need::Identity),
    (389, By::Both, Need::Identity),
    (464, By::Both, Need::Identity),
    (636, By::Tcp, Need::Identity),
    (1812, By::Udp, Need::Identity),
    (1813, By::Udp, Need::Identity),
    (3268, By::Tcp, Need::Identity),
    (3269, By::Tcp, Need::Identity),
    (514, By::Both, Need::Records),
    (601, By::Tcp, Need::Records),
    (4317, By::Tcp, Need::Records),
    (4318, By::Tcp, Need::Records),
    (5044, By::Tcp, Need::Records),
    (6514, By::Both, Need::Records),
    (8125, By::Udp, Need::Records),
    (12201, By::Both, Need::Records),
    (24224, By::Both, Need::Records),
];

/// What hosts everywhere need of a service.
pub(super) fn need(service: Service) -> Option<Need> {
    let is_it = |(port, by, _): &&(u16, By, Need)| *port == service.port() && by.has(service.protocol());
    NEEDS.iter().find(is_it).map(|(_, _, need)| *need)
}

/// Ports on which databases, caches, queues and file servers are reached, by their vendors' defaults and IANA: SMB, SQL
/// Server, Oracle, NFS, `ZooKeeper`, etcd, iSCSI, `MySQL`, NATS, `PostgreSQL`, AMQP, `CouchDB`, Redis and its
/// Sentinel, Ceph, Neo4j, `InfluxDB`, Cassandra, Kafka, Elasticsearch, memcached, `CockroachDB`, `MongoDB`, `RethinkDB`, Db2.
const STORE_PORTS: [u16; 35] = [
    445, 1433, 1521, 2049, 2181, 2379, 2380, 3260, 3306, 3300, 4222, 5432, 5433, 5671, 5672, 5984, 6379, 6380, 6432,
    6789, 7474, 7687, 8086, 9042, 9092, 9200, 9300, 11211, 26257, 26379, 27017, 27018, 27019, 28015, 50000,
];

/// Whether a store is reached there.
pub(super) fn is_store(service: Service) -> bool {
    STORE_PORTS.contains(&service.port()) && service.protocol().has_ports()
}

/// Kafka over TLS, but Prometheus' Alertmanager too: who calls there tells the two apart.
pub(super) fn is_kafka_or_alerts(service: Service) -> bool {
    service == Service::new(Protocol::TCP, 9093)
}

/// Prometheus, what belongs to it and its exporters have these by default.
const FIGURES_PORTS: std::ops::RangeInclusive<u16> = 9_090..=9_999;

/// Whether figures may be read there. Others are free to use these ports too.
pub(super) fn is_figures(service: Service) -> bool {
    FIGURES_PORTS.contains(&service.port()) && service.protocol() == Protocol::TCP
}

/// SSH, Telnet, RDP, `WinRM` over HTTP and HTTPS: where a host is administered, whatever its work is.
const ADMINISTRATION_PORTS: [u16; 5] = [22, 23, 3389, 5985, 5986];

/// Whether hosts are administered there.
pub(super) fn is_administration(service: Service) -> bool {
    ADMINISTRATION_PORTS.contains(&service.port()) && matches!(service.protocol(), Protocol::TCP | Protocol::UDP)
}
