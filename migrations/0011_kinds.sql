-- What the decoded packets of a run were, so that a capture of one kind alone shows: JSON, kind to number of packets. Runs from
-- before do not tell.

ALTER TABLE run ADD COLUMN kinds TEXT NOT NULL DEFAULT '{}';
