//! Many rows into a table.

use sqlx::{QueryBuilder, Sqlite, SqliteConnection, query_builder::Separated};

use super::StoreError;

/// Rows in one INSERT.
const ROWS_AT_ONCE: usize = 500;

/// Inserts rows, some at a time; `into` and `otherwise` are what stands before and behind the values of the INSERT. While SQLite
/// takes some, the next are put into words.
pub(super) async fn insert_all<T>(
    connection: &mut SqliteConnection,
    rows: &[T],
    (into, otherwise): (&'static str, &'static str),
    mut bind: impl FnMut(&mut Separated<'_, Sqlite, &'static str>, &T),
) -> Result<(), StoreError> {
    let mut in_words = |some: &[T]| {
        let mut insert = QueryBuilder::<Sqlite>::new(into);
        insert.push_values(some, |mut values, row| bind(&mut values, row));
        insert.push(otherwise);
        insert
    };
    let mut chunks = rows.chunks(ROWS_AT_ONCE);
    let mut next = chunks.next().map(&mut in_words);
    while let Some(mut insert) = next {
        let following = async { chunks.next().map(&mut in_words) };
        let (done, following) = tokio::join!(insert.build().execute(&mut *connection), following);
        done?;
        next = following;
    }
    Ok(())
}
