//! Texts as other systems write them.

use std::borrow::Cow;

/// Bytes that are no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not UTF-8 after byte {valid}")]
pub struct NotText {
    /// How many bytes of them are text.
    pub valid: usize,
}

/// A text of UTF-8, or of UTF-16 behind its mark, as `>` of older versions of `PowerShell` writes it. The mark that some
/// editors put before UTF-8 too is left out: neither JSON nor CSV knows it.
pub fn decoded(bytes: &[u8]) -> Result<Cow<'_, str>, NotText> {
    let (rest, unit): (_, fn([u8; 2]) -> u16) = match bytes {
        [0xff, 0xfe, rest @ ..] => (rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => (rest, u16::from_be_bytes),
        _ => {
            let text = std::str::from_utf8(bytes).map_err(|error| NotText { valid: error.valid_up_to() })?;
            return Ok(text.strip_prefix('\u{feff}').unwrap_or(text).into());
        }
    };
    let (units, odd) = rest.as_chunks::<2>();
    let text: Result<String, _> = char::decode_utf16(units.iter().copied().map(unit)).collect();
    text.ok().filter(|_| odd.is_empty()).map(Cow::Owned).ok_or(NotText { valid: 0 })
}
