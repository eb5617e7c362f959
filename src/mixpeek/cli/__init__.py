"""The `mixpeek` command: argument handling and printing over the client and the local examination."""
