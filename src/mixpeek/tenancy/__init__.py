"""Who may act, and where: organizations, API keys, namespaces."""
