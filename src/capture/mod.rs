//! Frames in: capture files and live interfaces. A frame is bytes, a time and a link type; nothing is decoded here.

mod batch;
pub mod file;
mod light;
mod link;
mod link_names;
#[cfg(feature = "cli")]
pub mod live;

pub use batch::Batch;
pub use light::{LIGHT_SHARE, light_filter};
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

/// Packets that a capture lost before it could hand them over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// By the kernel, for want of buffer.
    pub by_kernel: u64,
    /// By the interface or its driver.
    pub by_interface: u64,
}

impl Drops {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            by_kernel: self.by_kernel.saturating_add(other.by_kernel),
            by_interface: self.by_interface.saturating_add(other.by_interface),
        }
    }
}
