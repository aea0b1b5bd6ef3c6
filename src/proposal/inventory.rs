//! Who is who, as the store knows it.

use std::collections::BTreeMap;

use super::ProposalError;
use crate::{
    inventory::{Directory, Listing, Sighted, Sighting},
    store::{Presence, Store, StoredInventory, StoredObject, StoredSnapshot},
};

/// Who was who when, as the store knows it, by site.
pub async fn directories(store: &Store, site: Option<&str>) -> Result<BTreeMap<String, Directory>, ProposalError> {
    let mut directories = BTreeMap::new();
    for (site, inventory) in store.inventories(site).await? {
        let StoredInventory { snapshots, objects } = inventory;
        let listings: Vec<Listing> = snapshots.into_iter().map(listing).collect();
        let mut fault = None;
        // one after another: all of them parsed at once would be many times their text
        let sighted = objects.into_iter().map_while(|object| match sighted(object) {
            Ok(sighted) => Some(sighted),
            Err(error) => {
                fault = Some(error);
                None
            }
        });
        let directory = Directory::over(&listings, sighted);
        if let Some(error) = fault {
            return Err(ProposalError::Inventory { site, error });
        }
        directories.insert(site, directory);
    }
    Ok(directories)
}

fn listing(snapshot: StoredSnapshot) -> Listing {
    let StoredSnapshot { source, taken_at, until, complete, .. } = snapshot;
    Listing { source, taken_at, until, complete }
}

fn sighted(object: StoredObject) -> serde_json::Result<Sighted> {
    let sighting = |it: Presence| Sighting { listing: it.snapshot, since: it.since, until: it.until };
    let sightings = object.presences.into_iter().map(sighting).collect();
    Ok(Sighted { object: serde_json::from_str(&object.body)?, sightings })
}
