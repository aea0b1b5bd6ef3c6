//! How alike two classes are: the share of what they do that both do, weighted by how rare it is.
//!
//! A weighted Jaccard index in whole numbers, so that no rounding depends on an order. What weighs how much was chosen by
//! measurement (docs/tiers.md); each rule has its reason beside it.

use std::cmp::Ordering;

use foldhash::{HashMap, HashSet};
use smallvec::SmallVec;

use super::{
    signature::{Class, Has, MANY_PEERS, Signatures},
    token::Token,
};

/// Similarities and weights are counted in these: 1.0.
pub(super) const ONE: u64 = 1 << 16;

/// A token that one endpoint alone has can only hold it apart from others. It weighs this much of its rarity, in percent:
/// otherwise a host with a few habits of its own would be like no other. What the outside enters by weighs in full.
const SOLE_PERCENT: u64 = 15;

/// A service that peers of several kinds use, or the outside, says more of a job than a call, or than a port that one
/// monitor reads. It weighs so many times its rarity.
const MAIN_SERVICE: u64 = 2;

/// Whether a host provides, consumes or does both tells its work first of all (Karagiannis and others, BLINC, 2005). One that
/// serves and one that does not are alike by so many things that both call, at least: by one, all clients of a server would be
/// like those of its clients that serve, and its standby like these.
const MIN_CALLED_ALIKE: usize = 2;

/// What the endpoints in scope do, by how many of them.
pub(super) struct Weights {
    counts: HashMap<Token, u64>,
    /// How many have each token, wherever the peers are; who has both counts twice.
    anywhere: HashMap<Token, u64>,
    endpoints: u64,
}

impl Weights {
    /// Peers out of scope do not count: they are seen by what they have to do with these alone, and would make
    /// everything look rare.
    pub fn new(signatures: &Signatures) -> Self {
        let (mut counts, mut anywhere) = (HashMap::default(), HashMap::default());
        let mut endpoints = 0;
        for class in &signatures.classes {
            endpoints += class.members.len() as u64;
            for has in &class.has {
                *counts.entry(has.token).or_default() += class.members.len() as u64;
                *anywhere.entry(has.token.anywhere()).or_default() += class.members.len() as u64;
            }
        }
        Self { counts, anywhere, endpoints }
    }

    /// How many endpoints have a token.
    pub fn count(&self, token: Token) -> u64 {
        self.counts.get(&token).copied().unwrap_or_default()
    }

    /// How many endpoints there are.
    pub fn endpoints(&self) -> u64 {
        self.endpoints
    }

    /// How rare it is: ln((N + 1) / n).
    pub fn rarity(&self, token: Token) -> u64 {
        self.rarity_of(self.count(token))
    }

    /// How rare it is with peers wherever they are.
    pub fn rarity_anywhere(&self, token: Token) -> u64 {
        self.rarity_of(self.anywhere.get(&token.anywhere()).copied().unwrap_or_default())
    }

    /// How rare it is what so many do.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts")]
    pub fn rarity_of(&self, count: u64) -> u64 {
        let share = (self.endpoints + 1) as f64 / count.max(1) as f64;
        (share.ln().max(0.0) * ONE as f64).round() as u64
    }

    /// Whether most do it: that makes nobody alike.
    pub fn is_common(&self, token: Token) -> bool {
        self.count(token) * 2 > self.endpoints
    }

    fn of(&self, has: &Has, class: u32) -> u64 {
        let rarity = self.rarity(has.token);
        let is_entrance = has.token.is_served() && has.token.is_outside();
        let kinds_of_clients = has.peers.iter().filter(|peer| **peer != class).count();
        let is_main = is_entrance || has.token.is_served() && kinds_of_clients > 1;
        let rarity = if is_main { rarity * MAIN_SERVICE } else { rarity };
        if self.count(has.token) == 1 && !is_entrance { rarity * SOLE_PERCENT / 100 } else { rarity }
    }
}

/// A token of a class, ready to be compared.
struct Weighed {
    token: Token,
    weight: u64,
    peers: SmallVec<[u32; MANY_PEERS]>,
    is_common: bool,
    /// It is done with infrastructure alone.
    is_aside: bool,
}

/// A class with its weights, ready to be compared.
pub(super) struct Weighted {
    number: u32,
    has: Vec<Weighed>,
    /// Whether it serves others than infrastructure.
    serves: bool,
}

impl Weighted {
    /// What is done with `aside` classes alone counts for nothing.
    pub fn new(number: u32, class: &Class, weights: &Weights, aside: &HashSet<u32>) -> Self {
        let weighed = |has: &Has| {
            // a full list of peers may lack one that is not aside
            let is_aside = has.peers.len() < MANY_PEERS && has.peers.iter().all(|peer| aside.contains(peer));
            Weighed {
                token: has.token,
                weight: if is_aside { 0 } else { weights.of(has, number) },
                peers: has.peers.clone(),
                is_common: is_aside || weights.is_common(has.token),
                is_aside,
            }
        };
        let has: Vec<Weighed> = class.has.iter().map(weighed).collect();
        let serves = has.iter().any(|it| it.token.is_served() && !it.is_aside);
        Self { number, has, serves }
    }

    /// What it does, and not with infrastructure alone.
    pub fn work(&self) -> impl Iterator<Item = Token> {
        self.has.iter().filter(|it| !it.is_aside).map(|it| it.token)
    }

    /// What it does and most do not.
    pub fn telling(&self) -> impl Iterator<Item = Token> {
        self.has.iter().filter(|it| !it.is_common).map(|it| it.token)
    }

    /// The share of what both do, from 0 to [`ONE`].
    ///
    /// Calls between the two themselves weigh neither for nor against: replicas call each other. And classes that share
    /// only what most do are not alike, unless they do nothing else; nor is one that serves like one that does not by a single call.
    pub fn similarity(&self, other: &Self) -> u64 {
        let (mut both, mut either, mut telling, mut shares, mut differs) = (0, 0, 0, false, false);
        let is_between = |it: &Weighed| it.peers.iter().all(|peer| *peer == self.number || *peer == other.number);
        let counted = |it: &Weighed| if is_between(it) { 0 } else { it.weight };
        let (mut left, mut right) = (self.has.iter().peekable(), other.has.iter().peekable());
        loop {
            let order = match (left.peek(), right.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.token.cmp(&b.token),
            };
            let a = if order.is_le() { left.next() } else { None };
            let b = if order.is_ge() { right.next() } else { None };
            let (of_a, of_b) = (a.map_or(0, counted), b.map_or(0, counted));
            either += of_a.max(of_b);
            // what one of them does with the other and the other with a third, as in a ring, both do
            both += match (a, b) {
                (Some(a), Some(b)) => of_a.max(of_b).min(a.weight.min(b.weight)),
                _ => 0,
            };
            match (a, b) {
                (Some(a), Some(_)) => {
                    telling += usize::from(!a.is_common);
                    shares |= !a.is_aside;
                }
                (Some(alone), None) | (None, Some(alone)) => differs |= !alone.is_aside,
                (None, None) => break,
            }
        }
        match either {
            _ if shares && !differs => ONE,
            0 => 0,
            _ if telling == 0 || self.serves != other.serves && telling < MIN_CALLED_ALIKE => 0,
            _ => both * ONE / either,
        }
    }
}
