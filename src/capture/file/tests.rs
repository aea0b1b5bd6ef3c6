use super::*;
use crate::{capture::LinkType, model::Timestamp};

fn pcap(records: &[(u32, &[u8])]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65_535, 1] {
        file.extend(word.to_le_bytes());
    }
    for (seconds, data) in records {
        let length = u32::try_from(data.len()).unwrap();
        for word in [*seconds, 5, length, length] {
            file.extend(word.to_le_bytes());
        }
        file.extend(*data);
    }
    file
}

fn block(kind: u32, body: &[u8], big: bool) -> Vec<u8> {
    let word = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let length = u32::try_from(12 + body.len().next_multiple_of(4)).unwrap();
    let mut block = [word(kind), word(length)].concat();
    block.extend(body);
    block.resize(block.len().next_multiple_of(4), 0);
    block.extend(word(length));
    block
}

fn section(link: u16, resolution: u8, ticks: u64, data: &[u8], big: bool) -> Vec<u8> {
    let word = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let half = |value: u16| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let header = [&word(0x1a2b_3c4d)[..], &half(1), &half(0), &[0xff; 8]].concat();
    let interface =
        [&half(link)[..], &half(0), &word(0), &half(9), &half(1), &[resolution, 0, 0, 0], &half(0), &half(0)].concat();
    let length = word(u32::try_from(data.len()).unwrap());
    let packet = [
        &word(0)[..],
        &word(u32::try_from(ticks >> 32).unwrap()),
        &word(u32::try_from(ticks & 0xffff_ffff).unwrap()),
        &length,
        &length,
        data,
    ]
    .concat();
    [block(0x0a0d_0d0a, &header, big), block(1, &interface, big), block(6, &packet, big)].concat()
}

/// Times, link types and lengths of all frames, and how the file ended.
fn read(file: &[u8]) -> (Vec<(Timestamp, LinkType, usize)>, Option<String>) {
    let mut reader = CaptureReader::new(file).unwrap();
    let mut frames = Vec::new();
    loop {
        match reader.next_frame() {
            Ok(Some(frame)) => frames.push((frame.time, frame.link, frame.data.len())),
            Ok(None) => return (frames, None),
            Err(error) => return (frames, Some(error.to_string())),
        }
    }
}

#[test]
fn a_capture_cut_anywhere_gives_its_whole_records_and_names_the_cut() {
    let file = pcap(&[(1, &[7; 60]), (2, &[8; 90])]);
    assert_eq!(read(&file).1, None);
    for cut in 24..file.len() {
        let (frames, end) = read(&file[..cut]);
        let whole = usize::from(cut >= 24 + 76);
        assert_eq!(frames.len(), whole, "cut at {cut}");
        assert_eq!(end.is_none(), cut == 24 || cut == 24 + 76, "cut at {cut}: {end:?}");
    }
}

#[test]
fn a_record_of_absurd_length_ends_the_reading_without_allocating() {
    let mut file = pcap(&[(1, &[7; 60])]);
    for word in [3u32, 0, 0xffff_fff0, 60] {
        file.extend(word.to_le_bytes());
    }
    let (frames, end) = read(&file);
    assert_eq!(frames.len(), 1);
    assert_eq!(end.unwrap(), "a record of 4294967280 bytes is longer than any capture takes at byte 100");
}

#[test]
fn what_stands_in_place_of_a_record_is_named_and_no_packet() {
    let file = pcap(&[(1, &[7; 60])]);
    let zeros = [&file[..], &[0; 64]].concat();
    assert_eq!((read(&zeros).0.len(), read(&zeros).1.unwrap()), (1, "zeros in place of a record at byte 100".into()));
    let (frames, end) = read(&[&file[..], &file[..]].concat());
    assert_eq!(frames.len(), 1);
    assert!(end.unwrap().starts_with("another capture begins ("));
    let mut reader = CaptureReader::new(&zeros[..]).unwrap();
    let mut batch = Batch::default();
    assert!(matches!(reader.fill(&mut batch), Err(ReadError::Damage(_))), "batches end alike");
    assert_eq!(batch.len(), 1);
}

#[test]
fn sections_of_both_byte_orders_and_resolutions_are_read_in_one_file() {
    let micro = section(1, 6, 1_500_000, &[1; 60], false);
    let nano = section(101, 9, 2_000_000_007, &[2; 41], true);
    let binary = section(1, 0x80 | 0x0a, 3 * 1024 + 512, &[3; 60], false);
    let (frames, end) = read(&[micro, nano, binary].concat());
    assert_eq!(end, None);
    let expected = [
        (Timestamp(1_500_000_000), LinkType::ETHERNET, 60),
        (Timestamp(2_000_000_007), LinkType::RAW, 41),
        (Timestamp(3_500_000_000), LinkType::ETHERNET, 60),
    ];
    assert_eq!(frames, expected);
}

