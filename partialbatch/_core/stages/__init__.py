"""The optional features of a handler, each a stage of its calls."""
