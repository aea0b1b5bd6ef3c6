//! What holds of any bytes.

use proptest::prelude::*;

use super::*;

/// Ports at which something is told by them, and others.
const PORTS: [(u16, u16); 6] = [(40_000, 8_080), (53, 40_000), (40_000, 53), (5_353, 5_353), (123, 123), (68, 67)];

/// How messages begin, so that what follows is looked at.
const BEGINNINGS: [&[u8]; 24] = [
    b"",
    b"\x16\x03\x01",
    b"\x17\x03\x03",
    b"\x16\xfe\xfd",
    b"\xc3\0\0\0\x01",
    b"\xd3\x6b\x33\x43\xcf",
    b"GET ",
    b"HTTP/1.1 ",
    b"AMQP",
    b"R\0\0\0",
    b"P\0\0\0",
    b"\0\0\0\x08",
    b"\x30\x82",
    b"\x30\x84\xff",
    b"\x10\xff",
    b"*1\r\n$",
    b"set a 0 0 ",
    b"VALUE a 0 99999999",
    b"\x03\0\0\x13\x0e\xe0",
    b"\x30\x10\x02\x01\x01\x60",
    b"\x30\x10\x02\x01\x03\x30",
    b"INFO {",
    b"\xfe",
    b"220 ",
];

proptest! {
    #[test]
    fn any_bytes_are_safe_and_what_is_passed_over_says_nothing(
        ports in prop::sample::select(&PORTS[..]), beginning in prop::sample::select(&BEGINNINGS[..]),
        rest in prop::collection::vec(any::<u8>(), 0..200), more in 0usize..2_000, is_framed in 0u8..4,
    ) {
        let mut data = [beginning, &rest[..]].concat();
        let bytes = data.len() + if more < 1_000 { 0 } else { more };
        // lengths that are the packet's own, as frames begin
        let length = u32::try_from(bytes).unwrap();
        let begin = match is_framed {
            1 => length.wrapping_sub(4).to_be_bytes(),
            2 => length.to_le_bytes(),
            3 => (length.wrapping_sub(4) & 0x00ff_ffff).to_le_bytes(),
            _ => [0; 4],
        };
        if is_framed > 0 && data.len() >= 4 {
            data[..4].copy_from_slice(&begin);
        }
        let (src, dst) = ((CLIENT.0, ports.0), (SERVER.0, ports.1));
        for packet in [cut_segment(src, dst, &data, bytes), datagram(src, dst, &data)] {
            let is_told = super::super::said(at(0), &packet).is_some();
            prop_assert!(!is_told || super::super::may_tell(&packet));
        }
    }

    #[test]
    fn noise_is_hardly_ever_anything(noise in prop::collection::vec(any::<u8>(), 20..1_400)) {
        prop_assert_eq!(stream(&noise), None);
        prop_assert_eq!(told(&datagram(CLIENT, SERVER, &noise)), None);
    }
}
