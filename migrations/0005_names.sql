-- What captures call addresses: DNS answers, TLS server names, HTTP hosts, DHCP and multicast DNS. An address outside the
-- inventory is only a number; with the name that the client was given for it, a person can judge a rule.
--
-- Kept for each run and keyed by content, so that a run taken back takes its names with it, and parts of a run that are
-- written one after the other meet as maxima: every part holds the figures of the whole run so far.
-- Names are joined to parties when the store is read, as identities are. No rule rests on them.

CREATE TABLE name (
    run     INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    address BLOB    NOT NULL, -- 4 or 16 bytes
    name    TEXT    NOT NULL, -- lower case, without a dot at its end
    source  TEXT    NOT NULL, -- dns, llmnr, tls, http, mdns, dhcp, ptr
    used_by BLOB    NOT NULL, -- who received the answer or used the name; empty where it was told to all
    ttl_s   INTEGER NOT NULL, -- how long it is to be relied on: the longest that was told
    first   INTEGER NOT NULL, -- nanoseconds since 1970
    last    INTEGER NOT NULL,
    times   INTEGER NOT NULL, -- messages that said so
    PRIMARY KEY (run, address, name, source, used_by)
) STRICT, WITHOUT ROWID;

-- What a run heard of names and did not keep; no row where it kept all.
CREATE TABLE name_missed (
    run          INTEGER PRIMARY KEY REFERENCES run (id) ON DELETE CASCADE,
    not_a_name   INTEGER NOT NULL,
    beyond_bound INTEGER NOT NULL
) STRICT;
