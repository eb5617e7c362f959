"""The work itself: `core` handles the rows, `pictures` opens files, `perception` describes pixels."""
