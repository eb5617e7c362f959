"""The client whose methods are coroutines; the one that blocks is made from it."""
