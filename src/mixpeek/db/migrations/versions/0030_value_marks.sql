-- Which values the fields of a document have, as numbers (documents/value_marks.py), so that a filter which few pass is
-- answered by an index. What waits to be sorted into it is read by every search, so it is kept short (in kB).
CREATE INDEX documents_by_value ON documents USING gin (value_marks) WITH (gin_pending_list_limit = 512);

-- Led by the object: beside an index that begins as the key does, a planner that takes a collection for new looks
-- documents up by reading all of the collection.
CREATE INDEX documents_of_object ON documents (object_id, collection_id, generation);
DROP INDEX documents_by_object;
