-- The newest revision that the oldest program which still runs on this schema knows. A migration that only adds leaves it;
-- one that removes, renames or narrows what an older program uses sets it to its own number.
CREATE TABLE schema_floor (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    revision text NOT NULL
);
INSERT INTO schema_floor (revision) VALUES ('0045');
