//! Frames in: capture files and live interfaces. A frame is bytes, a time and a link type; nothing is decoded here.

pub mod file;
mod link;
mod link_names;
#[cfg(feature = "cli")]
pub mod live;

pub use link::LinkType;

use crate::model::Timestamp;

/// One captured frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When it was captured.
    pub time: Timestamp,
    /// How its first bytes are to be read.
    pub link: LinkType,
    /// The capture file's number of the interface, 0 where the format knows but one.
    pub interface: u32,
    /// Its length in bytes on the wire; `data` may hold less.
    pub wire_length: u32,
    /// The bytes captured.
    pub data: &'a [u8],
}
