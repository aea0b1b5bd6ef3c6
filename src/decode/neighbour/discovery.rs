//! IPv6 neighbour discovery (RFC 4861).

use std::net::{IpAddr, Ipv6Addr};

use super::{Fact, Header, address_v6, station};
use crate::{
    decode::be16,
    model::{How, Mac},
};

const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

/// Options: the sender's address, the target's, a prefix.
const SOURCE_MAC: u8 = 1;
const TARGET_MAC: u8 = 2;
const PREFIX: u8 = 3;

/// In a prefix's option: addresses with it are on this link.
const ON_LINK: u8 = 0x80;

pub(super) fn read(header: &Header<'_>, frame_src: Mac, tell: &mut impl FnMut(Fact)) {
    // any less, and it was forwarded: not of this link, or forged (RFC 4861, 6.1 and 7.1)
    let (IpAddr::V6(src), 255) = (header.src, header.hop_limit) else { return };
    let message = header.payload;
    let Some(kind) = message.first() else { return };
    let options = |at: usize| Options(message.get(at..).unwrap_or_default());
    match *kind {
        ROUTER_SOLICITATION => claim(src, options(8).mac(SOURCE_MAC).unwrap_or(frame_src), tell),
        ROUTER_ADVERTISEMENT => {
            let mac = options(16).mac(SOURCE_MAC).unwrap_or(frame_src);
            claim(src, mac, tell);
            // a lifetime of 0: it tells prefixes, but is no default router
            if be16(message, 6).is_some_and(|lifetime_s| lifetime_s > 0) {
                tell(Fact::of(How::Router, mac, src));
            }
            options(16).prefixes().for_each(|(network, prefix)| {
                tell(Fact { how: How::Ra, mac, address: network.into(), prefix });
            });
        }
        NEIGHBOUR_SOLICITATION => {
            let mac = options(24).mac(SOURCE_MAC).unwrap_or(frame_src);
            claim(src, mac, tell);
            // without a source it only probes whether the address is free (RFC 4862)
            if let Some(target) = address_v6(message, 8).filter(|_| !src.is_unspecified()) {
                tell(Fact::of(How::Asked, mac, target));
            }
        }
        NEIGHBOUR_ADVERTISEMENT => {
            let Some(target) = address_v6(message, 8) else { return };
            claim(target, options(24).mac(TARGET_MAC).unwrap_or(frame_src), tell);
        }
        _ => {}
    }
}

fn claim(address: Ipv6Addr, mac: Mac, tell: &mut impl FnMut(Fact)) {
    if !address.is_unspecified() && !address.is_multicast() {
        tell(Fact::of(How::Nd, mac, address));
    }
}

/// Options, each with its type and its length in units of 8 bytes.
struct Options<'a>(&'a [u8]);

impl<'a> Iterator for Options<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(*self.0.get(1)?) * 8;
        let (option, rest) = self.0.split_at_checked(length).filter(|_| length > 0)?;
        self.0 = rest;
        Some((*option.first()?, option))
    }
}

impl Options<'_> {
    fn mac(mut self, wanted: u8) -> Option<Mac> {
        self.find(|(kind, _)| *kind == wanted).and_then(|(_, option)| station(option, 2))
    }

    /// The networks that are on this link.
    fn prefixes(self) -> impl Iterator<Item = (Ipv6Addr, u8)> {
        self.filter_map(|(kind, option)| {
            let (length, flags) = (*option.get(2)?, *option.get(3)?);
            let is_wanted = kind == PREFIX && flags & ON_LINK != 0 && (1..=128).contains(&length);
            let network = address_v6(option, 16).filter(|network| is_wanted && !is_link_local(*network))?;
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or_default();
            Some((Ipv6Addr::from_bits(network.to_bits() & mask), length))
        })
    }
}

fn is_link_local(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xffc0 == 0xfe80
}
