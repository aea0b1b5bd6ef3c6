//! Runs in parts. Where another file has the store's name, what comes now is another run: both files would claim one run
//! for what each has a part of, and whoever puts them together would take one for an earlier copy of the other.

use std::collections::BTreeMap;

use crate::{
    model::MissedNames,
    store::{Loss, Run, RunId, content_id},
};

/// What of each run is in files that have the store's name no more.
#[derive(Default)]
pub(super) struct Parts {
    /// Each run as it was written last, whole.
    last: BTreeMap<RunId, Run>,
    /// Each run as it was when another file took the place of the store.
    elsewhere: BTreeMap<RunId, Run>,
}

impl Parts {
    /// A run as it was written, whole.
    pub fn are_written(&mut self, run: &Run) {
        self.last.insert(run.id, run.clone());
    }

    /// What follows goes to another file.
    pub fn begin(&mut self) {
        self.elsewhere.clone_from(&self.last);
    }

    /// What of a run is for the file that is open: all of it, or what came since another one was.
    pub fn of_this_file(&self, run: &Run) -> Run {
        let Some(before) = self.elsewhere.get(&run.id) else { return run.clone() };
        let [id, packets] = [run.id.0.to_le_bytes(), before.packets.to_le_bytes()];
        let last = before.last_packet.unwrap_or_default().0.to_le_bytes();
        let is_new = run.last_packet > before.last_packet;
        Run {
            id: RunId(content_id(&[&id, &packets, &last])),
            packets: run.packets.saturating_sub(before.packets),
            decoded: run.decoded.saturating_sub(before.decoded),
            kinds: without(&run.kinds, &before.kinds),
            loss: Loss {
                not_decoded: without(&run.loss.not_decoded, &before.loss.not_decoded),
                dropped_by_kernel: run.loss.dropped_by_kernel.saturating_sub(before.loss.dropped_by_kernel),
                dropped_by_interface: run.loss.dropped_by_interface.saturating_sub(before.loss.dropped_by_interface),
                names: names_without(run.loss.names, before.loss.names),
                // what is noted of all of it may hold of any part
                ..run.loss.clone()
            },
            first_packet: run.first_packet.max(before.last_packet).filter(|_| is_new),
            last_packet: run.last_packet.filter(|_| is_new),
            ..run.clone()
        }
    }
}

/// Counts without those of before.
fn without(all: &BTreeMap<String, u64>, before: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let rest = |(what, count): (&String, &u64)| {
        let rest = count.saturating_sub(before.get(what).copied().unwrap_or_default());
        (rest > 0).then(|| (what.clone(), rest))
    };
    all.iter().filter_map(rest).collect()
}

fn names_without(all: MissedNames, before: MissedNames) -> MissedNames {
    MissedNames {
        not_a_name: all.not_a_name.saturating_sub(before.not_a_name),
        beyond_bound: all.beyond_bound.saturating_sub(before.beyond_bound),
        cut_off: all.cut_off.saturating_sub(before.cut_off),
    }
}
