-- Observations in parts: some hundred of them in one value, sorted by their keys (see src/store/part.rs). One row each, as
-- `observation` had them, made a capture of a million pairs of ends take longer to write than to read: the keys were held
-- twice, and each was bound, looked up and balanced by itself. Nobody asks the store for one observation: they are read by
-- runs and hours.
--
-- `batch` counts what was written at one time: its parts follow each other in the order of the keys, while those of another
-- batch may hold the same keys again. A run's hours are brought into one batch at the end.

CREATE TABLE observation_part (
    run     INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    hour    INTEGER NOT NULL, -- since 1970
    batch   INTEGER NOT NULL,
    part    INTEGER NOT NULL, -- its place in the batch
    sampled INTEGER NOT NULL, -- observations whose connections are a sample
    data    BLOB    NOT NULL,
    PRIMARY KEY (run, hour, batch, part)
) STRICT;
