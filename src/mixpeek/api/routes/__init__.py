"""One module per resource; a route checks, calls its slice, and shapes the answer."""
