"""Puts the repository's root, where `benchmarks` is, on the path."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _root(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
