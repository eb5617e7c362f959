-- At most two versions have to do with the requests that follow a name: the stable one, and beside it either a canary,
-- which answers a share of them, or a shadow, which is only shown them. The stable one has what the canary has not.
ALTER TABLE live_deployments
    DROP CONSTRAINT live_deployments_pkey,
    ADD PRIMARY KEY (namespace_id, plugin_id),
    ADD COLUMN role text NOT NULL DEFAULT 'stable',
    ADD COLUMN traffic smallint,                    -- percent; null: the rest
    ADD CONSTRAINT live_deployments_traffic CHECK (
        (role = 'stable' AND traffic IS NULL)
        OR (role = 'canary' AND traffic IS NOT NULL AND traffic BETWEEN 1 AND 99)
        OR (role = 'shadow' AND traffic IS NOT NULL AND traffic = 0)
    );
CREATE UNIQUE INDEX live_deployments_stable ON live_deployments (namespace_id, name) WHERE role = 'stable';
CREATE UNIQUE INDEX live_deployments_beside ON live_deployments (namespace_id, name) WHERE role <> 'stable';

-- What a rollout was asked for; what holds now is in live_deployments.
ALTER TABLE deployments
    ADD COLUMN role text NOT NULL DEFAULT 'stable' CHECK (role IN ('stable', 'canary', 'shadow')),
    ADD COLUMN traffic smallint NOT NULL DEFAULT 100 CHECK (traffic BETWEEN 0 AND 100);

-- How a shadow's answers differ, as each API process has counted since it started; readers add them up.
CREATE TABLE shadow_reports (
    deployment_id text NOT NULL REFERENCES deployments ON DELETE CASCADE,
    process_id    text NOT NULL,
    compared_with text NOT NULL,                    -- plugin id of the stable version
    report        jsonb NOT NULL,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (deployment_id, process_id)
);
