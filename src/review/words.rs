//! Words that several pages have in common.

use crate::model::{Protocol, Timestamp, visible};

/// A text from outside, with nothing hidden in it.
pub(super) fn shown(text: &str) -> String {
    visible(text).into_owned()
}

/// `TCP/5432`.
pub(super) fn port(protocol: Protocol, port: u16) -> String {
    if port == 0 { protocol.to_string() } else { format!("{protocol}/{port}") }
}

/// `1 policy`, `3 policies`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// What stands for a time that a flow log did not name.
pub(super) const NO_TIME: &str = "not told";

/// A time to the minute.
pub(super) fn minute(time: Timestamp) -> String {
    time.named().map_or_else(|| NO_TIME.to_owned(), crate::render::minute)
}
