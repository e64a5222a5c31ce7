"""The rows that the parts define, and how a run selects some of them."""

from __future__ import annotations

from importlib import import_module

import pytest


@pytest.fixture
def parts():
    return import_module("benchmarks.parts")


def keys(chosen):
    return {part: [row.key for row in rows] for part, rows in chosen.items()}


def test_every_row_has_a_name_of_its_own(parts):
    """No two rows share a key, and no key is the name of a part."""
    every = [row.key for rows in parts.definitions().values() for row in rows]
    assert len(set(every)) == len(every)
    assert not set(every) & set(parts.TITLES)


def test_rows_that_read_alike_differ_in_their_peer(parts):
    """The name and the peer together say which row it is."""
    shown = [(row.name, row.against) for rows in parts.definitions().values() for row in rows]
    assert len(set(shown)) == len(shown)


def test_rows_are_selected_by_part_key_or_pattern(parts):
    """A part's name takes all of its rows, a row's key takes that one, and wildcards take each that fits."""
    assert keys(parts.select(["sqs-1", "stages"])) == {
        "records": ["sqs-1"],
        "stages": ["stage-hooks", "stage-resume", "stage-sink"],
    }
    assert keys(parts.select(["cold-start-*"])) == {"startup": ["cold-start-pydantic", "cold-start-beyond-pydantic"]}
    assert parts.select(None) == parts.definitions()


def test_an_unknown_name_is_refused(parts):
    """A name that fits no part and no row is an error that names it."""
    with pytest.raises(LookupError, match="'nope'"):
        parts.select(["sqs-1", "nope"])


def test_the_listing_names_every_row(parts):
    """The list shows each part with its title, and each row."""
    listing = parts.listing()
    assert "stages: One option more" in listing
    assert listing.count("\n") + 1 == len(parts.TITLES) + sum(len(rows) for rows in parts.definitions().values())
