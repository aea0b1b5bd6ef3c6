//! What is to be told of a run beside its figures.

use std::{cmp::Ordering, collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// What was left out of a run, or what its figures are worth: a sentence that is told with how often. Stores and JSON know a note by
/// its sentence: where one is changed here, that of a store from before is [`Note::Other`]. Notes are in the order of their sentences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Note {
    /// The table held too much. A loss: such a connection is joined to what comes of it later only where its numbers were seen.
    #[serde(rename = "connections written out early, the table was full")]
    TableFull,
    /// They count to a connection of the same ends and ports in another network: nobody is missing.
    #[serde(rename = "packets between equal addresses in too many networks to tell apart")]
    NetworksMixed,
    /// Tags and places are missing, connections are not.
    #[serde(rename = "packets whose tags or place were not noted, there were too many")]
    PlacesLeftOut,
    /// Counts of connections are estimates, and nobody is missing.
    #[serde(rename = "rows whose connections are estimated from a sample")]
    Sampled,
    /// Segments may be missing, connections are not.
    #[serde(rename = "packets whose word about links was left out, there was too much")]
    LinksLeftOut,
    /// What connections speak may be missing, they are not.
    #[serde(rename = "packets whose application was left out, there was too much")]
    ApplicationsLeftOut,
    /// A loss: of what a capture or a log has.
    #[serde(rename = "packets or records could not be read and may be of connections: rare ones may be missing")]
    Unread,
    /// Counts of packets are too high, and nothing is missing.
    #[serde(
        rename = "packets stand in it once more, as where several ports are mirrored or `-i any` does not tell interfaces apart: packets and \
                  bytes count each, connections do not"
    )]
    Doubled,
    /// Chosen by a person: proposals tell it by itself.
    #[serde(rename = "filter was set while it was captured: what that leaves out was not seen")]
    Filtered,
    /// Chosen by a person: counts are too low, and who opens or closes a connection is there.
    #[serde(
        rename = "times fewer packets within TCP connections were taken (--mode connections): TCP's packets and bytes are too low, \
                  names in TLS and HTTP are missing, and streams that were open before may be"
    )]
    Light,
    /// A loss: the daemon could not write for too long.
    #[serde(rename = "parts of connections left out with their packets, for too many before them waited for the store")]
    PartsLeftOut,
    /// A loss: the interface may have been there before it was watched again.
    #[serde(rename = "times the interface was away: what it carried until it was watched again was not seen")]
    Away,
    /// A loss, as far as anybody can tell.
    #[serde(
        rename = "times the interface went away and packets may be missing: not all that the kernel held could be read"
    )]
    CutOff,
    /// A loss, as far as anybody can tell: where the file was cut, the number in it may be another.
    #[serde(rename = "record in a last line without a line end, taken as whole: look whether the file was cut there")]
    LastLineOpen,
    /// A loss: Zeek's own.
    #[serde(rename = "connections of which Zeek missed bytes: its sensor lost packets, others may be missing")]
    ZeekMissedBytes,
    /// A remark on how Hubble works: counts are too low, and of each connection it reports some packets.
    #[serde(rename = "packets as Hubble reports them, not all there were: counts are the least, and no bytes are told")]
    HubbleReports,
    /// A remark on what became of them.
    #[serde(rename = "reports of packets that a policy denied: attempts, which make no rule")]
    PolicyDenied,
    /// A remark on what became of them.
    #[serde(rename = "reports of packets that Cilium dropped for other reasons than a policy")]
    CiliumDropped,
    /// A remark on what would have become of them.
    #[serde(rename = "reports of packets that a policy in audit mode would have denied")]
    PolicyAudited,
    /// A loss: Hubble's own.
    #[serde(rename = "flows that Hubble lost before it could write them: rare connections may be missing")]
    HubbleLost,
    /// A loss: connections of which a log of Hubble has nothing but that a policy let them begin. Proposals tell it by itself, too.
    #[serde(
        rename = "connections of TCP or SCTP left out: the log has nothing but verdicts of policies on them, which never show \
                  an answer, so that needs look like scans; let Hubble log traces as well (without `--type policy-verdict`)"
    )]
    VerdictsAlone,
    /// A remark on how firewalls log: counts are too low.
    #[serde(
        rename = "packets that a firewall dropped, by the prefixes of its rules: attempts, which make no rule. Rules have limits, and logs too: \
                  counts are the least, and no bytes are told"
    )]
    FirewallDropped,
    /// A loss: of packets that the log has.
    #[serde(
        rename = "packets of a firewall's log left out, for their times have no year or no zone: `journalctl -k -o short-iso` tells both, \
                  or say when it began: --log-start"
    )]
    FirewallUndated,
    /// A loss: of packets that the log has.
    #[serde(rename = "packets of a firewall's log left out, for no prefix says whether they were dropped")]
    FirewallFateUnknown,
    /// What another version tells, earlier or later, by its sentence: taken for a loss.
    #[serde(untagged)]
    Other(String),
}

impl Note {
    /// Those that apply, with how often.
    pub fn counted(all: impl IntoIterator<Item = (Self, u64)>) -> BTreeMap<Self, u64> {
        all.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// Whether who talks to whom may be missing for it, though nobody meant to leave it out. Else a figure is an estimate, or
    /// something else than connections is missing, or it is a remark.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        match self {
            Self::TableFull
            | Self::Unread
            | Self::PartsLeftOut
            | Self::Away
            | Self::CutOff
            | Self::LastLineOpen
            | Self::ZeekMissedBytes
            | Self::HubbleLost
            | Self::VerdictsAlone
            | Self::FirewallUndated
            | Self::FirewallFateUnknown
            | Self::Other(_) => true,
            Self::NetworksMixed
            | Self::PlacesLeftOut
            | Self::Sampled
            | Self::LinksLeftOut
            | Self::ApplicationsLeftOut
            | Self::Doubled
            | Self::Filtered
            | Self::Light
            | Self::HubbleReports
            | Self::PolicyDenied
            | Self::CiliumDropped
            | Self::PolicyAudited
            | Self::FirewallDropped => false,
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl Ord for Note {
    fn cmp(&self, other: &Self) -> Ordering {
        self.to_string().cmp(&other.to_string())
    }
}

impl PartialOrd for Note {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_written_and_read_by_their_sentences_and_unknown_ones_stay_as_they_are() {
        let newer = "years until somebody looked";
        let notes = Note::counted([
            (Note::Doubled, 3),
            (Note::Light, 32),
            (Note::Other(newer.into()), 7),
            (Note::Sampled, 1),
            (Note::Away, 0),
        ]);
        let text = serde_json::to_string(&notes).unwrap();
        assert!(
            text.starts_with(r#"{"packets stand in it once more, as where several ports are mirrored or `-i any`"#),
            "{text}"
        );
        assert!(text.contains("apart: packets and bytes count each, connections do not\":3,\"rows whose"), "{text}");
        assert!(text.ends_with(r#"may be":32,"years until somebody looked":7}"#), "{text}");
        assert_eq!(serde_json::from_str::<BTreeMap<Note, u64>>(&text).unwrap(), notes);
    }
}
