use super::Protocol;

/// Ports above the privileged ones on which servers listen by custom (IANA registry and the defaults of widespread
/// servers). Sorted, for binary search.
const REGISTERED: [u16; 62] = [
    1194, 1433, 1521, 1883, 2049, 2181, 2375, 2376, 2379, 2380, 3000, 3128, 3260, 3268, 3306, 3389, 4222, 4240, 4317,
    4318, 4789, 5000, 5060, 5222, 5353, 5432, 5601, 5671, 5672, 5900, 5984, 6379, 6443, 6831, 7000, 7001, 7946, 8000,
    8080, 8081, 8086, 8123, 8125, 8200, 8300, 8301, 8443, 8472, 8500, 8888, 9000, 9042, 9090, 9092, 9100, 9153, 9200,
    9300, 9411, 10250, 11211, 27017,
];

/// Linux gives clients ports from here on (`net.ipv4.ip_local_port_range`); others begin higher.
const FIRST_EPHEMERAL: u16 = 32_768;

/// How likely a server listens on a port, judged by its number alone; 0 says nothing.
#[must_use]
pub fn service_port_rank(protocol: Protocol, port: u16) -> u8 {
    match port {
        0 => 0,
        _ if !protocol.has_ports() => 0,
        1..1_024 => 3,
        _ if REGISTERED.binary_search(&port).is_ok() => 2,
        1_024..FIRST_EPHEMERAL => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registered_ports_are_sorted() {
        assert!(REGISTERED.is_sorted());
        assert_eq!(service_port_rank(Protocol::TCP, 5_432), 2);
        assert_eq!(service_port_rank(Protocol::TCP, 40_000), 0);
        assert_eq!(service_port_rank(Protocol::ICMP, 80), 0);
    }
}
