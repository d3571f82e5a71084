-- What made prepared rows: a digest of the code and the parameters, '' where an earlier version did not
-- say. Rows of two digests lie side by side, so that changed code takes none from the code before.
ALTER TABLE feature_schemas ADD COLUMN digest VARCHAR DEFAULT '';

CREATE TABLE features_by_schema (
    project VARCHAR NOT NULL,
    market VARCHAR NOT NULL,
    unit INTEGER NOT NULL,
    candle_date_time_utc TIMESTAMPTZ NOT NULL,
    close DOUBLE,
    schema_id INTEGER NOT NULL,
    feature_values DOUBLE[] NOT NULL,
    PRIMARY KEY (project, market, unit, schema_id, candle_date_time_utc)
);
INSERT INTO features_by_schema BY NAME SELECT * FROM features;
DROP TABLE features;
ALTER TABLE features_by_schema RENAME TO features;

-- Digests whose rows of the same candles were compared and are the same to rounding.
CREATE TABLE equal_rows (
    project VARCHAR NOT NULL,
    digest VARCHAR NOT NULL,
    earlier VARCHAR NOT NULL,
    "rows" INTEGER NOT NULL,
    compared_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (project, digest, earlier)
);
