//! What is spoken between two ends, and whether others can read it: payloads to sightings of applications, and sightings
//! to what is told of a dependency.
//!
//! Recognised is what begins a packet's data and is hard to mistake, on any port: by fixed bytes, and by lengths that have
//! to agree with the packet's own. What is not known stays unknown. Whoever sends packets can make them look like anything:
//! no direction, no identity, no mark and no rule rests on an application.

mod ber;
mod cache;
mod datagram;
mod directory;
mod document;
mod gate;
mod gather;
mod lookup;
mod mail;
mod network;
mod queue;
mod recognise;
mod sql;
mod tls;
mod web;

pub use gather::{Gatherer, Recent};
pub use lookup::{Applications, Spoken};
pub use recognise::{Said, may_tell, said};

use crate::model::{Application, Protection};

/// Which end of a packet serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Source,
    Destination,
    /// Both ends send the like.
    Either,
}

/// What one packet's data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Message {
    server: Server,
    application: Application,
    protection: Protection,
}

impl Message {
    /// From a client.
    fn request(application: Application, protection: Protection) -> Self {
        Self { server: Server::Destination, application, protection }
    }

    /// From a server.
    fn answer(application: Application, protection: Protection) -> Self {
        Self { server: Server::Source, application, protection }
    }

    /// From either.
    fn either(application: Application, protection: Protection) -> Self {
        Self { server: Server::Either, application, protection }
    }

    /// From a server where `is_answer`, else from a client.
    fn of(is_answer: bool, application: Application, protection: Protection) -> Self {
        if is_answer { Self::answer(application, protection) } else { Self::request(application, protection) }
    }
}

/// A packet's data.
#[derive(Clone, Copy)]
struct Sent<'a> {
    /// As far as it was captured.
    data: &'a [u8],
    /// How many bytes there were on the wire.
    bytes: usize,
}

impl<'a> Sent<'a> {
    fn be16(self, at: usize) -> Option<usize> {
        Some(u16::from_be_bytes(*self.data.get(at..)?.first_chunk()?).into())
    }

    fn be24(self, at: usize) -> Option<usize> {
        let [high, middle, low] = *self.data.get(at..)?.first_chunk()?;
        Some(usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low))
    }

    fn be32(self, at: usize) -> Option<u32> {
        Some(u32::from_be_bytes(*self.data.get(at..)?.first_chunk()?))
    }

    fn le24(self, at: usize) -> Option<usize> {
        let [low, middle, high] = *self.data.get(at..)?.first_chunk()?;
        Some(usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low))
    }

    fn le32(self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(*self.data.get(at..)?.first_chunk()?))
    }

    /// The first line without its end, where it is whole. To look for it takes time: what begins otherwise is to be told
    /// before.
    fn line(self) -> Option<&'a [u8]> {
        /// Servers refuse longer ones.
        const MAX_BYTES: usize = 8 << 10;
        let head = self.data.get(..MAX_BYTES).unwrap_or(self.data);
        let end = head.windows(2).position(|pair| pair == b"\r\n")?;
        self.data.get(..end)
    }

    /// Whether these bytes are somewhere in what was captured.
    fn holds(self, bytes: &[u8]) -> bool {
        contains(self.data, bytes)
    }

    /// Whether it is as long as that on the wire.
    fn is_of(self, bytes: usize) -> bool {
        self.bytes == bytes
    }
}

/// Whether the second are somewhere in the first.
fn contains(data: &[u8], bytes: &[u8]) -> bool {
    data.windows(bytes.len().max(1)).any(|window| window == bytes)
}

#[cfg(test)]
mod tests;
