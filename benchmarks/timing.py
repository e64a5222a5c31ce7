"""Interleaved timing: every round times each contestant once, so that noise hits all of them alike."""

from __future__ import annotations

import gc
from statistics import median
from time import process_time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Call = Callable[[], Any]

SLICE = 0.004
"""Seconds that one contestant runs in a round."""

ROUNDS = 61


class Times:
    """The seconds that a call of each contestant took, round by round."""

    def __init__(self, rounds: Mapping[str, list[float]]) -> None:
        self._rounds = rounds

    def best(self, name: str) -> float:
        """Return the least seconds, for a figure on the wall clock: other work of the machine only ever adds to it."""
        return min(self._rounds[name])

    def median(self, figure: str | Callable[..., float]) -> float:
        """Return the median over all rounds, of a contestant or of a figure computed from a round.

        Args:
            figure: A contestant's name, or a function of the contestants' seconds in one round, by name.
        """
        if isinstance(figure, str):
            return median(self._rounds[figure])
        rounds = zip(*self._rounds.values(), strict=True)
        return median(figure(**dict(zip(self._rounds, seconds, strict=True))) for seconds in rounds)


def race(
    contestants: Mapping[str, Callable[[], Call]],
    rounds: int = ROUNDS,
    clock: Callable[[], float] = process_time,
) -> Times:
    """Time contestants in turns.

    The garbage collector stays on, as it is in Lambda: if you allocate more, you pay for it. The order turns with each
    round, so that no contestant always runs after the same one.

    Args:
        contestants: For each contestant, a function that prepares a round (it makes a context, for example) and
            returns the call to time.
        rounds: How often each contestant is timed.
        clock: CPU time by default, which other processes of the machine don't add to.
    """
    gc.collect()
    loops = {name: _calibrate(prepare(), clock) for name, prepare in contestants.items()}
    times: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            times[name].append(_time(contestants[name](), loops[name], clock))
    return Times(times)


def _time(call: Call, loops: int, clock: Callable[[], float]) -> float:
    turns = range(loops)
    start = clock()
    for _ in turns:
        call()
    return (clock() - start) / loops


def _calibrate(call: Call, clock: Callable[[], float]) -> int:
    call()
    return max(1, round(SLICE / _time(call, 3, clock)))
