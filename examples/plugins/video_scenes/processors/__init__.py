"""The work itself: `core` handles the rows, `frames` decodes, `perception` describes pixels, `scenes` cuts."""
