"""The reference under docs/reference, made from the code it describes."""
