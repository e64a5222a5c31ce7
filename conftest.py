"""Runs the snippets of the documents, each document in a namespace of its own."""

from __future__ import annotations

import logging
from doctest import ELLIPSIS

from sybil import Sybil
from sybil.parsers.rest import DocTestParser, PythonCodeBlockParser


def _quiet(_namespace: dict[str, object]) -> None:
    """Take back what a document set up of the process-wide logging; no document has a set-up but its own."""
    logger = logging.getLogger("partialbatch")
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)


pytest_collect_file = Sybil(
    parsers=[DocTestParser(optionflags=ELLIPSIS), PythonCodeBlockParser()],
    patterns=["README.rst", "docs/*.rst"],
    teardown=_quiet,
).pytest()
