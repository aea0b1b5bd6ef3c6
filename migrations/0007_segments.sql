-- Where packets were seen, as the link layer tells it. Observations say who talks to whom; to say in which segment each
-- end lives, which subnets there are and who routes between them, MAC addresses, ARP, neighbour discovery and hop limits
-- are needed, and these are in no observation.
--
-- A sighting is one thing that a run learnt about a link, keyed by its content: sets, that several runs unite, with
-- maxima. No subnet, no gateway and no home is written: they are inferred when read, from all that is known by then.

CREATE TABLE link_sighting (
    run       INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    interface TEXT    NOT NULL, -- within the capture; empty for the first or only one
    vlans     TEXT    NOT NULL, -- the stack, outer first with dots between; empty: no tag; '?': may have been lost
    how       TEXT    NOT NULL, -- arp, nd, ra, dhcp, traffic ... (src/model/link.rs)
    mac       BLOB    NOT NULL, -- 6 bytes, zeros where none belongs to it
    address   BLOB    NOT NULL, -- 4 or 16 bytes; empty for counts of frames
    prefix    INTEGER NOT NULL, -- length of the network's prefix; 0 for single addresses
    first     INTEGER NOT NULL, -- nanoseconds since 1970
    last      INTEGER NOT NULL,
    packets   INTEGER NOT NULL, -- that said so; of traffic, that it sent
    received  INTEGER NOT NULL, -- of traffic: that it was sent
    hop_high  INTEGER NOT NULL, -- of what was sent; both 0 where nothing was
    hop_low   INTEGER NOT NULL,
    PRIMARY KEY (run, interface, vlans, how, mac, address, prefix)
) STRICT, WITHOUT ROWID;
