//! DHCP leases (RFC 2131, RFC 2132): what the server says about the client's network.

use std::net::{IpAddr, Ipv4Addr};

use super::{Fact, Header};
use crate::{
    decode::{be16, be32},
    model::{How, Mac, well_known},
};

const MAGIC: u32 = 0x6382_5363;

/// Where the options begin: behind 236 bytes of BOOTP and the magic number.
const OPTIONS_AT: usize = 240;

const PAD: u8 = 0;
const SUBNET_MASK: u8 = 1;
const ROUTERS: u8 = 3;
const MESSAGE_TYPE: u8 = 53;
const ACKNOWLEDGED: u8 = 5;

pub(super) fn read(header: &Header<'_>, frame_src: Mac, tell: &mut impl FnMut(Fact)) {
    // to the client, and so in its own network: not from the server to a relay, or between relays
    if be16(header.payload, 0) != Some(well_known::DHCP_SERVER)
        || be16(header.payload, 2) != Some(well_known::DHCP_CLIENT)
    {
        return;
    }
    let message = header.payload.get(8..).unwrap_or_default();
    let address = |at: usize| be32(message, at).filter(|bits| *bits != 0);
    let (Some(MAGIC), Some(leased)) = (be32(message, 236), address(16).or_else(|| address(12))) else { return };
    let option = |wanted: u8| options(message).find(|(code, _)| *code == wanted).map(|(_, value)| value);
    if option(MESSAGE_TYPE) != Some(&[ACKNOWLEDGED]) {
        return;
    }
    let is_to_client = match header.dst {
        IpAddr::V4(dst) => dst.is_broadcast() || dst.to_bits() == leased,
        IpAddr::V6(_) => false,
    };
    let mask = option(SUBNET_MASK).and_then(|value| be32(value, 0)).filter(|mask| mask.leading_ones() >= 8);
    let Some(mask) = mask.filter(|mask| is_to_client && mask.count_ones() == mask.leading_ones()) else { return };
    let network = Ipv4Addr::from_bits(leased & mask).into();
    let prefix = u8::try_from(mask.leading_ones()).unwrap_or(32);
    tell(Fact { how: How::Dhcp, mac: frame_src, address: network, prefix });
    let routers = option(ROUTERS).unwrap_or_default().chunks_exact(4).filter_map(|router| be32(router, 0));
    for router in routers.filter(|router| router & mask == leased & mask) {
        tell(Fact::of(How::DhcpRouter, frame_src, Ipv4Addr::from_bits(router)));
    }
}

/// The options: a code, a length, a value.
fn options(message: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = message.get(OPTIONS_AT..).unwrap_or_default();
    std::iter::from_fn(move || {
        while let Some((&PAD, behind)) = rest.split_first() {
            rest = behind;
        }
        let (code, length) = (*rest.first()?, usize::from(*rest.get(1)?));
        let value = rest.get(2..2 + length)?;
        rest = rest.get(2 + length..)?;
        Some((code, value))
    })
}
