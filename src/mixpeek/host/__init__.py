"""The plugin host: the program that runs inside the sandbox, and the frames spoken with it.

It depends on `contract` only; starting it and talking to it belong to `execution`.
"""
