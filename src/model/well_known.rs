//! Ports that mean one service wherever they stand, for the rooms that look for it.

/// Where FTP agrees on the ports of its data (RFC 959).
pub const FTP_CONTROL: u16 = 21;
/// Where TFTP is asked; it answers from another port (RFC 1350, section 4).
pub const TFTP: u16 = 69;
/// Name resolution (RFC 1035, section 4.2), by datagrams and streams.
pub const DNS: u16 = 53;
/// Multicast DNS (RFC 6762).
pub const MDNS: u16 = 5_353;
/// Link-local multicast name resolution (RFC 4795).
pub const LLMNR: u16 = 5_355;
/// Network time (RFC 5905).
pub const NTP: u16 = 123;
/// Servers and relays of DHCP (RFC 2131, section 4.1).
pub const DHCP_SERVER: u16 = 67;
/// Clients of DHCP.
pub const DHCP_CLIENT: u16 = 68;
/// Servers and relays of `DHCPv6` (RFC 8415, section 7.2).
pub const DHCP_V6_SERVER: u16 = 547;
/// Clients of `DHCPv6`.
pub const DHCP_V6_CLIENT: u16 = 546;
/// All by which hosts get their addresses.
pub const DHCP: [u16; 4] = [DHCP_SERVER, DHCP_CLIENT, DHCP_V6_CLIENT, DHCP_V6_SERVER];
