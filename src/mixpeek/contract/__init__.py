"""What plugin code may rely on: manifest, pipeline, row conditions, columns, versions, feature addresses.

Pure: standard library and pydantic only; names are imported from the modules, so that importing one stays light.
"""
