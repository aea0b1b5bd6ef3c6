//! When objects were seen, and when they were missed.

use foldhash::HashMap;

use super::items::Meta;
use crate::model::{Scope, Timestamp};

/// One snapshot of a cluster, or one watch of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The file it came from, or the cluster that was watched.
    pub source: String,
    /// When it was taken. Of a file the latest time that its objects tell: it is no older. None where they tell none.
    pub taken_at: Option<Timestamp>,
    /// Of a watch, until when it was known to be in sync.
    pub until: Option<Timestamp>,
    /// What it lists all of.
    pub complete: Scope,
}

/// That an object stood in a listing as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The listing's place.
    pub listing: usize,
    /// Since when; none where it was there when the listing was taken.
    pub since: Option<Timestamp>,
    /// When it was changed or deleted; none where it was there to the end.
    pub until: Option<Timestamp>,
}

/// A stretch over which an object was certainly so, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sight {
    pub from: i64,
    pub to: i64,
    /// Whether it was seen to change or to go then.
    pub is_closed: bool,
}

impl Sight {
    /// None where the listing does not tell when it was taken.
    fn of(sighting: &Sighting, listings: &[Listing]) -> Option<Self> {
        let listing = listings.get(sighting.listing)?;
        let from = sighting.since.or(listing.taken_at)?;
        let to = sighting.until.or(listing.until).unwrap_or(from).max(from);
        Some(Self { from: from.0, to: to.0, is_closed: sighting.until.is_some() })
    }
}

/// The sights of every object, and the listings that missed some.
pub(super) struct Sights {
    of_object: Vec<Vec<Sight>>,
    absences: Absences,
    /// Whether the object, or another version of it, was there to the end.
    current: Vec<bool>,
}

impl Sights {
    /// Gathers the sightings of objects, in the order of their places.
    pub fn new(metas: &[Meta], sightings: &[Vec<Sighting>], listings: &[Listing]) -> Self {
        let of_object: Vec<Vec<Sight>> = sightings
            .iter()
            .map(|all| all.iter().filter_map(|sighting| Sight::of(sighting, listings)).collect())
            .collect();
        let mut sights = Self { of_object, absences: Absences::new(listings), current: Vec::new() };
        sights.current = sights.current(metas);
        sights
    }

    /// When an object was certainly so; nothing where no listing of it tells its time.
    pub fn of(&self, object: usize) -> &[Sight] {
        self.of_object.get(object).map_or(&[], Vec::as_slice)
    }

    /// The first moment behind another at which a listing of all objects of a kind in a namespace was taken.
    pub fn missed_after(&self, kind: &str, namespace: &str, moment: i64) -> Option<i64> {
        self.absences.after(kind, namespace, moment)
    }

    /// Whether an object, as it is written, is the last that is known of it, and it was not seen to be gone.
    pub fn is_current(&self, object: usize) -> bool {
        self.current.get(object).copied().unwrap_or(true)
    }

    fn current(&self, metas: &[Meta]) -> Vec<bool> {
        let mut ends: HashMap<_, End> = HashMap::default();
        for (n, meta) in metas.iter().enumerate() {
            let end = ends.entry(&meta.id).or_insert(End { at: i64::MIN, is_seen: true });
            self.of(n).iter().for_each(|sight| end.add(sight));
        }
        let is_current = |(n, meta): (usize, &Meta)| {
            let end = ends.get(&meta.id).copied().unwrap_or(End { at: i64::MIN, is_seen: false });
            let sights = self.of(n);
            let is_gone = end.at > i64::MIN
                && (end.is_seen || self.missed_after(&meta.id.kind, &meta.id.namespace, end.at).is_some());
            // what tells no time may be as true as the rest
            !is_gone && (sights.is_empty() || sights.iter().any(|sight| sight.to == end.at && !sight.is_closed))
        };
        metas.iter().enumerate().map(is_current).collect()
    }
}

/// The end of what is known of an object.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub at: i64,
    /// Whether all sights that reach so far were closed then: it was seen to go.
    pub is_seen: bool,
}

impl End {
    /// That of nothing yet.
    pub const NONE: Self = Self { at: i64::MIN, is_seen: true };

    pub fn add(&mut self, sight: &Sight) {
        if sight.to > self.at {
            *self = Self { at: sight.to, is_seen: sight.is_closed };
        } else if sight.to == self.at {
            self.is_seen &= sight.is_closed;
        }
    }
}

/// When listings of all objects of a kind were taken, by kind and namespace.
#[derive(Default)]
struct Absences(HashMap<String, HashMap<Option<String>, Vec<i64>>>);

impl Absences {
    fn new(listings: &[Listing]) -> Self {
        let mut all = Self::default();
        // a page that one listing tells of may be the first of what ends in another
        let pages = listings.iter().flat_map(|listing| listing.complete.pages()).cloned().collect();
        for listing in listings {
            let Some(taken_at) = listing.taken_at else { continue };
            for (kind, namespace) in listing.complete.iter_beside(&pages) {
                let by_namespace = all.0.entry(kind.to_owned()).or_default();
                by_namespace.entry(namespace.map(str::to_owned)).or_default().push(taken_at.0);
            }
        }
        all.0.values_mut().flat_map(HashMap::values_mut).for_each(|moments| moments.sort_unstable());
        all
    }

    fn after(&self, kind: &str, namespace: &str, moment: i64) -> Option<i64> {
        let by_namespace = self.0.get(kind)?;
        let next = |namespace: Option<&str>| {
            let moments = by_namespace.get(&namespace.map(str::to_owned))?;
            moments.get(moments.partition_point(|other| *other <= moment)).copied()
        };
        [next(None), next(Some(namespace))].into_iter().flatten().min()
    }
}
