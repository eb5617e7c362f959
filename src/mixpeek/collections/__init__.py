"""Collections: a recipe (source, extractor, parameters) and the generations of documents it made."""
