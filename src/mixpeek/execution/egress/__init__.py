"""The one way out of a host that may use a network: a proxy of ours that decides about every connection.

`addresses` and `policy` decide, `heads` reads requests, `proxy` does the work; nothing here knows plugins or hosts.
"""
