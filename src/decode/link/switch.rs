//! Tags between a switch chip and the processor behind it, as captures on that port have them: of Broadcom's chips
//! (`net/dsa/tag_brcm.c` of Linux) and of Marvell's (`net/dsa/tag_dsa.c`). They tell the port of the switch, and so the place.

use super::{CUT, TAG, cursor};
use crate::decode::{Cursor, NotDecoded, be16};

/// The Ethernet type that announces Marvell's tag; two bytes of zeros are behind it.
pub(super) const MARVELL: u16 = 0xdada;

/// Where the addresses of a frame end.
const TAG_AT: usize = 12;

/// Four bytes before the type: what is to be done, and the port that it came from or the ports that it goes to.
pub(super) fn broadcom(data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    let inner = cursor(be16(data, TAG_AT + 4), data.get(TAG_AT + 6..))?;
    placed(inner, data, be16(data, TAG_AT), be16(data, TAG_AT + 2))
}

/// The tag of a Broadcom chip before the frame.
pub(super) fn broadcom_before(data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    let frame = data.get(4..).ok_or(CUT)?;
    placed(super::ethernet(frame)?, frame, be16(data, 0), be16(data, 2))
}

/// Mode, whether the frame was tagged, chip and port; then, as in the tag that it stands for, priority and VLAN.
pub(super) fn marvell(data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    marvell_at(data, TAG_AT)
}

/// The tag of a Marvell chip behind an Ethernet type of its own.
pub(super) fn marvell_typed(data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    marvell_at(data, TAG_AT + 4)
}

fn marvell_at(data: &[u8], at: usize) -> Result<Cursor<'_>, NotDecoded> {
    const WAS_TAGGED: u16 = 0x2000;
    const MODE_CHIP_PORT: u16 = 0xdff8;
    let head = be16(data, at).ok_or(CUT)?;
    let inner = if head & WAS_TAGGED != 0 {
        // the rest is what would stand behind a tag's type
        cursor(Some(TAG), data.get(at + 2..))?
    } else {
        cursor(be16(data, at + 4), data.get(at + 6..))?
    };
    placed(inner, data, Some(head & MODE_CHIP_PORT), None)
}

fn placed<'a>(inner: Cursor<'a>, frame: &[u8], mode: Option<u16>, port: Option<u16>) -> Result<Cursor<'a>, NotDecoded> {
    let interface = port.unwrap_or_default().into();
    let is_broadcast = frame.get(..6) == Some(&[0xff; 6]);
    Ok(Cursor { interface, packet_type: mode.ok_or(CUT)?, is_broadcast, ..inner })
}
