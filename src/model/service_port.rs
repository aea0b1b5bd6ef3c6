use std::ops::RangeInclusive;

use super::Protocol;

/// The ports that older systems give to clients: BSD to 4.4, and Windows to 2003.
pub const EARLY_PORTS: RangeInclusive<u16> = 1_024..=5_000;

/// What a port's number says of who uses it, the likelier a server the higher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortKind {
    /// No port, or one that systems give to clients: from 32768 on Linux, from 49152 elsewhere (RFC 6335, section 6).
    Ephemeral,
    /// Below 1024 and nobody's: `bindresvport` and the kernel's Sun RPC give these to clients of the superuser.
    Reserved,
    /// One of [`EARLY_PORTS`]; servers have them too.
    Early,
    /// Chosen by whoever runs the server.
    Custom,
    /// Assigned or customary, among those that systems give to clients.
    HighService,
    /// Assigned or customary.
    Service,
    /// Assigned or customary below 1024, among those that clients of the superuser get.
    Privileged,
    /// Nobody but servers, and those who call one another as equals, has such a port.
    System,
}

impl PortKind {
    /// By the number alone.
    #[must_use]
    pub fn of(port: u16) -> Self {
        let is_listed = SERVICES.binary_search(&port).is_ok();
        match port {
            0 => Self::Ephemeral,
            // the latter two are NFS's, which clients call from reserved ports
            1..FIRST_RESERVED | 2_049 | 20_048 => Self::System,
            FIRST_RESERVED..1_024 if is_listed => Self::Privileged,
            FIRST_RESERVED..1_024 => Self::Reserved,
            1_024..FIRST_EPHEMERAL if is_listed => Self::Service,
            _ if EARLY_PORTS.contains(&port) => Self::Early,
            1_024..FIRST_EPHEMERAL => Self::Custom,
            _ if is_listed => Self::HighService,
            _ => Self::Ephemeral,
        }
    }

    /// Whether servers are known to listen on it.
    #[must_use]
    pub fn is_service(self) -> bool {
        self >= Self::HighService
    }

    /// Whether this is certainly enough the server's of two. Clients get ports like [`PortKind::HighService`] by chance,
    /// and servers those that are not listed.
    #[must_use]
    pub fn outranks(self, other: Self) -> bool {
        match self {
            Self::HighService => other <= Self::Reserved,
            _ => self.is_service() && self > other,
        }
    }
}

/// How likely a server listens on a port, judged by its number alone; 0 says nothing.
#[must_use]
pub fn service_port_rank(protocol: Protocol, port: u16) -> u8 {
    if protocol.has_ports() { PortKind::of(port) as u8 } else { 0 }
}

/// glibc's `bindresvport` gives clients ports from here on, the kernel's Sun RPC (`sunrpc.min_resvport`) higher ones.
const FIRST_RESERVED: u16 = 600;

/// Linux gives clients ports from here on (`net.ipv4.ip_local_port_range`); others begin higher.
const FIRST_EPHEMERAL: u16 = 32_768;

