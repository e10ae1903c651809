"""Run the command line as ``python -m primase``."""

from __future__ import annotations

from primase.cli.main import main

if __name__ == "__main__":
    main()
