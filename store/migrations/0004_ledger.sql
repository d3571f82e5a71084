-- The completeness ledger: how and when each span was proven, which gaps there were, what was audited.

ALTER TABLE coverage RENAME COLUMN proven_at TO first_proven_at;
ALTER TABLE coverage ADD COLUMN last_proven_at TIMESTAMPTZ;
UPDATE coverage SET last_proven_at = first_proven_at,
    method = CASE WHEN method = 'rest' THEN 'backfill' ELSE method END;

-- Disjoint ranges [start_at, end_at) per market and unit that once were not proven in time, or that an
-- audit found wrong. Open until repaired_at; candles counts those stored in the range by then.
CREATE SEQUENCE gap_ids;
CREATE TABLE gaps (
    id BIGINT NOT NULL DEFAULT nextval('gap_ids'),
    market VARCHAR NOT NULL,
    unit INTEGER NOT NULL,
    start_at TIMESTAMPTZ NOT NULL,
    end_at TIMESTAMPTZ NOT NULL,
    cause VARCHAR NOT NULL,
    found_at TIMESTAMPTZ NOT NULL,
    repaired_at TIMESTAMPTZ,
    candles INTEGER NOT NULL DEFAULT 0
);

-- One row per comparison of stored candles with the exchange. Start and end are exchange time.
CREATE TABLE audits (
    market VARCHAR NOT NULL,
    unit INTEGER NOT NULL,
    start_at TIMESTAMPTZ NOT NULL,
    end_at TIMESTAMPTZ NOT NULL,
    audited_at TIMESTAMPTZ NOT NULL,
    checked INTEGER NOT NULL,
    corrected INTEGER NOT NULL,
    recovered INTEGER NOT NULL,
    removed INTEGER NOT NULL
);

ALTER TABLE ingestion ADD COLUMN since_at TIMESTAMPTZ;
ALTER TABLE ingestion ADD COLUMN next_step VARCHAR DEFAULT '';
ALTER TABLE ingestion ADD COLUMN expected_until_at TIMESTAMPTZ;
