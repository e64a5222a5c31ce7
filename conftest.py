"""Run the snippets of the documents and docstrings, those of each file in a namespace of their own."""

from __future__ import annotations

import logging
from doctest import ELLIPSIS

from sybil import Document, Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.rest import DocTestParser, PythonCodeBlockParser


class _Docstrings(PythonDocStringDocument):
    """The docstrings of a module, whose examples import all that they use, as a reader has to."""

    __init__ = Document.__init__


def _quiet(_namespace: dict[str, object]) -> None:
    """Take back what a document set up of the process-wide logging; no document has a set-up but its own."""
    logger = logging.getLogger("partialbatch")
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)


pytest_collect_file = Sybil(
    parsers=[DocTestParser(optionflags=ELLIPSIS), PythonCodeBlockParser()],
    patterns=["README.rst", "docs/*.rst", "partialbatch/*.py"],
    document_types={".py": _Docstrings},
    teardown=_quiet,
).pytest()
