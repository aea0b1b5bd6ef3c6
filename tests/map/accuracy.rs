//! How well client and server are told apart where the openings of connections are lost, on every capture there is. The
//! figures behind the limits are in docs/accuracy.md.

#[path = "../common/directions.rs"]
mod directions;

use directions::{Score, captures, score};

use crate::common::data;

/// The score over all captures with this share of their SYN and SYN-ACK packets removed.
fn all(percent: u64) -> Option<Score> {
    let pcaps = data()?.join("pcaps");
    let mut total = Score::default();
    for path in captures(&pcaps).unwrap() {
        if let Some(score) = score(&path, percent).unwrap() {
            total.add(&score);
        }
    }
    assert!(total.connections() > 1_000, "too few captures: {total:?}");
    Some(total)
}

#[test]
fn without_any_handshake_nine_of_ten_are_decided_and_one_of_two_hundred_wrong() {
    let Some(total) = all(100) else { return };
    assert!(total.decided() * 10 >= total.connections() * 9, "{total:?}");
    assert!(total.wrong() * 200 <= total.connections(), "{total:?}");
}

#[test]
fn with_half_of_the_handshake_packets_ninety_nine_of_a_hundred_are_decided() {
    let Some(total) = all(50) else { return };
    assert!(total.decided() * 100 >= total.connections() * 99, "{total:?}");
    assert!(total.wrong() * 200 <= total.connections(), "{total:?}");
}

#[test]
fn with_all_handshakes_there_nothing_is_wrong_or_unknown() {
    let Some(total) = all(0) else { return };
    assert_eq!((total.wrong(), total.unknown), (0, 0), "{total:?}");
}
