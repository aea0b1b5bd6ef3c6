-- Addresses are handed on: a pod that is gone leaves its own to the next. So that every packet is credited to whoever
-- had an address then, the inventory remembers when an object was there, and what a snapshot would have shown if it
-- had been there.
--
-- A file is a snapshot of one moment. A watch is a snapshot that goes on: its objects come, change and go. An object
-- that changes is another one with the same name: the old one ends when the new one begins.

ALTER TABLE snapshot ADD COLUMN kind TEXT NOT NULL DEFAULT 'file'; -- 'file' or 'live'; `taken_at` of a live one is the clock
ALTER TABLE snapshot ADD COLUMN until INTEGER;                     -- live: when it was last known to be in sync
ALTER TABLE snapshot ADD COLUMN complete TEXT NOT NULL DEFAULT '{}'; -- JSON: namespaces by kind that are listed in full; * is all

-- An object may come back as it was: its time is part of the key.
CREATE TABLE presence (
    snapshot INTEGER NOT NULL REFERENCES snapshot (id) ON DELETE CASCADE,
    object   INTEGER NOT NULL REFERENCES object (id),
    since    INTEGER NOT NULL DEFAULT 0, -- nanoseconds since 1970; 0: it was there when the snapshot was taken
    until    INTEGER,                    -- NULL: it was there to the end
    PRIMARY KEY (snapshot, object, since)
) STRICT, WITHOUT ROWID;

INSERT INTO presence (snapshot, object) SELECT snapshot, object FROM snapshot_object;
DROP TABLE snapshot_object;
ALTER TABLE presence RENAME TO snapshot_object;
