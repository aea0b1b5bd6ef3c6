-- What a source tried in vain in one hour, beyond the attempts that have an observation of their own: a sweep of a network
-- would be a row for every port of every address. Figures are of the run so far, so that one written again replaces itself.

CREATE TABLE sweep (
    run      INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    hour     INTEGER NOT NULL, -- since 1970
    protocol INTEGER NOT NULL, -- IP protocol number
    src      BLOB    NOT NULL, -- 4 or 16 bytes
    attempts INTEGER NOT NULL,
    packets  INTEGER NOT NULL,
    bytes    INTEGER NOT NULL, -- of IP
    hosts    INTEGER NOT NULL, -- different addresses, about
    targets  INTEGER NOT NULL, -- different ports of addresses, about
    ports    INTEGER NOT NULL, -- different ports
    first    INTEGER NOT NULL, -- nanoseconds since 1970
    last     INTEGER NOT NULL,
    PRIMARY KEY (run, hour, protocol, src)
) STRICT, WITHOUT ROWID;
