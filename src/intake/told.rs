//! What was counted, by the names that people read.

use std::collections::BTreeMap;

use super::Counts;

/// The bound of the table of links.
const MISSED_LINKS: &str = "packets whose word about links was left out, there was too much";

impl Counts {
    /// The frames that were not decoded, by the reason's name. Several numbers may have one name, as the two Ethernet types
    /// of `PPPoE` do.
    #[must_use]
    pub fn not_decoded_by_name(&self) -> BTreeMap<String, u64> {
        let mut by_name = BTreeMap::new();
        for (reason, count) in &self.not_decoded {
            *by_name.entry(reason.to_string()).or_default() += count;
        }
        by_name
    }

    /// What bounds left out, by the bound's name.
    #[must_use]
    pub fn bounds_by_name(&self) -> BTreeMap<String, u64> {
        let of_table = self.bounds.iter().map(|(bound, count)| (bound.to_string(), *count));
        let of_links = (self.missed_links > 0).then(|| (MISSED_LINKS.to_owned(), self.missed_links));
        of_table.chain(of_links).collect()
    }
}
