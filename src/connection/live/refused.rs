//! What errors of ICMP say of an attempt.

use super::{Connection, state::second};
use crate::{
    connection::{arrival::Arrival, event::Event},
    model::Flags,
};

impl Connection {
    /// Somebody else said that the attempt of `sender` cannot be answered.
    pub fn refuse<A>(&mut self, packet: &Arrival<A>) {
        let sender = packet.sender;
        if packet.hour == self.hour {
            self.refused_s = second(packet.moment);
        }
        let is_answered = self.flags.has(Flags::AGREED) || self.flags.has(Flags::FROM_DST);
        if sender == self.src && !is_answered && !self.flags.has(Flags::REFUSED) {
            self.flags.add(Flags::REFUSED);
            self.has_news = true;
        }
    }

    /// Notes that an attempt was refused of which nothing was seen, but that the error quotes it: a SYN or a datagram with this number.
    pub fn refuse_unseen<A>(&mut self, packet: &Arrival<A>) {
        match packet.event {
            Event::Open(number) => self.opened_by(packet.sender, number),
            Event::Datagram(number) | Event::Told { number, .. } => self.half_mut(packet.sender).begin = number,
            _ => return,
        }
        self.refuse(packet);
    }
}
