-- The history of live captures grows with every hour. After some days the hours of a day are brought into one: each key
-- once, each connection once, with the hours it was seen in (see src/store/day.rs). The map of it stays the same.
--
-- `hours` is how many a part holds: 1, or 24 where `hour` is the first of a day of UTC.

ALTER TABLE observation_part ADD COLUMN hours INTEGER NOT NULL DEFAULT 1;
CREATE INDEX observation_part_by_hour ON observation_part (hours, hour);
