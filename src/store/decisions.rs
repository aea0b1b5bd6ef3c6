//! What a person decided of proposals: what holds, by namespace, and the log of who decided it when.

use std::collections::BTreeMap;

use super::{Store, StoreError, content_id};
use crate::model::Timestamp;

/// An entry of the log, by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub i64);

impl std::fmt::Display for EntryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl std::str::FromStr for EntryId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        i64::from_str_radix(text, 16).map(Self)
    }
}

/// What was decided once, of one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The namespace.
    pub namespace: String,
    /// The policy, by document and name.
    pub policy: String,
    /// When.
    pub time: Timestamp,
    /// Who.
    pub author: String,
    /// What kind of decision.
    pub action: String,
    /// What was decided on, and what follows: JSON.
    pub body: String,
}

impl LogEntry {
    /// Its id at a site, at a place of the log.
    #[must_use]
    pub fn id(&self, site: &str, sequence: i64) -> EntryId {
        let Self { namespace, policy, time, author, action, body } = self;
        let texts = [site, namespace, policy, author, action, body].map(str::as_bytes);
        EntryId(content_id(&[&texts[..], &[&time.0.to_le_bytes()[..], &sequence.to_le_bytes()[..]]].concat()))
    }
}

/// What is to hold in a namespace from now on, in place of what was read before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptChange {
    /// What was read.
    pub before: Option<String>,
    /// What is to hold.
    pub after: Option<String>,
}

/// Decisions that are written together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecisionChange {
    /// What is to hold, by namespace.
    pub kept: BTreeMap<String, KeptChange>,
    /// The newest entry that was known of a policy.
    pub heads: BTreeMap<String, Option<EntryId>>,
    /// What is added to the log, behind all that is there.
    pub entries: Vec<LogEntry>,
}

/// How a change of decisions ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// All of it is written.
    Done,
    /// Nothing is: somebody decided on this policy meanwhile.
    Decided(String),
    /// Nothing is: somebody decided on something else of this namespace meanwhile.
    Changed(String),
}

type Row = (i64, String, String, i64, String, String, String);

impl Store {
    /// What was decided at a site, by namespace.
    pub async fn decisions(&self, site: &str) -> Result<BTreeMap<String, String>, StoreError> {
        let sql = "SELECT namespace, body FROM decision WHERE site = $1";
        let rows: Vec<(String, String)> = sqlx::query_as(sql).bind(site).fetch_all(&self.pool).await?;
        Ok(rows.into_iter().collect())
    }

    /// The log of a site, from the first entry to the last.
    pub async fn decision_log(&self, site: &str) -> Result<Vec<(EntryId, LogEntry)>, StoreError> {
        let sql = "SELECT id, namespace, policy, time, author, action, body FROM decision_log WHERE site = $1
                   ORDER BY sequence";
        let rows: Vec<Row> = sqlx::query_as(sql).bind(site).fetch_all(&self.pool).await?;
        let entry = |(id, namespace, policy, time, author, action, body)| {
            (EntryId(id), LogEntry { namespace, policy, time: Timestamp(time), author, action, body })
        };
        Ok(rows.into_iter().map(entry).collect())
    }

    /// Writes decisions, unless somebody else decided since what they rest on was read.
    pub async fn decide(&self, site: &str, change: &DecisionChange) -> Result<Decided, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for (policy, head) in &change.heads {
            let sql = "SELECT id FROM decision_log WHERE site = $1 AND policy = $2 ORDER BY sequence DESC LIMIT 1";
            let newest: Option<(i64,)> =
                sqlx::query_as(sql).bind(site).bind(policy).fetch_optional(&mut *transaction).await?;
            if newest.map(|(id,)| EntryId(id)) != *head {
                return Ok(Decided::Decided(policy.clone()));
            }
        }
        for (namespace, KeptChange { before, after }) in &change.kept {
            let sql = "SELECT body FROM decision WHERE site = $1 AND namespace = $2";
            let now: Option<(String,)> =
                sqlx::query_as(sql).bind(site).bind(namespace).fetch_optional(&mut *transaction).await?;
            if now.map(|(body,)| body) != *before {
                return Ok(Decided::Changed(namespace.clone()));
            }
            let query = match after {
                _ if before == after => continue,
                Some(body) => {
                    let sql = "INSERT INTO decision (site, namespace, body) VALUES ($1, $2, $3)
                               ON CONFLICT (site, namespace) DO UPDATE SET body = excluded.body";
                    sqlx::query(sql).bind(site).bind(namespace).bind(body)
                }
                None => {
                    sqlx::query("DELETE FROM decision WHERE site = $1 AND namespace = $2").bind(site).bind(namespace)
                }
            };
            query.execute(&mut *transaction).await?;
        }
        let sql = "SELECT coalesce(max(sequence), 0) FROM decision_log";
        let (mut sequence,): (i64,) = sqlx::query_as(sql).fetch_one(&mut *transaction).await?;
        for entry in &change.entries {
            sequence += 1;
            let sql = "INSERT INTO decision_log (sequence, id, site, namespace, policy, time, author, action, body)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
            let query = sqlx::query(sql).bind(sequence).bind(entry.id(site, sequence).0).bind(site);
            let query = query.bind(&entry.namespace).bind(&entry.policy).bind(entry.time.0);
            let query = query.bind(&entry.author).bind(&entry.action).bind(&entry.body);
            query.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(Decided::Done)
    }

    /// A number that changes when another process, or another opening of the store, writes to it.
    pub async fn data_version(&self) -> Result<i64, StoreError> {
        let (version,): (i64,) = sqlx::query_as("PRAGMA data_version").fetch_one(&self.pool).await?;
        Ok(version)
    }
}
