-- What was recognised in what connections carry, and whether others can read it: whoever writes rules wants to know what a
-- port is used for, and where passwords and records cross the network in clear.
--
-- Kept beside the observations, for it is told by few packets, and keyed by content, so that a run taken back takes it along,
-- and parts of a run that are written one after the other meet as maxima: every part holds the figures of the whole run so
-- far. Joined to dependencies when the store is read. No rule rests on it.

CREATE TABLE application (
    run         INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    server      BLOB    NOT NULL, -- 4 or 16 bytes
    port        INTEGER NOT NULL, -- the server's
    protocol    INTEGER NOT NULL, -- of IP
    client      BLOB    NOT NULL, -- 4 or 16 bytes; empty for further clients of a server that has many
    application TEXT    NOT NULL, -- http, tls, postgresql ...
    protection  TEXT    NOT NULL, -- clear, encrypted, undecided
    first       INTEGER NOT NULL, -- nanoseconds since 1970: the beginning of a stretch of ten seconds
    last        INTEGER NOT NULL,
    times       INTEGER NOT NULL, -- stretches in which it was seen
    PRIMARY KEY (run, server, port, protocol, client, application, protection)
) STRICT, WITHOUT ROWID;
