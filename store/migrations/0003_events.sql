-- What was decided and by whom, and what Slack has still to hear.

CREATE SEQUENCE event_ids;
CREATE TABLE events (
    id BIGINT PRIMARY KEY DEFAULT nextval('event_ids'),
    occurred_at TIMESTAMPTZ NOT NULL,
    kind VARCHAR NOT NULL,
    severity VARCHAR NOT NULL,
    project VARCHAR NOT NULL,
    actor VARCHAR NOT NULL,
    summary VARCHAR NOT NULL,
    details VARCHAR NOT NULL
);

CREATE SEQUENCE alert_ids;
CREATE TABLE alert_outbox (
    id BIGINT NOT NULL DEFAULT nextval('alert_ids'),
    key VARCHAR PRIMARY KEY,
    text VARCHAR NOT NULL,
    enqueued_at TIMESTAMPTZ NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at TIMESTAMPTZ,
    sent_at TIMESTAMPTZ,
    last_error VARCHAR NOT NULL DEFAULT ''
);
