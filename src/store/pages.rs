//! What a run has in a table, some rows at a time: a daemon's run gathers more and more, and it is not to fill the memory.

use sqlx::{
    QueryBuilder, Row, Sqlite, SqliteConnection, TypeInfo, ValueRef, query_builder::Separated, sqlite::SqliteRow,
};

use super::{RunId, StoreError};

/// Rows that are read at a time.
const ROWS_AT_ONCE: u32 = 8_192;

/// The rows of a run, in the order of their key.
pub(super) struct Pages {
    table: &'static str,
    /// The columns by which rows of one run differ.
    key: &'static [&'static str],
    run: RunId,
    /// Those that were read last: the next ones come behind them.
    rows: Vec<SqliteRow>,
}

impl Pages {
    pub fn new(table: &'static str, key: &'static [&'static str], run: RunId) -> Self {
        Self { table, key, run, rows: Vec::new() }
    }

    /// The next rows; none at the end.
    pub async fn next(&mut self, connection: &mut SqliteConnection) -> Result<&[SqliteRow], StoreError> {
        let (table, key) = (self.table, self.key.join(", "));
        let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM ");
        query.push(format_args!("{table} WHERE run = ")).push_bind(self.run.0);
        if let Some(last) = self.rows.last() {
            query.push(format_args!(" AND ({key}) > ("));
            let mut values = query.separated(", ");
            for column in self.key {
                push_value(&mut values, last, column)?;
            }
            query.push(")");
        }
        query.push(format_args!(" ORDER BY {key} LIMIT ")).push_bind(ROWS_AT_ONCE);
        self.rows = query.build().fetch_all(connection).await?;
        Ok(&self.rows)
    }
}

/// What stands in a column, whatever it holds.
fn push_value(
    values: &mut Separated<'_, Sqlite, &'static str>,
    row: &SqliteRow,
    column: &str,
) -> Result<(), sqlx::Error> {
    match row.try_get_raw(column)?.type_info().name() {
        "TEXT" => values.push_bind(row.try_get::<String, _>(column)?),
        "BLOB" => values.push_bind(row.try_get::<Vec<u8>, _>(column)?),
        _ => values.push_bind(row.try_get::<i64, _>(column)?),
    };
    Ok(())
}
