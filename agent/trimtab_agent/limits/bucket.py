"""A token bucket: so many at once, then so many a second. Pure: the time is handed in."""

from __future__ import annotations


class TokenBucket:
    """Full at first. ``rate``: tokens a second."""

    def __init__(self, rate: float, size: float, now_s: float) -> None:
        self._rate = rate
        self._size = size
        self._tokens = size
        self._at_s = now_s

    def take(self, now_s: float) -> float:
        """Seconds to wait; 0: one was there and is taken."""
        self._fill(now_s)
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate

    def is_full(self, now_s: float) -> bool:
        self._fill(now_s)
        return self._tokens >= self._size

    def _fill(self, now_s: float) -> None:
        gained = max(now_s - self._at_s, 0.0) * self._rate
        self._tokens = min(self._tokens + gained, self._size)
        self._at_s = now_s
