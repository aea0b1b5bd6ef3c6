//! What stands between a link and IP: MPLS labels (RFC 3032), PPP over Ethernet (RFC 2516), provider backbone bridges
//! (IEEE 802.1ah). The tags before labels and sessions are those of the packet itself, for there are none inside.

use super::{Around, Cursor, Layer, NotDecoded, Packet, Tunnel, be16, be32, ip, ip::Room, layer, link};
use crate::model::VlanStack;

pub(super) const MPLS: u16 = 0x8847;
const MPLS_MULTICAST: u16 = 0x8848;
pub(super) const PPPOE_SESSION: u16 = 0x8864;
const BACKBONE: u16 = 0x88e7;

/// Labels deeper than this are not stacked by anyone.
const MAX_LABELS: usize = 16;

/// Smaller labels are reserved and name no path.
const FIRST_LABEL: u32 = 16;

/// The next label is an entropy label (RFC 6790), which differs from flow to flow.
const ENTROPY_INDICATOR: u32 = 7;

/// The packet inside, by the Ethernet type that announces it; other types make no flow.
pub(super) fn decode<'a>(cursor: &Cursor<'a>, around: Around<'_>) -> Result<Packet<'a>, NotDecoded> {
    match cursor.ether_type {
        MPLS | MPLS_MULTICAST => labels(*cursor, around),
        PPPOE_SESSION => session(*cursor, around),
        BACKBONE => backbone(*cursor, around),
        0x0806 | 0x8035 => Err(NotDecoded::Arp),
        other => Err(NotDecoded::EtherType(other)),
    }
}

/// Label of 20 bits, traffic class, bottom of stack, time to live; the innermost label names the network.
fn labels<'a>(mut cursor: Cursor<'a>, around: Around<'_>) -> Result<Packet<'a>, NotDecoded> {
    const BOTTOM: u32 = 0x100;
    const CUT: NotDecoded = NotDecoded::CutShort(Layer::Mpls);
    let (mut label, mut before) = (0, 0);
    for _ in 0..MAX_LABELS {
        let word = be32(cursor.rest, 0).ok_or(CUT)?;
        cursor.rest = cursor.rest.get(4..).ok_or(CUT)?;
        if word >> 12 >= FIRST_LABEL && before != ENTROPY_INDICATOR {
            label = word >> 12;
        }
        before = word >> 12;
        if word & BOTTOM != 0 {
            return labelled(cursor, around.within(Tunnel::Mpls(label)).ok_or(NotDecoded::TooManyTunnels)?);
        }
    }
    Err(NotDecoded::Malformed(Layer::Mpls))
}

/// Nothing says what labels carry: the first bits tell IP; all else may be a wire with Ethernet, behind a control word that
/// begins with a zero (RFC 4448), or without one.
fn labelled<'a>(cursor: Cursor<'a>, around: Around<'_>) -> Result<Packet<'a>, NotDecoded> {
    let ether_type = match cursor.rest.first().ok_or(NotDecoded::CutShort(Layer::Mpls))? >> 4 {
        4 => link::IPV4,
        6 => link::IPV6,
        0 => return maybe_controlled(cursor.rest, around),
        // the associated channel, by which both ends watch the wire
        1 => return Err(NotDecoded::Mpls),
        _ => return wire(cursor.rest, around),
    };
    let packet = Cursor { ether_type, ..cursor };
    // addresses of a wire may begin like IP: what is not IP beyond doubt gives way to a frame that holds together
    let of_wire = || {
        let room = Room { must_fit: true, ..around.room };
        wire(packet.rest, Around { room, ..around })
    };
    if !ip::is_beyond_doubt(packet.rest, around.room)
        && let whole = of_wire()
        && whole.as_ref().map_or_else(|reason| reason.is_read(), |_| true)
    {
        return whole;
    }
    match layer(packet, around) {
        Err(NotDecoded::Malformed(_)) => of_wire().or_else(|_| layer(packet, around)),
        result => result,
    }
}

/// A frame behind a control word, or one whose first address begins with a zero. Behind the first four bytes of a tagged frame
/// stands what looks like the same without its tag: so it is read whole first, unless these are a control word without a number.
fn maybe_controlled<'a>(data: &'a [u8], around: Around<'_>) -> Result<Packet<'a>, NotDecoded> {
    let behind = data.get(4..).unwrap_or_default();
    let [first, second] = if be32(data, 0) == Some(0) { [behind, data] } else { [data, behind] };
    match wire(first, around) {
        Err(NotDecoded::Mpls) => wire(second, around),
        result => result,
    }
}

/// A whole Ethernet frame with a packet that holds together.
fn wire<'a>(frame: &'a [u8], around: Around<'_>) -> Result<Packet<'a>, NotDecoded> {
    let inner = link::ethernet(frame).map_err(|_| NotDecoded::Mpls)?;
    match layer(inner, Around { vlans: VlanStack::default(), ..around }) {
        Err(reason) if reason.is_read() => Err(reason),
        result => result.map_err(|_| NotDecoded::Mpls),
    }
}

/// Version and type, code 0, the session, the length, then PPP.
fn session<'a>(cursor: Cursor<'a>, around: Around<'_>) -> Result<Packet<'a>, NotDecoded> {
    const HEADER_BYTES: usize = 6;
    const VERSION_TYPE_CODE: u16 = 0x1100;
    const CUT: NotDecoded = NotDecoded::CutShort(Layer::Ppp);
    let field = |at| be16(cursor.rest, at).ok_or(CUT);
    let (head, session, length) = (field(0)?, field(2)?, usize::from(field(4)?));
    let data = cursor.rest.get(HEADER_BYTES..).ok_or(CUT)?;
    if head != VERSION_TYPE_CODE {
        return Err(NotDecoded::Malformed(Layer::Ppp));
    }
    let inner = link::ppp(data.get(..length).unwrap_or(data))?;
    layer(inner, around.within(Tunnel::Pppoe(session)).ok_or(NotDecoded::TooManyTunnels)?)
}

/// A service identifier of 24 bits, then the customer's frame.
fn backbone<'a>(cursor: Cursor<'a>, around: Around<'_>) -> Result<Packet<'a>, NotDecoded> {
    const CUT: NotDecoded = NotDecoded::CutShort(Layer::Link);
    let service = be32(cursor.rest, 0).ok_or(CUT)? & 0x00ff_ffff;
    let inner = link::ethernet(cursor.rest.get(4..).ok_or(CUT)?)?;
    let around = around.within(Tunnel::Backbone(service)).ok_or(NotDecoded::TooManyTunnels)?;
    layer(inner, Around { vlans: VlanStack::default(), ..around })
}
