"""Durable work: tasks as the record users poll, and the engine that carries them out exactly to an end."""
