"""Batches: objects → rows → chunks → plugin steps → checked outputs → documents, every row accounted for."""
