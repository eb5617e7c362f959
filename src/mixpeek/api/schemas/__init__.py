"""What routes answer, one module per resource; request bodies belong to the slices that read them."""
