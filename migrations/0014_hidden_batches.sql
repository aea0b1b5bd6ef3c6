-- History is brought into days in small steps. What is written of a day does not count before the day is whole; the hours that
-- it stands for do not count from then on, though it takes further steps to take them out. This tells which batches do not
-- count: all that are here are to be taken out, but the one of a day that is on its way. To change `batch` instead wrote
-- every part of a day anew, in one transaction.

CREATE TABLE hidden_batch (
    run   INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    hour  INTEGER NOT NULL, -- as in observation_part, of which no two batches of an hour have one number
    batch INTEGER NOT NULL,
    PRIMARY KEY (run, hour, batch)
) STRICT, WITHOUT ROWID;

-- What an earlier version left of a day that it did not bring to its end.
INSERT INTO hidden_batch SELECT DISTINCT run, hour, batch FROM observation_part WHERE batch < 0;

-- A daemon of an earlier version may go on meanwhile: to it a day on its way has a batch below 0.
CREATE VIEW seen_part AS
    SELECT part.* FROM observation_part part WHERE part.batch >= 0 AND NOT EXISTS (
        SELECT 1 FROM hidden_batch hidden
        WHERE hidden.run = part.run AND hidden.hour = part.hour AND hidden.batch = part.batch);

-- How late it was, as far as a daemon could believe its clock, and since when it could not. At most one row.
CREATE TABLE clock (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    believed    INTEGER NOT NULL, -- nanoseconds since 1970
    doubted     INTEGER,          -- what the clock said when it was doubted first
    doubted_for INTEGER NOT NULL  -- nanoseconds that a daemon ran since
) STRICT;

-- How many observations of a run hold a sample is counted when it is asked for: few parts have any.
CREATE INDEX observation_part_sampled ON observation_part (run, hour, batch, sampled) WHERE sampled > 0;
