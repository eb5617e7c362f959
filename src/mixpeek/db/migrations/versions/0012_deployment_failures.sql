-- Why a rollout or a green host failed, for machines to read: {code, message, hint, frames}; `error` says it as text.
ALTER TABLE deployments ADD COLUMN failure jsonb;
ALTER TABLE replicas ADD COLUMN failure jsonb;
