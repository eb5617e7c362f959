"""Hosts on other machines, without a word about who put them there.

On the host's machine a `keeper` starts the process and watches it; here `RemoteHost` asks it, over sockets that lead to
it directly. Between the two there are three: for calls, for what the host asks, and to steer the keeper.
"""
