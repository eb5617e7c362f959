"""Environments: the packages a plugin declares, resolved and installed by the platform beside its own.

`store.Environments` is the door. Nothing here runs plugin code: resolving reads metadata, installing unpacks wheels.
"""
