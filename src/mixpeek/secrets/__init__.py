"""Secrets: values an organization entrusts to the platform, encrypted at rest, readable where they are granted."""
