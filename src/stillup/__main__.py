"""``python3 -m stillup`` is the command ``stillup``."""

from stillup.cli.main import run

if __name__ == "__main__":
    raise SystemExit(run())
