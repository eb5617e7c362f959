"""Deployments: bringing one version of a plugin to answer requests, and keeping it answering."""
