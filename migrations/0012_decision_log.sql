-- Who decided what of a proposal, when and why: approvals, rejections with their reason, edits, and what was taken back. Nothing
-- here is ever changed: what takes an entry back is an entry. The table `decision` holds what follows from it for the next
-- proposal; both are written in one transaction.

CREATE TABLE decision_log (
    sequence INTEGER PRIMARY KEY, -- the order: clocks and times of files are no order
    id INTEGER NOT NULL UNIQUE, -- hash of all the rest
    site TEXT NOT NULL,
    namespace TEXT NOT NULL,
    policy TEXT NOT NULL, -- the document and the name of the policy: production/api.yaml#api
    time INTEGER NOT NULL, -- nanoseconds since 1970, as the clock or the file said
    author TEXT NOT NULL,
    action TEXT NOT NULL, -- approve, reject, edit, undo; folder: learnt from an edited folder
    body TEXT NOT NULL -- JSON: what was decided on and what follows
) STRICT;

CREATE INDEX decision_log_by_site ON decision_log (site, policy, sequence);
