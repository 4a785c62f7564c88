"""``python3 -m stillup.node session``: what runs on a server, as root."""

import sys

from stillup.node.session import main

USAGE = "usage: python3 -m stillup.node session\n"


def run(arguments: list[str]) -> int:
    """Run the one command there is."""
    if arguments != ["session"]:
        sys.stderr.write(USAGE)
        return 2
    main()
    return 0


if __name__ == "__main__":
    raise SystemExit(run(sys.argv[1:]))
