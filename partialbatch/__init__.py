"""Partial failure responses for AWS Lambda batches, from a per-record function."""

__version__ = "0.1.0"
