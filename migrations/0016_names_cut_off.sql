-- Hellos of TLS and requests of HTTP whose name may stand in what was not captured, or in another segment, so that who misses
-- a server's name sees why. Runs from before do not tell.

ALTER TABLE name_missed ADD COLUMN cut_off INTEGER NOT NULL DEFAULT 0;
