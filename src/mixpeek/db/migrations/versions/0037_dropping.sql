-- dropping: given up; a task removes its documents, then itself.
ALTER TABLE collection_generations
    DROP CONSTRAINT collection_generations_state_check,
    ADD CONSTRAINT collection_generations_state_check
        CHECK (state IN ('building', 'ready', 'live', 'kept', 'retired', 'dropping'));
