-- While no bound was hit, captures give the same map however they are split and imported. Where one was, the run says so:
-- what was left out or estimated, with how often. Connections written out early stand here too; `evicted` holds those of
-- runs from before this column.

ALTER TABLE run ADD COLUMN bounds TEXT NOT NULL DEFAULT '{}'; -- JSON: bound to number
