"""The work itself: `core` handles the rows, `sound` decodes files, `spectrum` describes samples."""
