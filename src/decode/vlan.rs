//! VLAN tags (IEEE 802.1Q): a type, then priority, drop eligibility and the VLAN's id.

use super::{Cursor, Layer, NotDecoded, be16};
use crate::model::VlanStack;

/// Tags that name no VLAN are stacked by nobody deeper than those that do.
const MAX_OTHER_TAGS: u32 = 8;

/// Whether an Ethernet type says that a tag follows: 802.1Q, 802.1ad, and the numbers that were used before 802.1ad.
pub(super) fn is_tag(ether_type: u16) -> bool {
    matches!(ether_type, 0x8100 | 0x88a8 | 0x9100 | 0x9200)
}

/// Bytes of a tag that names no VLAN, without the type that follows: of switches that put the security group of the sender
/// into each frame (Cisco metadata: version, length in options of four bytes, options), and of such that number the ports
/// behind them (Cisco VN-Tag; IEEE 802.1BR E-TAG), of such that say when a frame came (Arista: kind, version, a time of 64 or 48
/// bits), and of fabrics that put addresses of their own before the frame's (Cisco's `FabricPath`: tree and time to live).
fn other_tag(cursor: &Cursor<'_>) -> Option<usize> {
    match cursor.ether_type {
        0x8903 => Some(2 + 12),
        0xd28b => match cursor.rest {
            [0, 1, _, 0x20, ..] => Some(4 + 6),
            [0, 1, _, 0x10, ..] | [] | [_] | [_, _] | [_, _, _] => Some(4 + 8),
            _ => None,
        },
        0x8909 => Some(2 + 4 * usize::from(cursor.rest.get(1).copied().unwrap_or_default())),
        0x8926 => Some(4),
        0x893f => Some(6),
        _ => None,
    }
}

/// Takes the tags off and adds them to the stack; the cursor then stands before what they carried.
pub(super) fn strip(cursor: &mut Cursor<'_>, stack: &mut VlanStack) -> Result<(), NotDecoded> {
    let cut = NotDecoded::CutShort(Layer::Link);
    let mut others = 0;
    loop {
        if let Some(bytes) = other_tag(cursor) {
            cursor.ether_type = be16(cursor.rest, bytes).ok_or(cut)?;
            cursor.rest = cursor.rest.get(bytes + 2..).ok_or(cut)?;
            others += 1;
            if others > MAX_OTHER_TAGS {
                return Err(NotDecoded::TooManyTags);
            }
            continue;
        }
        if !is_tag(cursor.ether_type) {
            return Ok(());
        }
        let id = be16(cursor.rest, 0).ok_or(cut)? & 0x0fff;
        cursor.ether_type = be16(cursor.rest, 2).ok_or(cut)?;
        cursor.rest = cursor.rest.get(4..).ok_or(cut)?;
        if !stack.push(id) {
            return Err(NotDecoded::TooManyTags);
        }
    }
}