#[test]
fn the_interfaces_of_sections_that_were_put_together_are_those_of_one_capture() {
    let ethernet = section(1, 6, 1, &[1; 60], false);
    let file = [ethernet.clone(), section(101, 6, 2, &[2; 41], true), ethernet.clone(), ethernet].concat();
    let mut reader = CaptureReader::new(&file[..]).unwrap();
    let numbers: Vec<u32> = std::iter::from_fn(|| reader.next_frame().unwrap().map(|frame| frame.interface)).collect();
    assert_eq!(numbers, [0, 1, 0, 0]);
}

#[test]
fn what_is_no_capture_is_told_by_its_first_bytes() {
    let error = |bytes: &[u8]| CaptureReader::new(bytes).err().unwrap().to_string();
    assert_eq!(error(b""), "the file is empty");
    assert_eq!(error(b"{\"kind\": \"List\"}"), "neither pcap nor pcapng (it begins with `{\"kind\":`)");
    assert_eq!(
        error(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0]),
        "neither pcap nor pcapng (it begins with 7f 45 4c 46 02 01 01 00)"
    );
    assert_eq!(error(&pcap(&[])[..20]), "ends inside the file header");
}

// --- variants of the classic format ------------------------------------------------------------------------------------

/// Three records of this magic, each with so many bytes between its ordinary header and its packet, in either byte order.
fn variant(magic: u32, version: (u16, u16), file_extra: usize, record_extra: usize, big: bool) -> Vec<u8> {
    let word = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let half = |value: u16| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let mut file = [&word(magic)[..], &half(version.0), &half(version.1), &[0; 8], &word(65_535), &word(1)].concat();
    file.resize(file.len() + file_extra, 9);
    for n in 0..3u8 {
        let record = [word(1_000 + u32::from(n)), word(500), word(60 + u32::from(n)), word(90)].concat();
        file.extend(record);
        file.resize(file.len() + record_extra, 7);
        file.resize(file.len() + 60 + usize::from(n), n);
    }
    file
}

#[test]
fn all_variants_of_the_classic_format_are_told_apart() {
    let cases = [
        (0xa1b2_c3d4, 0, 0, 500_000),
        (0xa1b2_3c4d, 0, 0, 500),
        // patched libraries: the magic alone does not tell which
        (0xa1b2_cd34, 0, 8, 500_000),
        (0xa1b2_cd34, 0, 12, 500_000),
        (0xa1b2_c3d4, 0, 8, 500_000),
        (0xa1b2_c3d4, 0, 4, 500_000),
        // Ixia
        (0x1c00_01ac, 4, 0, 500),
        (0x1c00_01ab, 4, 0, 500_000),
    ];
    for (magic, file_extra, record_extra, nanos) in cases {
        for big in [false, true] {
            let (frames, end) = read(&variant(magic, (2, 4), file_extra, record_extra, big));
            assert_eq!(end, None, "{magic:x} {record_extra}");
            let expected = [0, 1, 2].map(|n| {
                (Timestamp::new(1_000 + i64::from(n), nanos), LinkType::ETHERNET, 60 + usize::try_from(n).unwrap())
            });
            assert_eq!(frames, expected, "{magic:x} {record_extra}");
        }
    }
}

#[test]
fn damage_behind_the_first_record_makes_no_variant_of_an_ordinary_file() {
    let mut file = pcap(&[(1, &[7; 60]), (2, &[8; 90])]);
    // the second record's fraction of a second is none
    file[24 + 76 + 4..24 + 76 + 8].fill(0xff);
    let (frames, end) = read(&file);
    assert_eq!((frames.len(), end), (2, None));
}

#[test]
fn a_long_record_alone_makes_no_variant_of_a_damaged_file() {
    let mut file = variant(0xa1b2_c3d4, (2, 4), 0, 0, false);
    file.extend(pcap(&[(4, &[9; 60])]).split_off(24));
    let (second, last) = (24 + 76, 24 + 76 + 77 + 78);
    // the second packet was long, and begins with what a patched header would have for its length
    file[second + 12..second + 16].copy_from_slice(&262_144u32.to_le_bytes());
    file[second + 16..second + 20].fill(0x7f);
    file[last + 4..last + 8].fill(0xff);
    let (frames, end) = read(&file);
    assert_eq!((frames.len(), end), (4, None));
}

