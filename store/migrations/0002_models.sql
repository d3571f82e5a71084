-- Prepared rows, forecasts with their outcomes, performance and drift.

CREATE TABLE feature_schemas (
    project VARCHAR NOT NULL,
    schema_id INTEGER NOT NULL,
    names VARCHAR[] NOT NULL,
    PRIMARY KEY (project, schema_id)
);

CREATE TABLE features (
    project VARCHAR NOT NULL,
    market VARCHAR NOT NULL,
    unit INTEGER NOT NULL,
    candle_date_time_utc TIMESTAMPTZ NOT NULL,
    close DOUBLE,
    schema_id INTEGER NOT NULL,
    feature_values DOUBLE[] NOT NULL,
    PRIMARY KEY (project, market, unit, candle_date_time_utc)
);

CREATE SEQUENCE forecast_ids;
CREATE TABLE forecasts (
    id BIGINT NOT NULL DEFAULT nextval('forecast_ids'),
    project VARCHAR NOT NULL,
    market VARCHAR NOT NULL,
    unit INTEGER NOT NULL,
    candle_date_time_utc TIMESTAMPTZ NOT NULL,
    horizon INTEGER NOT NULL,
    target_at TIMESTAMPTZ NOT NULL,
    model_version INTEGER NOT NULL,
    base_price DOUBLE NOT NULL,
    lower DOUBLE NOT NULL,
    median DOUBLE NOT NULL,
    upper DOUBLE NOT NULL,
    static_lower DOUBLE NOT NULL,
    static_median DOUBLE NOT NULL,
    static_upper DOUBLE NOT NULL,
    ewma_lower DOUBLE NOT NULL,
    ewma_median DOUBLE NOT NULL,
    ewma_upper DOUBLE NOT NULL,
    made_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (project, market, unit, candle_date_time_utc, horizon, model_version)
);

-- At most one row per forecast: rows are added by one statement that leaves out what is there, and
-- writes are serialised. A key would cost more than the join itself.
CREATE TABLE outcomes (
    forecast_id BIGINT NOT NULL,
    realised_return DOUBLE NOT NULL,
    pinball DOUBLE NOT NULL,
    pinball_static DOUBLE NOT NULL,
    pinball_ewma DOUBLE NOT NULL,
    is_inside BOOLEAN NOT NULL,
    joined_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE performance (
    project VARCHAR NOT NULL,
    market VARCHAR NOT NULL,
    unit INTEGER NOT NULL,
    model_version INTEGER NOT NULL,
    window_start_at TIMESTAMPTZ NOT NULL,
    window_end_at TIMESTAMPTZ NOT NULL,
    "rows" INTEGER NOT NULL,
    pinball DOUBLE NOT NULL,
    skill_static DOUBLE NOT NULL,
    skill_ewma DOUBLE NOT NULL,
    coverage DOUBLE NOT NULL,
    mae DOUBLE NOT NULL,
    direction DOUBLE NOT NULL,
    computed_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (project, market, unit, model_version, computed_at)
);

CREATE TABLE reference_profiles (
    project VARCHAR NOT NULL,
    model_version INTEGER NOT NULL,
    profile VARCHAR NOT NULL,
    written_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (project, model_version)
);

CREATE TABLE drift_reports (
    project VARCHAR NOT NULL,
    model_version INTEGER NOT NULL,
    verdict VARCHAR NOT NULL,
    window_start_at TIMESTAMPTZ NOT NULL,
    window_end_at TIMESTAMPTZ NOT NULL,
    computed_at TIMESTAMPTZ NOT NULL,
    scores VARCHAR NOT NULL,
    PRIMARY KEY (project, model_version, computed_at)
);
