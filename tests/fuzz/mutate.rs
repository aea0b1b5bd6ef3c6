//! Changes to bytes, by chance that can be repeated: what a fuzzer without a look inside can do, and what hurts formats most.

use super::random::Random;

/// Numbers at which code turns.
const EDGES: [u64; 16] =
    [0, 1, 2, 3, 4, 7, 8, 16, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_fff0, u64::MAX];

/// The same in text.
const WORDS: [&[u8]; 18] = [
    b"",
    b"0",
    b"-1",
    b"1e999",
    b"18446744073709551615",
    b"18446744073709551616",
    b"9223372036854775807",
    b"-",
    b"null",
    b"\"",
    b",",
    b"\n",
    b"\r\n",
    b"#",
    b"{",
    b"[[",
    b"\xff",
    b"9999-12-31T23:59:59Z",
];

/// An input is kept shorter than so many bytes: more tells nothing new.
const MAX_BYTES: usize = 128 << 10;

/// A changed copy of one of these: one to eight changes, mostly few.
pub fn changed(all: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = random.pick(all).clone();
    for _ in 0..=random.below(8).min(random.below(8)) {
        change(&mut bytes, all, random);
    }
    bytes.truncate(MAX_BYTES);
    bytes
}

/// So many changes to a copy of this.
pub fn damaged(file: &[u8], changes: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes = file.to_vec();
    for _ in 0..changes {
        change(&mut bytes, &[], random);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, all: &[Vec<u8>], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    match random.below(14) {
        0..=2 => overwrite(bytes, at, &[1 << random.below(8)], |old, new| old ^ new),
        3 => overwrite(bytes, at, &random.next().to_le_bytes()[..=random.below(4)], |_, new| new),
        4 | 5 => overwrite(bytes, at, &number(*random.pick(&EDGES), random), |_, new| new),
        6 => {
            let length = near(bytes.len(), random);
            overwrite(bytes, at, &number(length, random), |_, new| new);
        }
        7 => overwrite(bytes, at, &[u8::try_from(random.below(16)).unwrap()], |old, new| {
            old.wrapping_add(new).wrapping_sub(8)
        }),
        8 => drop(bytes.drain(at..end(at, bytes.len(), random))),
        9 => bytes.truncate(at),
        10 => {
            let piece = bytes[at..end(at, bytes.len(), random)].to_vec();
            insert(bytes, random, &piece);
        }
        11 if !all.is_empty() => {
            let other = random.pick(all);
            let from = random.below(other.len() + 1);
            let piece = &other[from..end(from, other.len(), random)];
            if random.chance(1, 2) { insert(bytes, random, piece) } else { overwrite(bytes, at, piece, |_, new| new) }
        }
        12 => {
            let end = token(bytes, at);
            bytes.splice(at..end, random.pick(&WORDS).iter().copied()).for_each(drop);
        }
        _ => {
            let piece: Vec<u8> = (0..random.below(9)).map(|_| random.next().to_le_bytes()[0]).collect();
            insert(bytes, random, &piece);
        }
    }
}

fn overwrite(bytes: &mut [u8], at: usize, with: &[u8], join: impl Fn(u8, u8) -> u8) {
    for (old, new) in bytes[at..].iter_mut().zip(with) {
        *old = join(*old, *new);
    }
}

fn insert(bytes: &mut Vec<u8>, random: &mut Random, piece: &[u8]) {
    let at = random.below(bytes.len() + 1);
    bytes.splice(at..at, piece.iter().copied()).for_each(drop);
}

/// Where a piece from here on ends: mostly it is short.
fn end(at: usize, length: usize, random: &mut Random) -> usize {
    let most = length - at;
    let most = if random.chance(7, 8) { most.min(64) } else { most };
    at + random.below(most + 1)
}

/// Where the letters and digits from here on end.
fn token(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take(40).take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'.').count()
}

/// A length that is right, or wrong by a little.
fn near(length: usize, random: &mut Random) -> u64 {
    (length as u64 + random.next() % 33).saturating_sub(16)
}

/// In one to eight bytes, in either order.
fn number(value: u64, random: &mut Random) -> Vec<u8> {
    let width = 1 << random.below(4);
    if random.chance(1, 2) { value.to_le_bytes()[..width].to_vec() } else { value.to_be_bytes()[8 - width..].to_vec() }
}
