"""Interleaved timing: every round times each contestant once, so that noise affects all of them."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SLICE = 0.02
"""Seconds that one contestant runs a round."""


def race(contestants: Mapping[str, Callable[[], Any]], rounds: int = 15) -> dict[str, float]:
    """Time contestants in turns.

    The garbage collector stays on, as on Lambda, so that allocations count.

    Returns:
        The smallest number of seconds per call for each contestant, because other work can only add time.
    """
    loops = {name: _calibrate(call) for name, call in contestants.items()}
    best = dict.fromkeys(contestants, float("inf"))
    for _ in range(rounds):
        for name, call in contestants.items():
            best[name] = min(best[name], _time(call, loops[name]))
    return best


def _time(call: Callable[[], Any], loops: int) -> float:
    turns = range(loops)
    start = perf_counter()
    for _ in turns:
        call()
    return (perf_counter() - start) / loops


def _calibrate(call: Callable[[], Any]) -> int:
    call()
    return max(1, round(SLICE / _time(call, 1)))
