"""The work itself: `core` handles the rows, `pages` reads documents, `encoder` is the model."""
