"""``python -m partialbatch COMMAND``: the command line, where the script isn't on the path."""

from partialbatch.cli import main

if __name__ == "__main__":
    main()
