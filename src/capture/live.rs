//! Live interfaces through libpcap.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use pcap::{Active, Capture, Error as PcapError, Linktype, Packet, Precision};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{AddressFamily, SocketFlags, SocketType, netdevice, socket_with},
};

use super::{Drops, Frame, LinkType, light_filter};
use crate::model::Timestamp;

/// Bytes of each packet: two VLAN tags and Ethernet take 22, VXLAN over IPv6 with the Ethernet inside 70, IPv6 with TCP and its
/// timestamps 72, and a TLS hello as most clients pad it 517 (RFC 7685), about as much as a DNS answer over UDP without
/// extensions (512, RFC 1035).
pub const SNAPLEN: u32 = 704;

/// A burst of a tenth of a second at a million small packets a second, in MiB.
pub const BUFFER_MIB: u32 = 16;

/// What a live capture is opened with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveOptions {
    /// Bytes of each packet to take.
    pub snaplen: u32,
    /// A filter in pcap-filter(7) syntax.
    pub filter: Option<String>,
    /// Whether to see packets for others too.
    pub promiscuous: bool,
    /// Whether to take of TCP but opens, closes and a sample ([`light_filter`]).
    pub is_light: bool,
    /// The kernel's room for bursts between two reads, in bytes.
    pub buffer_bytes: u32,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self { snaplen: SNAPLEN, filter: None, promiscuous: false, is_light: false, buffer_bytes: BUFFER_MIB << 20 }
    }
}

impl LiveOptions {
    /// The whole filter.
    fn whole_filter(&self) -> Option<String> {
        if self.is_light { Some(light_filter(self.filter.as_deref())) } else { self.filter.clone() }
    }
}

/// Why a live capture cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// There is no such interface.
    #[error("no such interface")]
    NoInterface,
    /// The system refused.
    #[error("not permitted")]
    NotPermitted,
    /// The filter does not compile.
    #[error("filter `{0}`: {1}")]
    Filter(String, String),
    /// The interface went away.
    #[error("the interface went down")]
    Gone,
    /// The interface has another name now; its own one nobody has, or another.
    #[error("the interface is called `{0}` now")]
    Renamed(String),
    /// It is there and down.
    #[error("it is down")]
    Down,
    /// Anything else that libpcap says.
    #[error("{0}")]
    Other(String),
}

/// Cooked capture that tells the interface (`LINKTYPE_LINUX_SLL2`).
const SLL2: Linktype = Linktype(276);
/// Cooked capture that does not.
const SLL: Linktype = Linktype(113);

/// How long the kernel may gather packets before it hands them over.
const READ_TIMEOUT: Duration = Duration::from_millis(200);
/// After this time what came before it is handed over.
pub const HANDED_OVER: Duration = Duration::from_millis(300);
/// How long a read may wait where nothing else ends it. libpcap itself waits until a packet comes (its own timeout
/// ends no wait on Linux, where it is the kernel's for a block that is not full).
const LONGEST_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// An open capture on one interface.
pub struct LiveCapture {
    handle: Capture<Active>,
    name: String,
    /// The number that its name stood for just before it was opened; none where that is no interface, as `any`.
    index: Option<u32>,
    link: LinkType,
    /// Frames that were handed over. libpcap counts in 32 bits, which begin again.
    taken: u32,
}

impl LiveCapture {
    /// Opens an interface; `any` stands for all of them.
    pub fn open(interface: &str, options: &LiveOptions) -> Result<Self, LiveError> {
        let index = asker().and_then(|it| netdevice::name_to_index(it, interface)).ok();
        let timeout_ms = i32::try_from(READ_TIMEOUT.as_millis()).unwrap_or(i32::MAX);
        let mut handle = Capture::from_device(interface)
            .map_err(open_error)?
            .snaplen(i32::try_from(options.snaplen).unwrap_or(i32::MAX))
            .promisc(options.promiscuous)
            .buffer_size(i32::try_from(options.buffer_bytes).unwrap_or(i32::MAX))
            .timeout(timeout_ms)
            .precision(Precision::Nano)
            .open()
            .and_then(Capture::setnonblock)
            .map_err(open_error)?;
        if handle.get_datalink() == SLL {
            // a library from before 1.10 cannot: then the interfaces are not told apart
            let _ = handle.set_datalink(SLL2);
        }
        // how much the kernel copies of a packet is in what a filter returns: without one it is all, up to 64 KB (GRO, TSO)
        let filter = options.whole_filter();
        match (handle.filter(filter.as_deref().unwrap_or_default(), true), filter) {
            (Err(error), Some(_)) => {
                let told = options.filter.clone().unwrap_or_else(|| "of --mode connections".into());
                return Err(LiveError::Filter(told, error.to_string()));
            }
            // a link that libpcap has no filters for
            (Err(_), None) | (Ok(()), _) => {}
        }
        let link = LinkType(u32::try_from(handle.get_datalink().0).unwrap_or(u32::MAX));
        Ok(Self { handle, name: interface.to_owned(), index, link, taken: 0 })
    }