/// Ports from 600 on where servers listen: assigned ones that are in wide use (IANA "Service Name and Transport Protocol
/// Port Number Registry") and the defaults of widespread servers. Sorted, for binary search.
const SERVICES: [u16; 658] = [
    623, 631, 636, 646, 647, 694, 749, 750, 853, 860, 873, 902, 903, 953, 989, 990, 992, 993, 995, 1_080, 1_099, 1_194,
    1_234, 1_241, 1_311, 1_352, 1_414, 1_433, 1_434, 1_494, 1_521, 1_526, 1_527, 1_604, 1_645, 1_646, 1_688, 1_701,
    1_717, 1_719, 1_720, 1_723, 1_755, 1_801, 1_812, 1_813, 1_830, 1_880, 1_883, 1_900, 1_911, 1_935, 1_962, 1_985,
    2_000, 2_048, 2_055, 2_082, 2_083, 2_086, 2_087, 2_095, 2_096, 2_103, 2_105, 2_107, 2_123, 2_152, 2_181, 2_222,
    2_345, 2_375, 2_376, 2_377, 2_379, 2_380, 2_381, 2_404, 2_427, 2_455, 2_483, 2_484, 2_525, 2_598, 2_601, 2_604,
    2_605, 2_638, 2_701, 2_746, 2_775, 2_809, 2_869, 2_883, 2_888, 2_945, 2_947, 2_967, 3_000, 3_001, 3_050, 3_128,
    3_142, 3_205, 3_260, 3_268, 3_269, 3_283, 3_299, 3_300, 3_306, 3_310, 3_311, 3_351, 3_389, 3_391, 3_478, 3_493,
    3_527, 3_532, 3_632, 3_689, 3_690, 3_702, 3_780, 3_784, 3_868, 3_888, 3_899, 4_000, 4_001, 4_040, 4_045, 4_070,
    4_118, 4_150, 4_151, 4_160, 4_161, 4_190, 4_222, 4_240, 4_244, 4_245, 4_369, 4_373, 4_430, 4_443, 4_444, 4_459,
    4_460, 4_500, 4_505, 4_506, 4_567, 4_568, 4_569, 4_646, 4_647, 4_648, 4_662, 4_712, 4_713, 4_730, 4_739, 4_789,
    4_840, 4_843, 4_848, 4_899, 4_949, 5_000, 5_001, 5_004, 5_005, 5_007, 5_010, 5_020, 5_022, 5_044, 5_045, 5_050,
    5_051, 5_060, 5_061, 5_080, 5_094, 5_190, 5_222, 5_223, 5_228, 5_269, 5_280, 5_298, 5_351, 5_353, 5_355, 5_357,
    5_432, 5_433, 5_443, 5_480, 5_500, 5_540, 5_550, 5_555, 5_556, 5_557, 5_558, 5_590, 5_601, 5_631, 5_632, 5_666,
    5_667, 5_671, 5_672, 5_683, 5_684, 5_693, 5_701, 5_722, 5_723, 5_800, 5_858, 5_900, 5_901, 5_938, 5_984, 5_985,
    5_986, 5_988, 5_989, 6_000, 6_001, 6_002, 6_063, 6_066, 6_081, 6_082, 6_123, 6_160, 6_343, 6_379, 6_380, 6_432,
    6_443, 6_444, 6_513, 6_514, 6_543, 6_556, 6_566, 6_600, 6_633, 6_640, 6_641, 6_642, 6_650, 6_651, 6_653, 6_660,
    6_661, 6_662, 6_663, 6_664, 6_665, 6_666, 6_667, 6_668, 6_669, 6_697, 6_699, 6_783, 6_789, 6_800, 6_831, 6_832,
    6_881, 6_969, 7_000, 7_001, 7_002, 7_004, 7_070, 7_071, 7_077, 7_080, 7_113, 7_180, 7_199, 7_233, 7_373, 7_400,
    7_443, 7_473, 7_474, 7_480, 7_547, 7_680, 7_687, 7_777, 7_778, 7_779, 7_800, 7_801, 7_860, 7_946, 7_990, 7_997,
    7_999, 8_000, 8_001, 8_002, 8_003, 8_004, 8_005, 8_006, 8_008, 8_009, 8_010, 8_020, 8_025, 8_030, 8_031, 8_032,
    8_033, 8_040, 8_042, 8_044, 8_053, 8_060, 8_065, 8_069, 8_070, 8_071, 8_079, 8_080, 8_081, 8_082, 8_083, 8_084,
    8_085, 8_086, 8_087, 8_088, 8_089, 8_090, 8_091, 8_092, 8_093, 8_094, 8_095, 8_096, 8_097, 8_098, 8_099, 8_100,
    8_111, 8_118, 8_123, 8_125, 8_126, 8_140, 8_161, 8_172, 8_181, 8_182, 8_188, 8_191, 8_200, 8_201, 8_222, 8_243,
    8_280, 8_291, 8_300, 8_301, 8_302, 8_333, 8_334, 8_383, 8_384, 8_400, 8_403, 8_404, 8_443, 8_444, 8_448, 8_472,
    8_480, 8_484, 8_500, 8_501, 8_502, 8_503, 8_529, 8_530, 8_531, 8_545, 8_554, 8_600, 8_686, 8_765, 8_776, 8_778,
    8_787, 8_834, 8_880, 8_883, 8_888, 8_899, 8_983, 8_989, 9_000, 9_001, 9_002, 9_003, 9_009, 9_021, 9_042, 9_043,
    9_050, 9_051, 9_060, 9_080, 9_081, 9_082, 9_083, 9_090, 9_091, 9_092, 9_093, 9_094, 9_095, 9_096, 9_097, 9_098,
    9_099, 9_100, 9_101, 9_102, 9_103, 9_104, 9_113, 9_114, 9_115, 9_116, 9_117, 9_121, 9_125, 9_142, 9_150, 9_153,
    9_160, 9_187, 9_191, 9_200, 9_216, 9_229, 9_292, 9_300, 9_306, 9_308, 9_312, 9_333, 9_345, 9_389, 9_390, 9_392,
    9_400, 9_402, 9_411, 9_418, 9_419, 9_440, 9_443, 9_444, 9_500, 9_527, 9_535, 9_559, 9_600, 9_653, 9_696, 9_779,
    9_800, 9_864, 9_866, 9_867, 9_868, 9_869, 9_870, 9_876, 9_898, 9_901, 9_961, 9_964, 9_965, 9_966, 9_981, 9_987,
    9_990, 9_993, 9_995, 9_996, 9_998, 9_999, 10_000, 10_001, 10_050, 10_051, 10_080, 10_101, 10_248, 10_249, 10_250,
    10_251, 10_252, 10_254, 10_255, 10_256, 10_257, 10_258, 10_259, 10_443, 10_933, 11_000, 11_211, 11_214, 11_215,
    11_311, 11_371, 11_434, 12_000, 12_201, 13_000, 13_133, 13_720, 13_721, 13_724, 13_782, 14_250, 14_267, 14_268,
    14_269, 15_000, 15_001, 15_002, 15_004, 15_006, 15_008, 15_009, 15_010, 15_012, 15_014, 15_017, 15_020, 15_021,
    15_090, 15_443, 15_671, 15_672, 15_692, 16_010, 16_020, 16_030, 16_379, 16_443, 16_509, 16_514, 16_685, 16_686,
    16_992, 16_993, 17_000, 17_001, 18_080, 18_081, 18_086, 18_088, 18_091, 18_092, 18_245, 18_789, 18_883, 19_000,
    19_132, 19_530, 19_531, 19_532, 19_888, 19_999, 20_000, 20_201, 20_880, 20_881, 21_000, 21_050, 22_000, 24_007,
    24_008, 24_224, 24_231, 24_800, 25_000, 25_010, 25_020, 25_565, 25_672, 26_257, 26_379, 26_656, 26_657, 27_000,
    27_001, 27_015, 27_017, 27_018, 27_019, 28_015, 28_017, 29_015, 29_092, 29_418, 30_303, 31_337, 32_400, 33_060,
    33_073, 33_848, 34_962, 34_963, 34_964, 35_357, 35_621, 37_777, 38_412, 38_422, 41_230, 41_641, 44_818, 47_808,
    48_898, 50_051, 50_070, 50_075, 50_090, 51_820, 55_443, 60_010, 60_020, 60_030, 61_613, 61_614, 61_616, 62_078,
    64_738,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_are_sorted_and_found() {
        assert!(SERVICES.is_sorted());
        let of = [22, 993, 2_049, 5_432, 50_051].map(PortKind::of);
        assert!(of.into_iter().all(PortKind::is_service), "{of:?}");
    }

    #[test]
    fn what_a_client_may_have_ranks_below_what_it_calls() {
        // client, server
        let pairs = [
            (1_022, 22),      // ssh and rsh of old
            (993, 2_049),     // NFS from a port of the superuser, here by chance another service's
            (45_000, 8_080),  // Linux
            (1_055, 3_306),   // Windows XP
            (50_051, 8_443),  // by chance another service's
            (45_000, 30_080), // a NodePort
        ];
        for (client, server) in pairs {
            assert!(PortKind::of(client) < PortKind::of(server), "{client} > {server}");
        }
        assert_eq!(PortKind::of(40_000), PortKind::of(60_000));
        // a client may have either by chance
        assert!(!PortKind::of(50_051).outranks(PortKind::of(7_654)));
        assert_eq!(service_port_rank(Protocol::TCP, 0), 0);
        assert_eq!(service_port_rank(Protocol::ICMP, 80), 0);
    }
}
