-- Evidence about models: which forecasts were live, trials between two versions, what retraining was worth.

-- Live: made before its outcome was stored. Production: by the version in production at that time.
-- DuckDB adds a column with such a default only where its configuration is not locked.
ALTER TABLE forecasts ADD COLUMN is_live BOOLEAN;
ALTER TABLE forecasts ADD COLUMN is_production BOOLEAN;
UPDATE forecasts SET is_live = made_at < target_at + to_minutes(unit), is_production = TRUE;

ALTER TABLE performance ADD COLUMN live_rows INTEGER;
ALTER TABLE performance ADD COLUMN filled_rows INTEGER;
UPDATE performance SET live_rows = 0, filled_rows = "rows";

-- A challenger against the champion (challenge), or the deposed champion against its successor
-- (probation). Rows from from_at on count. evidence is JSON of the newest look.
CREATE TABLE trials (
    project VARCHAR NOT NULL,
    purpose VARCHAR NOT NULL,
    champion INTEGER NOT NULL,
    challenger INTEGER NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    from_at TIMESTAMPTZ NOT NULL,
    state VARCHAR NOT NULL,
    evidence VARCHAR NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (project, purpose, champion, challenger, started_at)
);

-- The version that would be in production had nobody retrained; config says what it forecasts.
CREATE TABLE twins (
    project VARCHAR NOT NULL,
    config VARCHAR NOT NULL,
    model_version INTEGER NOT NULL,
    since_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (project, config)
);

CREATE TABLE twin_accounts (
    project VARCHAR NOT NULL,
    model_version INTEGER NOT NULL,
    "rows" INTEGER NOT NULL,
    production_loss DOUBLE NOT NULL,
    twin_loss DOUBLE NOT NULL,
    verdict VARCHAR NOT NULL,
    computed_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (project, model_version)
);

-- At most one wish per project.
CREATE TABLE parked_retrains (
    project VARCHAR PRIMARY KEY,
    reasons VARCHAR[] NOT NULL,
    parked_at TIMESTAMPTZ NOT NULL
);

-- What the forecasts of a window let one expect, written before their outcomes; realised when known.
CREATE TABLE loss_estimates (
    project VARCHAR NOT NULL,
    model_version INTEGER NOT NULL,
    window_start_at TIMESTAMPTZ NOT NULL,
    window_end_at TIMESTAMPTZ NOT NULL,
    "rows" INTEGER NOT NULL,
    expected DOUBLE NOT NULL,
    realised DOUBLE,
    estimated_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (project, model_version, window_start_at)
);
