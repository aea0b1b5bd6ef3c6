-- The store of what was seen. Later steps may add to it; what is here must not move, for stores of all ages are read.
--
-- A run is one capture or import. Its id is taken from its content (site, times and bytes of its packets), never counted
-- up, so that a file imported twice is one run, and the stores of two hosts can be merged without renaming anything.
--
-- An observation says what one run saw of the connections between two ends within one hour. src and dst lay the row out;
-- who the client was is decided when the row is read, from all that the store knows by then. `traces` holds the
-- connections, told apart by their own numbers (see src/store/codec.rs): sets that merge as unions, counts as maxima.
-- The sums beside them are what the run itself counted.

CREATE TABLE run (
    id                   INTEGER PRIMARY KEY,
    site                 TEXT    NOT NULL,
    sensor               TEXT    NOT NULL, -- where it was taken: a host's name, or what --sensor says
    source               TEXT    NOT NULL, -- the file's name, or the interface
    kind                 TEXT    NOT NULL, -- 'file' or 'live'
    packets              INTEGER NOT NULL,
    decoded              INTEGER NOT NULL,
    not_decoded          TEXT    NOT NULL, -- JSON: reason to number of packets; with `decoded` they add up to `packets`
    dropped_by_kernel    INTEGER NOT NULL,
    dropped_by_interface INTEGER NOT NULL,
    evicted              INTEGER NOT NULL, -- connections written out early because the table was full
    first_packet         INTEGER,          -- nanoseconds since 1970
    last_packet          INTEGER,
    damage               TEXT              -- why the reading stopped before the end
) STRICT;

CREATE TABLE observation (
    run          INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    hour         INTEGER NOT NULL, -- since 1970
    protocol     INTEGER NOT NULL, -- IP protocol number
    opening      INTEGER NOT NULL, -- 1: src opened the connections; 0: not seen
    src          BLOB    NOT NULL, -- 4 or 16 bytes
    dst          BLOB    NOT NULL,
    dst_port     INTEGER NOT NULL,
    vlans        TEXT    NOT NULL, -- stacks, outer first with dots between, sorted, commas between
    tunnels      TEXT    NOT NULL, -- the same of tunnels: vxlan:42
    connections  INTEGER NOT NULL,
    traces       BLOB    NOT NULL,
    PRIMARY KEY (run, hour, protocol, opening, src, dst, dst_port, vlans, tunnels)
) STRICT, WITHOUT ROWID;

CREATE INDEX observation_by_hour ON observation (hour);
