//! What a person decided of proposals, by namespace.

use std::collections::BTreeMap;

use super::{Store, StoreError};

impl Store {
    /// What was decided at a site, by namespace.
    pub async fn decisions(&self, site: &str) -> Result<BTreeMap<String, String>, StoreError> {
        let sql = "SELECT namespace, body FROM decision WHERE site = $1";
        let rows: Vec<(String, String)> = sqlx::query_as(sql).bind(site).fetch_all(&self.pool).await?;
        Ok(rows.into_iter().collect())
    }

    /// Keeps what was decided in a namespace; nothing takes the place of what was kept before.
    pub async fn keep_decisions(&self, site: &str, namespace: &str, body: Option<&str>) -> Result<(), StoreError> {
        let query = match body {
            Some(body) => {
                let sql = "INSERT INTO decision (site, namespace, body) VALUES ($1, $2, $3)
                           ON CONFLICT (site, namespace) DO UPDATE SET body = excluded.body WHERE body <> excluded.body";
                sqlx::query(sql).bind(site).bind(namespace).bind(body)
            }
            None => sqlx::query("DELETE FROM decision WHERE site = $1 AND namespace = $2").bind(site).bind(namespace),
        };
        query.execute(&self.pool).await?;
        Ok(())
    }
}
