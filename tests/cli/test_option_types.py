"""Numbers on the command line."""

from __future__ import annotations

import click
import pytest

from partialbatch.cli.option_types import Seconds


def test_seconds_are_within_bounds():
    """A number within the bounds is taken, one outside is refused."""
    assert Seconds(0, 30).convert("1.5", None, None) == 1.5
    with pytest.raises(click.BadParameter, match=r"31.* is not in the range"):
        Seconds(0, 30).convert("31", None, None)


def test_nan_is_refused():
    """NaN is outside of no bounds, and no number of seconds."""
    with pytest.raises(click.BadParameter, match="'nan' isn't a number of seconds"):
        Seconds(0, 30).convert("nan", None, None)
