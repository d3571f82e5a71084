-- Candles as sent, candles typed, what is proven complete, and what is live.

-- Both times as sent: without a zone.
CREATE TABLE candles_raw (
    market VARCHAR NOT NULL,
    unit INTEGER NOT NULL,
    candle_date_time_utc TIMESTAMP NOT NULL,
    candle_date_time_kst TIMESTAMP NOT NULL,
    opening_price DOUBLE NOT NULL,
    high_price DOUBLE NOT NULL,
    low_price DOUBLE NOT NULL,
    trade_price DOUBLE NOT NULL,
    "timestamp" BIGINT NOT NULL,
    candle_acc_trade_price DOUBLE NOT NULL,
    candle_acc_trade_volume DOUBLE NOT NULL,
    source VARCHAR NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (market, unit, candle_date_time_utc)
);

-- corrections counts how often a later answer changed the stored values.
CREATE TABLE candles (
    market VARCHAR NOT NULL,
    unit INTEGER NOT NULL,
    candle_date_time_utc TIMESTAMPTZ NOT NULL,
    open DOUBLE NOT NULL,
    high DOUBLE NOT NULL,
    low DOUBLE NOT NULL,
    close DOUBLE NOT NULL,
    volume DOUBLE NOT NULL,
    value DOUBLE NOT NULL,
    corrections INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (market, unit, candle_date_time_utc)
);

-- Disjoint, non-touching spans [start_at, end_at) per market and unit. No key on start_at: merging
-- replaces a span by a longer one with the same start in one transaction.
CREATE SEQUENCE coverage_ids;
CREATE TABLE coverage (
    id BIGINT NOT NULL DEFAULT nextval('coverage_ids'),
    market VARCHAR NOT NULL,
    unit INTEGER NOT NULL,
    start_at TIMESTAMPTZ NOT NULL,
    end_at TIMESTAMPTZ NOT NULL,
    method VARCHAR NOT NULL,
    proven_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE live_candles (
    market VARCHAR NOT NULL,
    unit INTEGER NOT NULL,
    candle_date_time_utc TIMESTAMPTZ NOT NULL,
    open DOUBLE NOT NULL,
    high DOUBLE NOT NULL,
    low DOUBLE NOT NULL,
    close DOUBLE NOT NULL,
    volume DOUBLE NOT NULL,
    value DOUBLE NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (market, unit)
);

CREATE TABLE ingestion (
    market VARCHAR NOT NULL,
    unit INTEGER NOT NULL,
    state VARCHAR NOT NULL,
    heartbeat_at TIMESTAMPTZ NOT NULL,
    last_tick_at TIMESTAMPTZ,
    watermark_at TIMESTAMPTZ,
    message VARCHAR NOT NULL,
    PRIMARY KEY (market, unit)
);

-- One row: the one source that this file's candles come from.
CREATE TABLE source (
    only_row BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    source_id VARCHAR NOT NULL,
    claimed_at TIMESTAMPTZ NOT NULL
);
