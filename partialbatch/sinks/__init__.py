"""Destinations of items and dead letters, beside the producers."""

from partialbatch._discard import discard

__all__ = ["discard"]
