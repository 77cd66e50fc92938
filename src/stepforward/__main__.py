"""The command `stepforward`, also as `python -m stepforward`."""

import sys


def main() -> int:
    """Run one command; Ctrl-C is quiet even while modules are still being imported."""
    try:
        from stepforward.cli.main import main as command

        return command()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
