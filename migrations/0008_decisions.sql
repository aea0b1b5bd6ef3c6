-- A rule that a person took out of a proposal stays out, also where the folder with the proposal is another or none. What
-- was decided is kept by namespace; the folder that was edited has it too, and goes first.

CREATE TABLE decision (
    site TEXT NOT NULL,
    namespace TEXT NOT NULL,
    body TEXT NOT NULL, -- JSON
    PRIMARY KEY (site, namespace)
) WITHOUT ROWID, STRICT;
