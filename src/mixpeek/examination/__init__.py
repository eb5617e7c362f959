"""Examines an unpacked plugin from end to end: reads it, then asks a host what it declares and builds.

The command line and the server's confirm both call `examine.examine`, so they agree.
"""
