//! What templates do to texts beside escaping them.
#![expect(missing_docs, clippy::inline_always, reason = "what the macro makes of a filter")]

use std::fmt::Display;

use askama::{Values, filters::Safe};

/// Letters after which a name may go on below.
const JOINTS: [char; 7] = ['-', '.', '/', '_', ':', '@', '='];

/// A name as HTML that may break after each of its parts: without it a narrow column breaks it anywhere.
#[askama::filter_fn]
pub fn breaking(text: impl Display, _: &dyn Values) -> askama::Result<Safe<String>> {
    Ok(Safe(broken(&text.to_string())))
}

/// Letters of a text that any column holds in one line: it needs no joints, and a page with thousands of rows stays small.
const SHORT: usize = 18;

fn broken(text: &str) -> String {
    let is_long = text.chars().count() > SHORT;
    let mut html = String::with_capacity(text.len() + text.len() / 4);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '&' => html.push_str("&#38;"),
            '<' => html.push_str("&#60;"),
            '>' => html.push_str("&#62;"),
            '"' => html.push_str("&#34;"),
            '\'' => html.push_str("&#39;"),
            letter => html.push(letter),
        }
        // `://` and `: ` stay together, and nothing breaks before the end
        let is_inside = letters.peek().is_some_and(|next| !JOINTS.contains(next) && !next.is_whitespace());
        if is_long && JOINTS.contains(&letter) && is_inside {
            html.push_str("<wbr>");
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::broken;

    #[test]
    fn a_name_may_break_after_its_parts_and_nowhere_else() {
        assert_eq!(broken("payments/check-out.v2"), "payments/<wbr>check-<wbr>out.<wbr>v2");
        assert_eq!(broken("some-words--b: and-more-"), "some-<wbr>words--<wbr>b: and-<wbr>more-");
        assert_eq!(broken("203.0.113.128/25"), "203.0.113.128/25");
    }

    #[test]
    fn markup_in_a_name_stays_text() {
        assert_eq!(broken("<b>\"&'</b>"), "&#60;b&#62;&#34;&#38;&#39;&#60;/b&#62;");
    }
}
