-- What a model's files were when its training ended. probe is JSON of rows and predictions; NULL when
-- the digest was taken at the first load.
CREATE TABLE model_proofs (
    project VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL,
    probe VARCHAR,
    recorded_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (project, run_id)
);

-- Files that were found to be something else, until they are right again. place: registry or copy.
CREATE TABLE model_refusals (
    project VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    place VARCHAR NOT NULL,
    version INTEGER NOT NULL,
    reason VARCHAR NOT NULL,
    refused_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (project, run_id, place)
);