    /// Fails where the interface that was opened has another name by now: it goes on to be watched, whatever is called so now.
    pub fn check_name(&self) -> Result<(), LiveError> {
        let (Some(index), Ok(asker)) = (self.index, asker()) else { return Ok(()) };
        if netdevice::name_to_index(&asker, &self.name) == Ok(index) {
            return Ok(());
        }
        // one that is gone is told by the next read
        let Ok(name) = netdevice::index_to_name(&asker, index) else { return Ok(()) };
        if name == self.name { Ok(()) } else { Err(LiveError::Renamed(name)) }
    }

    /// Whether the interface is up, as far as can be told. While it is down, libpcap goes on and says nothing.
    #[must_use]
    pub fn is_up(&self) -> bool {
        /// `IFF_UP` and `IFF_LOOPBACK` (netdevice(7)).
        const UP: u32 = 1;
        const LOOPBACK: u32 = 8;
        let read = |file: &str| std::fs::read_to_string(format!("/sys/class/net/{}/{file}", self.name)).ok();
        // the files may be those of another network namespace, in which another is called so; loopback is the first in each
        let is_it = || Some(read("ifindex")?.trim().parse() == Ok(self.index?));
        let flags = || u32::from_str_radix(read("flags")?.trim().trim_start_matches("0x"), 16).ok();
        is_it() != Some(true) || flags().is_none_or(|flags| flags & UP != 0 || flags & LOOPBACK != 0)
    }

    /// Waits until there may be a frame, or for a fifth of a second.
    pub fn wait(&self) {
        let fd = self.handle.as_fd();
        // what went wrong is told by the next read
        let _ = poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&LONGEST_WAIT));
    }

    /// Waits until there may be a frame, until something else can be read, or for this time.
    pub fn wait_with(&self, other: BorrowedFd<'_>, longest: Duration) {
        let fd = self.handle.as_fd();
        let longest = longest.try_into().ok();
        let _ = poll(&mut [PollFd::new(&fd, PollFlags::IN), PollFd::new(&other, PollFlags::IN)], longest.as_ref());
    }

    /// The next frame; `None` where none is there now.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, LiveError> {
        match self.handle.next_packet() {
            Ok(packet) => {
                self.taken = self.taken.wrapping_add(1);
                Ok(Some(frame_of(&packet, self.link)))
            }
            Err(PcapError::TimeoutExpired) => Ok(None),
            Err(error) => Err(read_error(error)),
        }
    }

    /// Hands over the frames that are there now, so many at most, and tells how many these were. Each is read where the kernel
    /// put it; one by one libpcap copies them.
    pub fn take_frames(&mut self, most: usize, mut take: impl FnMut(&Frame<'_>)) -> Result<usize, LiveError> {
        let link = self.link;
        let mut taken = 0;
        let read = self.handle.dispatch(Some(most), |packet| {
            taken += 1;
            take(&frame_of(&packet, link));
        });
        self.taken = self.taken.wrapping_add(u32::try_from(taken).unwrap_or(u32::MAX));
        read.map(|_| taken).map_err(read_error)
    }

    /// What was lost so far; `None` where it is not told.
    pub fn drops(&mut self) -> Option<Drops> {
        let stats = self.handle.stats().ok()?;
        Some(Drops { by_kernel: stats.dropped.into(), by_interface: stats.if_dropped.into() })
    }

    /// Whether all was handed over that the kernel had room for. What came before a filter was in place counts as if it was not.
    pub fn is_drained(&mut self) -> bool {
        self.handle.stats().is_ok_and(|stats| stats.received.wrapping_sub(stats.dropped) == self.taken)
    }
}

/// A socket of any kind: by it the kernel is asked for interfaces.
fn asker() -> rustix::io::Result<OwnedFd> {
    socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
}

fn frame_of<'p>(packet: &Packet<'p>, link: LinkType) -> Frame<'p> {
    // libpcap was asked for nanoseconds, and puts them where microseconds are by default
    let nanos = u32::try_from(packet.header.ts.tv_usec).unwrap_or(0);
    let time = Timestamp::new(packet.header.ts.tv_sec, nanos);
    Frame { time, link, interface: 0, wire_length: packet.header.len, data: packet.data }
}

fn read_error(error: PcapError) -> LiveError {
    match error {
        PcapError::NoMorePackets => LiveError::Gone,
        PcapError::PcapError(text) if text.contains("went down") || text.contains("disappeared") => LiveError::Gone,
        error => LiveError::Other(error.to_string()),
    }
}

fn open_error(error: PcapError) -> LiveError {
    let text = match error {
        PcapError::PcapError(text) => text,
        other => other.to_string(),
    };
    let lower = text.to_lowercase();
    if lower.contains("no such device") || lower.contains("doesn't exist") {
        LiveError::NoInterface
    } else if lower.contains("permi") {
        LiveError::NotPermitted
    } else if lower.contains("not up") {
        LiveError::Down
    } else {
        LiveError::Other(text)
    }
}
