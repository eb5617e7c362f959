"""Reads a plugin without running it: archives, structure, rules over its code, and the manifest's wording.

Command line and server report the same findings because both ask here; nothing in this package imports plugin code.
"""
