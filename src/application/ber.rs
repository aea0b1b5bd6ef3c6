//! Tags and lengths of ASN.1's basic encoding (X.690, section 8.1).

/// What is left of a message.
#[derive(Clone, Copy)]
pub(super) struct Ber<'a>(pub &'a [u8]);

impl<'a> Ber<'a> {
    /// The length of an element with this tag, which is taken off; its content comes next.
    pub fn open(&mut self, tag: u8) -> Option<usize> {
        let rest = self.0.strip_prefix(&[tag])?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        self.0 = rest;
        Some(length)
    }

    /// The content of an element with this tag.
    pub fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let length = self.open(tag)?;
        let (content, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(content)
    }

    /// The tag that comes next.
    pub fn tag(&self) -> Option<u8> {
        self.0.first().copied()
    }
}