#[test]
fn old_versions_have_their_lengths_the_other_way_round() {
    let of = |version: (u16, u16), first: u32, second: u32| {
        let mut file = variant(0xa1b2_c3d4, version, 0, 0, false);
        file.truncate(24);
        for word in [1u32, 2, first, second] {
            file.extend(word.to_le_bytes());
        }
        file.resize(file.len() + 60, 1);
        let mut reader = CaptureReader::new(&file[..]).unwrap();
        let frame = reader.next_frame().unwrap().unwrap();
        (frame.data.len(), frame.wire_length)
    };
    assert_eq!(of((2, 4), 60, 90), (60, 90));
    assert_eq!(of((2, 2), 90, 60), (60, 90));
    assert_eq!(of((543, 0), 90, 60), (60, 90));
    assert_eq!([of((2, 3), 90, 60), of((2, 3), 60, 90)], [(60, 90); 2]);
    // more captured than there was: what is there is taken
    assert_eq!(of((2, 4), 60, 20), (60, 20));
}

#[test]
fn times_may_go_back_and_jump() {
    let (frames, end) = read(&pcap(&[(2_000_000_000, &[7; 60]), (5, &[8; 60]), (0, &[])]));
    let times: Vec<i64> = frames.iter().map(|(time, ..)| time.0 / 1_000_000_000).collect();
    assert_eq!((times, end), (vec![2_000_000_000, 5, 0], None));
}

// --- blocks of pcapng ----------------------------------------------------------------------------------------------------

