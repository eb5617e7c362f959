-- What processors say of the chunks under way: [{collection_id, chunk, step, done, rows}].
ALTER TABLE batch_progress ADD COLUMN running jsonb NOT NULL DEFAULT '[]';
