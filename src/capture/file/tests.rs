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
