"""Who answers plugin hosts when they ask for assets, secrets or a language model: a server, or an author's machine."""
