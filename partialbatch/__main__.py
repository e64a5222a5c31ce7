"""Runs the command line as ``python -m partialbatch COMMAND``, in case the script isn't on the path."""

from partialbatch.cli import main

if __name__ == "__main__":
    main()
