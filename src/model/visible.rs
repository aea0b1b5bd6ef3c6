//! Names from outside, made safe to look at.

use std::borrow::Cow;

/// What stands for a letter that must not do what it does.
const REPLACEMENT: char = '\u{fffd}';

/// Text in which nothing is hidden and nothing turns its surroundings round: control characters, line ends among them, and
/// the characters that steer or break bidirectional text (Unicode UAX #9, and technical report 36 on spoofing) are
/// replaced, and so are those without any width. Letters of all scripts stay.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_unseen) {
        Cow::Owned(text.chars().map(|letter| if is_unseen(letter) { REPLACEMENT } else { letter }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Whether a character is not seen itself but changes what is.
#[must_use]
pub fn is_unseen(letter: char) -> bool {
    letter.is_control()
        // Unicode's Default_Ignorable_Code_Point, line ends, annotations, and a blank that is a letter
        || matches!(letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
        // what XML cannot hold at all
        || matches!(letter, '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn what_hides_or_turns_is_replaced_and_letters_stay() {
        assert_eq!(visible("a\u{202e}b\u{0}c\u{200b}d\ne"), "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}e");
        for blank in ['\u{3164}', '\u{34f}', '\u{fe0f}', '\u{ffa0}', '\u{2800}', '\u{e0100}', '\u{1d173}'] {
            assert_eq!(visible(&format!("web{blank}")), "web\u{fffd}");
        }
        for plain in ["api", "имя", "שם", "名前", "naïve", "🦀"] {
            assert_eq!(visible(plain), plain);
        }
    }
}
