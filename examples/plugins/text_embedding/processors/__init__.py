"""The work itself: `core` handles the rows, `encoder` the model."""
