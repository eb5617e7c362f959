"""Starts plugin hosts and talks to them: the port, the local implementation, the sandbox around each host.

Everything that comes back from a host is foreign: capped, parsed strictly and checked before it is passed on.
"""
