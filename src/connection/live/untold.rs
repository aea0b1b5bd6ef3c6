//! What tells less, or more, of who began than who was seen first: messages of ICMP, datagrams that say it themselves, and resets
//! of hosts that know of nothing.

use super::Connection;
use crate::{
    connection::tuple::Side,
    model::{Control, Flags},
};

impl Connection {
    /// A message of ICMP: a question or an answer tells who began, whatever was seen first.
    pub(super) fn controlled(&mut self, sender: Side, control: Control) {
        let is_open = self.is_new() || self.flags.has(Flags::UNTOLD);
        let asker = match control {
            Control::Asks => Some(sender),
            Control::Answers => Some(sender.other()),
            Control::Tells => None,
        };
        match asker {
            Some(asker) if is_open => self.begun_by(asker),
            None if self.is_new() => self.flags.add(Flags::UNTOLD),
            _ => {}
        }
        self.carried(sender, true, false);
    }

    /// A datagram that says by itself whether its sender asks.
    pub(super) fn told(&mut self, sender: Side, (number, asks): (u32, bool), moment: u32) {
        self.passed_on(sender, number, moment);
        self.flags.add(if asks == (sender == self.src) { Flags::ASKS } else { Flags::DST_ASKS });
    }

    /// Now it is known who was first.
    fn begun_by(&mut self, side: Side) {
        self.flags.remove(Flags::UNTOLD);
        if self.src != side {
            self.src = side;
            self.halves.reverse();
            self.flags = self.flags.turned();
        }
        self.flags.add(Flags::SRC_FIRST);
    }

    /// A side says that it knows of no such connection: its number is what it was told that it stands at.
    pub(super) fn disowned(&mut self, sender: Side, number: u32) {
        self.flags.add(if sender == self.src { Flags::DISOWNED } else { Flags::DST_DISOWNED });
        self.flags.add(Flags::CLOSED);
        let half = self.half_mut(sender);
        if half.begin == 0 {
            half.begin = number.wrapping_sub(1);
        }
        half.end = number;
    }
}