fn header() -> Vec<u8> {
    block(0x0a0d_0d0a, &[&0x1a2b_3c4du32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat(), false)
}

/// An interface with this snap length and these options.
fn interface(snaplen: u32, options: &[(u16, &[u8])]) -> Vec<u8> {
    block(1, &[&[1, 0, 0, 0][..], &snaplen.to_le_bytes(), &self::options(options)].concat(), false)
}

#[test]
fn a_section_of_another_major_version_ends_what_is_read() {
    for (version, reason) in [([2, 0, 3, 0], Some("2.3")), ([0, 0, 1, 0], Some("0.1")), ([1, 0, 2, 0], None)] {
        let mut other = header();
        other[12..16].copy_from_slice(&version);
        let packet = || [interface(0, &[]), enhanced(0, 1, &[7; 60], &[])].concat();
        let (frames, end) = read(&[header(), packet(), other, packet()].concat());
        let told = reason.map(|version| format!("a section of unknown version {version} at byte "));
        assert_eq!(frames.len(), if reason.is_some() { 1 } else { 2 });
        assert_eq!(end.is_some(), told.is_some(), "{end:?}");
        assert!(end.unwrap_or_default().starts_with(&told.unwrap_or_default()));
    }
}

fn options(options: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (code, value) in options {
        bytes.extend(code.to_le_bytes());
        bytes.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
        bytes.extend(*value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

fn enhanced(number: u32, ticks: u64, data: &[u8], further: &[(u16, &[u8])]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap();
    let [high, low] = [ticks >> 32, ticks & 0xffff_ffff].map(|half| u32::try_from(half).unwrap());
    let mut body: Vec<u8> = [number, high, low, length, length].iter().flat_map(|word| word.to_le_bytes()).collect();
    body.extend(data);
    body.resize(body.len().next_multiple_of(4), 0);
    body.extend(options(further));
    block(6, &body, false)
}

#[test]
fn times_are_read_in_any_resolution_and_with_an_offset() {
    let time = |options: &[(u16, &[u8])], ticks: u64| {
        let (frames, end) = read(&[header(), interface(0, options), enhanced(0, ticks, &[1; 60], &[])].concat());
        assert_eq!(end, None);
        frames[0].0.0
    };
    assert_eq!(time(&[], 1_500_000), 1_500_000_000);
    assert_eq!(time(&[(9, &[0])], 7), 7_000_000_000);
    assert_eq!(time(&[(9, &[3])], 1_500), 1_500_000_000);
    assert_eq!(time(&[(9, &[12])], 1_500_000_000_000), 1_500_000_000);
    assert_eq!(time(&[(9, &[19])], 15_000_000_000_000_000_000), 1_500_000_000);
    assert_eq!(time(&[(9, &[0x80])], 3), 3_000_000_000);
    assert_eq!(time(&[(9, &[0x80 | 63])], 3 << 62), 1_500_000_000);
    // finer than 64 bits can count: everything was in the first second
    assert!((0..1_000_000_000).contains(&time(&[(9, &[20])], 5)));
    assert!((0..1_000_000_000).contains(&time(&[(9, &[0xff])], u64::MAX - 1)));
    assert_eq!(time(&[(14, &10i64.to_le_bytes())], 1_500_000), 11_500_000_000);
    assert_eq!(time(&[(14, &(-1i64).to_le_bytes())], 1_500_000), 500_000_000);
    assert_eq!(time(&[(2, b"eth0"), (9, &[9]), (0, &[]), (9, &[0])], 1_500_000_000), 1_500_000_000);
}

#[test]
fn simple_and_obsolete_packets_are_read_and_other_blocks_are_skipped() {
    let simple = |wire_length: u32, data: &[u8]| block(3, &[&wire_length.to_le_bytes()[..], data].concat(), false);
    let mut obsolete = vec![0, 0, 3, 0];
    obsolete.extend([0u32, 2_000_000, 5, 90].iter().flat_map(|word| word.to_le_bytes()));
    obsolete.extend([3; 5]);
    let skipped = [4u32, 9, 10, 0x0bad, 0x4000_0bad, 0x8000_0001].map(|kind| block(kind, &[0xee; 21], false));
    let file = [
        header(),
        interface(64, &[]),
        skipped.concat(),
        enhanced(0, 1_000_000, &[1; 61], &[(1, b"a comment")]),
        simple(1_500, &[2; 64]),
        simple(30, &[2; 30]),
        block(2, &obsolete, false),
        skipped.concat(),
    ];
    let mut file = file.concat();
    let (frames, end) = read(&file);
    let lengths: Vec<_> = frames.iter().map(|(time, _, length)| (time.0 / 1_000_000_000, *length)).collect();
    assert_eq!((lengths, end), (vec![(1, 61), (1, 64), (1, 30), (2, 5)], None));
    // a simple packet without a limit of its interface ends with its block
    let (frames, end) = read(&[header(), interface(0, &[]), simple(1_500, &[2; 64])].concat());
    assert_eq!((frames[0].2, end), (64, None));
    // of an interface that was not described the link type is not known, nor in which units its times count
    file.extend(enhanced(1, 77, &[1; 60], &[]));
    file.extend(enhanced(0, 3_000_000, &[1; 62], &[]));
    let (frames, end) = read(&file);
    let tail: Vec<_> =
        frames.iter().skip(4).map(|(time, link, length)| (time.0 / 1_000_000_000, *link, *length)).collect();
    let ethernet = LinkType::ETHERNET;
    assert_eq!((tail, end), (vec![(2, LinkType::NOT_DESCRIBED, 60), (3, ethernet, 62)], None));
}

#[test]
fn what_was_dropped_is_told_by_statistics_or_by_packets() {
    let statistics = |number: u32, counts: &[(u16, &[u8])]| {
        block(5, &[&number.to_le_bytes()[..], &[0; 8], &options(counts)].concat(), false)
    };
    let dropped = |blocks: &[Vec<u8>]| {
        let file = [&[header(), interface(0, &[]), interface(0, &[])], blocks].concat().concat();
        let mut reader = CaptureReader::new(&file[..]).unwrap();
        while reader.next_frame().unwrap().is_some() {}
        let Drops { by_kernel, by_interface } = reader.drops();
        (by_kernel, by_interface)
    };
    let [three, five, nine] = [3u64, 5, 9].map(u64::to_le_bytes);
    assert_eq!(dropped(&[]), (0, 0));
    // the last statistics of each interface hold
    let twice = [statistics(0, &[(5, &three), (7, &five)]), statistics(0, &[(5, &five), (7, &nine), (4, &nine)])];
    assert_eq!(dropped(&twice), (9, 5));
    assert_eq!(dropped(&[statistics(0, &[(7, &nine)]), statistics(1, &[(7, &five)])]), (14, 0));
    let told = [enhanced(0, 0, &[1; 60], &[(4, &three)]), enhanced(0, 0, &[1; 61], &[(1, b"x"), (4, &five)])];
    assert_eq!(dropped(&told), (0, 8));
    let both = [&told[..], &[statistics(0, &[(5, &nine)])]].concat();
    assert_eq!(dropped(&both), (0, 9));
    // an interface that is not there, and a section that begins anew
    assert_eq!(dropped(&[statistics(7, &[(7, &nine)])]), (0, 0));
    let two = [statistics(0, &[(7, &nine)]), header(), interface(0, &[]), statistics(0, &[(7, &five)])];
    assert_eq!(dropped(&two), (14, 0));
}

#[test]
fn a_block_file_cut_anywhere_gives_its_whole_packets_and_names_the_cut() {
    let parts = [
        header(),
        interface(0, &[(9, &[9])]),
        enhanced(0, 1, &[1; 60], &[(4, &[0; 8])]),
        enhanced(0, 2, &[2; 90], &[]),
    ];
    let ends: Vec<usize> = parts
        .iter()
        .scan(0, |end, part| {
            Some({
                *end += part.len();
                *end
            })
        })
        .collect();
    let file = parts.concat();
    for cut in 12..file.len() {
        let (frames, end) = read(&file[..cut]);
        let whole = ends.iter().skip(2).filter(|end| **end <= cut).count();
        assert_eq!((frames.len(), end.is_none()), (whole, ends.contains(&cut)), "cut at {cut}: {end:?}");
    }
}

proptest::proptest! {
    #[test]
    fn damaged_files_end_without_a_fault(changes in proptest::collection::vec((0usize..400, proptest::num::u8::ANY), 1..6), kind in 0usize..4) {
        let mut file = match kind {
            0 => pcap(&[(1, &[7; 60]), (2, &[8; 90])]),
            1 => variant(0xa1b2_cd34, (2, 4), 0, 8, true),
            2 => [section(1, 6, 1, &[1; 60], false), section(101, 9, 2, &[2; 41], true)].concat(),
            _ => [header(), interface(0, &[(9, &[9])]), enhanced(0, 1, &[1; 60], &[(4, &[0; 8])])].concat(),
        };
        for (at, value) in changes {
            if let Some(byte) = file.get_mut(at) {
                *byte = value;
            }
        }
        if let Ok(mut reader) = CaptureReader::new(&file[..]) {
            let mut frames = 0;
            while let Ok(Some(frame)) = reader.next_frame() {
                assert!(frame.data.len() <= file.len());
                frames += 1;
            }
            assert!(frames <= file.len() / 12);
        }
    }
}

#[test]
fn files_of_aix_have_types_of_interfaces_and_nanoseconds() {
    let of = |version: (u16, u16), number: u32| {
        let mut file = variant(0xa1b2_c3d4, version, 0, 0, true);
        file.truncate(24);
        file[20..24].copy_from_slice(&number.to_be_bytes());
        for word in [1u32, 7_000_000, 60, 60] {
            file.extend(word.to_be_bytes());
        }
        file.extend([0; 60]);
        let (frames, damage) = read(&file);
        assert_eq!(damage, None);
        let (time, link, _) = frames[0];
        (time.0 - 1_000_000_000, link.0)
    };
    for (number, link) in [(6, 1), (9, 6), (15, 10), (24, 0)] {
        assert_eq!(of((2, 2), number), (7_000_000, link));
    }
    assert_eq!(of((2, 4), 6).1, 6);
    assert_eq!(of((2, 2), 1).1, 1);
}

#[test]
fn a_block_that_ends_with_another_length_than_it_begins_with_is_damage_and_hides_no_packets() {
    let packet = |n: u8| {
        let words = [0, 0, u32::from(n), 4, 4].map(u32::to_le_bytes).concat();
        block(6, &[&words[..], &[n; 4]].concat(), false)
    };
    let begin = section(1, 9, 7, &[1, 2], false);
    let blocks = [begin, packet(1), packet(2), packet(3)].concat();
    assert_eq!(read(&blocks).0.len(), 4);
    // the first of three takes the second with it
    let one = packet(1).len();
    let at = blocks.len() - 3 * one;
    let mut swallowing = blocks.clone();
    swallowing[at + 4..at + 8].copy_from_slice(&u32::try_from(2 * one - 4).unwrap().to_le_bytes());
    let (frames, why) = read(&swallowing);
    assert_eq!(frames.len(), 1);
    assert!(why.unwrap().contains("a block of 68 bytes that ends as one of"), "{frames:?}");
    // a block that nobody reads is no exception, however long
    for body in [&[0; 4][..], &vec![0; 1 << 20]] {
        let mut other = block(0x0bad, body, false);
        let whole = [&blocks[..], &other, &packet(4)].concat();
        assert_eq!(read(&whole).0.len(), 5);
        let end = other.len() - 4;
        other[end] ^= 4;
        let (frames, why) = read(&[&blocks[..], &other, &packet(4)].concat());
        assert_eq!((frames.len(), why.is_some()), (4, true));
    }
}
