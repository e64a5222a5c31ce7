"""Speed and memory side by side with the peers, measured in one run: ``python -m benchmarks``."""
