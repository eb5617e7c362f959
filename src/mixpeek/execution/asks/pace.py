"""How fast one host may ask: so much at once, and so much more each second. What comes faster waits."""

from __future__ import annotations

# A piece of an asset costs 1, so that one host reads at most about 2 GiB a second from memory.
COSTS = {"asset.stat": 1.0, "asset.read": 1.0, "secret.get": 20.0, "secret.list": 20.0, "llm.generate": 50.0}
MOST = 2_000.0
PER_S = 2_000.0


class Pace:
    """A bucket of effort, filled as time goes by; `now` is in seconds of any steady clock."""

    def __init__(self, now: float) -> None:
        self._left = MOST
        self._filled_at = now

    def wait_s(self, what: str, now: float) -> float:
        """Return how long to wait before this is answered; 0 takes its cost from the bucket."""
        self._left = min(MOST, self._left + (now - self._filled_at) * PER_S)
        self._filled_at = now
        cost = COSTS.get(what, 1.0)
        if cost > self._left:
            return (cost - self._left) / PER_S
        self._left -= cost
        return 0.0
