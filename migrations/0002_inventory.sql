-- Who was who. Objects are kept as they were listed, each version once, and every snapshot says which ones it held:
-- so that what a later one lacks can be told.
-- Ids are taken from the content, as those of runs are.

CREATE TABLE snapshot (
    id       INTEGER PRIMARY KEY,
    site     TEXT    NOT NULL,
    source   TEXT    NOT NULL, -- the file's name
    taken_at INTEGER,          -- the latest time that its objects tell, nanoseconds since 1970
    problems TEXT    NOT NULL  -- JSON: what could not be used, and why
) STRICT;

CREATE TABLE object (
    id   INTEGER PRIMARY KEY,
    body TEXT    NOT NULL -- JSON
) STRICT;

CREATE TABLE snapshot_object (
    snapshot INTEGER NOT NULL REFERENCES snapshot (id) ON DELETE CASCADE,
    object   INTEGER NOT NULL REFERENCES object (id),
    PRIMARY KEY (snapshot, object)
) STRICT, WITHOUT ROWID;
