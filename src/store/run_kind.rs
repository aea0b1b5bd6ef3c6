use sqlx::{Row, sqlite::SqliteRow};

/// Where a run comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunKind {
    /// A capture that was read from a file.
    #[default]
    File,
    /// What a daemon writes while it watches an interface.
    Live,
    /// A flow log, which holds records in place of packets.
    Records,
    /// A flow log that tells of nothing but what did not pass: it has watched nobody.
    Drops,
}

impl RunKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::File, Self::Live, Self::Records, Self::Drops];

    /// As in the output and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Live => "live",
            Self::Records => "records",
            Self::Drops => "drops",
        }
    }

    /// The kind that a row tells.
    pub(super) fn read(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        const COLUMN: &str = "kind";
        let word: &str = row.try_get(COLUMN)?;
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == word);
        let unknown = || sqlx::Error::ColumnDecode { index: COLUMN.into(), source: format!("no kind `{word}`").into() };
        known.ok_or_else(unknown)
    }
}
