"""What hosts may ask the platform while they work, and who answers: assets, secrets, a language model.

Questions come over a socket of their own, so that what a host says unasked on the other one still ends it.
"""
