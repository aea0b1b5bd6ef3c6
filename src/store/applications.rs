//! Applications in and out.

use std::collections::{BTreeMap, btree_map::Entry};

use sqlx::{Row, Sqlite, SqliteConnection, Transaction, sqlite::SqliteRow};

use super::{
    Filter, RunId, Store, StoreError,
    insert::insert_all,
    observations::{address, octets},
    pages::Pages,
    run::{by_name, signed},
};
use crate::model::{Application, ApplicationSighting, Note, Protection, Protocol, Span, Timestamp};

/// How they are written, and what becomes of a row that is there.
const INSERT: (&str, &str) = (
    "INSERT INTO application
     (run, server, port, protocol, client, application, protection, first, last, times) ",
    " ON CONFLICT (run, server, port, protocol, client, application, protection) DO UPDATE SET
         first = min(first, excluded.first), last = max(last, excluded.last), times = max(times, excluded.times)",
);

/// Writes applications of a run. Figures are those of the run so far, or since its daemon forgot them: what is there already grows
/// to them.
pub(super) async fn write(
    transaction: &mut Transaction<'static, Sqlite>,
    run: RunId,
    sightings: &[ApplicationSighting],
) -> Result<(), StoreError> {
    insert_all(transaction, sightings, INSERT, |row, sighting| {
        row.push_bind(run.0)
            .push_bind(octets(sighting.server))
            .push_bind(sighting.port)
            .push_bind(sighting.protocol.0)
            .push_bind(sighting.client.map(octets).unwrap_or_default())
            .push_bind(sighting.application.as_str())
            .push_bind(sighting.protection.as_str())
            .push_bind(sighting.span.first.0)
            .push_bind(sighting.span.last.0)
            .push_bind(signed(sighting.times));
    })
    .await
}

impl Store {
    /// The applications that runs of the filter's sites saw, each with its site, in order; of all times, for a connection
    /// goes on beyond a window. What this version does not know is left out, and what captures in light mode took for encrypted
    /// is open.
    pub async fn applications(&self, filter: &Filter) -> Result<Vec<(String, ApplicationSighting)>, StoreError> {
        let sql = "SELECT run.site, run.bounds, application.* FROM application JOIN run ON run.id = application.run
                   WHERE $1 IS NULL OR run.site = $1
                   ORDER BY run.site, server, port, protocol, client, application, protection, application.run";
        let rows = sqlx::query(sql).bind(&filter.site).fetch_all(&self.pool).await?;
        let mut sightings = Vec::with_capacity(rows.len());
        let mut are_light: BTreeMap<i64, bool> = BTreeMap::new();
        for row in &rows {
            let run: i64 = row.try_get("run")?;
            let is_light = match are_light.entry(run) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(place) => *place.insert(by_name::<Note>(row, "bounds")?.contains_key(&Note::Light)),
            };
            if let Some(mut sighting) = read(row)?.filter(|_| !filter.exclude.contains(&RunId(run))) {
                if is_light {
                    sighting.doubt();
                }
                sightings.push((row.try_get("site")?, sighting));
            }
        }
        Ok(sightings)
    }
}

/// Copies the applications that one run saw from one store to another; what this version does not know is left out.
pub(super) async fn copy(
    (source, from): (&mut SqliteConnection, RunId),
    (target, to): (&mut Transaction<'static, Sqlite>, RunId),
) -> Result<(), StoreError> {
    const KEY: [&str; 6] = ["server", "port", "protocol", "client", "application", "protection"];
    let mut pages = Pages::new("application", &KEY, from);
    loop {
        let rows = pages.next(source).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let sightings: Vec<_> = rows.iter().filter_map(|row| read(row).transpose()).collect::<Result<_, _>>()?;
        write(target, to, &sightings).await?;
    }
}

/// `None` where the application or its protection is none that this version writes.
fn read(row: &SqliteRow) -> Result<Option<ApplicationSighting>, StoreError> {
    let (application, protection): (&str, &str) = (row.try_get("application")?, row.try_get("protection")?);
    let application = Application::ALL.into_iter().find(|known| known.as_str() == application);
    let protection = Protection::ALL.into_iter().find(|known| known.as_str() == protection);
    let Some((application, protection)) = application.zip(protection) else { return Ok(None) };
    let client: &[u8] = row.try_get("client")?;
    let times: i64 = row.try_get("times")?;
    Ok(Some(ApplicationSighting {
        client: (!client.is_empty()).then(|| address(client)).transpose()?,
        server: address(row.try_get("server")?)?,
        port: row.try_get("port")?,
        protocol: Protocol(row.try_get("protocol")?),
        application,
        protection,
        span: Span { first: Timestamp(row.try_get("first")?), last: Timestamp(row.try_get("last")?) },
        times: times.unsigned_abs(),
    }))
}
