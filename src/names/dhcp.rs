//! Host names of DHCP clients (RFC 2131, RFC 2132). The client says its name, the server gives the address: a name is
//! taken only where both were seen.

use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv4Addr},
};

use super::{NotAName, Told, bytes::Bytes};
use crate::model::{HostName, NameSource};

/// Bytes before the options; then the cookie that says that they are options.
const SERVER_NAME_AND_FILE_BYTES: usize = 64 + 128;
const COOKIE: u32 = 0x6382_5363;

/// Options.
const PAD: u8 = 0;
const HOST_NAME: u8 = 12;
const LEASE: u8 = 51;
const KIND: u8 = 53;
const END: u8 = 255;

/// Kinds of messages.
const DISCOVER: u8 = 1;
const REQUEST: u8 = 3;
const ACK: u8 = 5;

/// Requests that wait for their answer. A network has few at a time; the oldest goes when there are more.
const MAX_PENDING: usize = 1_024;

/// The transaction and the client's hardware address.
type Client = (u32, [u8; 16]);

/// Names that clients told, until their addresses are acknowledged.
#[derive(Default)]
pub(super) struct Requests {
    pending: VecDeque<(Client, HostName)>,
}

/// What is of use in a message.
struct Message<'a> {
    client: Client,
    your_address: Ipv4Addr,
    kind: u8,
    host_name: Option<&'a [u8]>,
    lease_s: u32,
}

impl Requests {
    /// Takes a message in; tells a name when its address is acknowledged.
    pub fn take(&mut self, data: &[u8]) -> Result<Option<Told>, NotAName> {
        let Some(message) = Message::read(data) else { return Ok(None) };
        match (message.kind, message.host_name) {
            (DISCOVER | REQUEST, Some(name)) => {
                // some clients end it with a zero
                let name = name.strip_suffix(b"\0").unwrap_or(name);
                self.remember(message.client, HostName::parse(name).ok_or(NotAName)?);
                Ok(None)
            }
            (ACK, _) => Ok(self.answer(&message)),
            _ => Ok(None),
        }
    }

    fn remember(&mut self, client: Client, name: HostName) {
        self.pending.retain(|(known, _)| *known != client);
        if self.pending.len() == MAX_PENDING {
            self.pending.pop_front();
        }
        self.pending.push_back((client, name));
    }

    fn answer(&self, message: &Message<'_>) -> Option<Told> {
        // the same message may be seen at several places, so the request stays
        let (_, name) = self.pending.iter().find(|(client, _)| *client == message.client)?;
        Some(Told {
            address: IpAddr::V4(message.your_address),
            name: name.clone(),
            source: NameSource::Dhcp,
            used_by: None,
            ttl_s: message.lease_s,
        })
    }
}

impl<'a> Message<'a> {
    fn read(data: &'a [u8]) -> Option<Self> {
        let mut rest = Bytes(data);
        let _operation_and_hardware = rest.be32()?;
        let transaction = rest.be32()?;
        let _seconds_and_flags = rest.be32()?;
        let _client_address = rest.be32()?;
        let your_address = Ipv4Addr::from(rest.be32()?);
        let _server_and_relay = rest.take(8)?;
        let hardware = rest.take(16)?.try_into().ok()?;
        rest.take(SERVER_NAME_AND_FILE_BYTES)?;
        let mut message = Self { client: (transaction, hardware), your_address, kind: 0, host_name: None, lease_s: 0 };
        if rest.be32()? == COOKIE {
            message.read_options(rest);
        }
        Some(message)
    }

    fn read_options(&mut self, mut rest: Bytes<'a>) -> Option<()> {
        loop {
            let option = rest.byte().filter(|option| *option != END)?;
            if option == PAD {
                continue;
            }
            let length = rest.byte()?.into();
            let mut value = Bytes(rest.take(length)?);
            match option {
                KIND => self.kind = value.byte()?,
                HOST_NAME => self.host_name = Some(value.0),
                LEASE => self.lease_s = value.be32()?,
                _ => {}
            }
        }
    }
}
