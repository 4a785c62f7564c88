"""``stillup secrets``: make a secret of the farm anew, without a gap.

``rotate heartbeat`` takes three rounds of ``apply``: each server believes the new key besides the
old one; each signs with the new one; each forgets the old one. At every instant all servers
believe each other. Interrupted, it goes on where it was when it is run again: the secrets file
says which round it is.

As JSON: ``{"rotated": "heartbeat", "rounds": int}``; a round was there to be gone on with if
there are fewer than three.
"""

import json
import secrets as chance
from argparse import Namespace

from stillup.cli.apply import applied
from stillup.cli.arguments import Subparsers
from stillup.cli.context import load_farm, load_secrets
from stillup.cli.secrets_file import HEARTBEAT_KEY_BYTES as KEY_BYTES
from stillup.cli.secrets_file import change_secrets
from stillup.errors import EXIT_DONE
from stillup.model.secrets import GivenSecrets, next_round, with_next_key

_DESCRIPTION = """\
Makes a secret anew and brings it to every server, in rounds, so that the farm never stands still
for it. `heartbeat`: the key by which the servers know each other; the virtual IP stays where it
is. Every server has to be reachable. Interrupted, run it again."""


def add(subparsers: Subparsers) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "secrets", help="make a secret anew without a gap", description=_DESCRIPTION
    )
    words = parser.add_subparsers(dest="word", metavar="WORD", required=True)
    rotate = words.add_parser("rotate", help="make a secret anew", description=_DESCRIPTION)
    rotate.add_argument("secret", choices=("heartbeat",), help="which")
    rotate.add_argument("-v", "--verbose", action="store_true", help="each server's every step")


def run(arguments: Namespace) -> int:
    """Rotate the heartbeat's key."""
    farm = load_farm(arguments.file)
    load_secrets(farm, arguments.file)
    rounds = 0
    given = change_secrets(arguments.file, _begun)
    while True:
        applied(arguments, farm, load_secrets(farm, arguments.file))
        rounds += 1
        if not given.is_rotating:
            break
        given = change_secrets(arguments.file, next_round)
    if arguments.json:
        print(json.dumps({"rotated": "heartbeat", "rounds": rounds}, indent=2))
    else:
        print(f"the heartbeat's key is another on every server ({rounds} rounds)")
    return EXIT_DONE


def _begun(given: GivenSecrets) -> GivenSecrets:
    return given if given.is_rotating else with_next_key(given, chance.token_hex(KEY_BYTES))
