"""Speed and memory compared with the peers, measured in one run: ``python -m benchmarks``."""
