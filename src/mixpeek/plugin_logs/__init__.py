"""Plugin logs: what the hosts of plugins print and log, kept per version and deployment, read in pages or followed."""
