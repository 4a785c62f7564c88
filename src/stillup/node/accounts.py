"""System users: made, put right, never removed (what they own would be orphaned)."""

from stillup.errors import ServerFailed
from stillup.node.bundle import User
from stillup.node.said import first_lines
from stillup.node.world import Ran, World


def make_account(world: World, user: User) -> None:
    """Make a system user with a group of its own name, and no password."""
    base = ["useradd", "--system", "--no-create-home", *_options(user)]
    ran = world.run([*base, "--user-group", user.name])
    if ran.code:
        # The group may be there alone: useradd was interrupted, or a package made it.
        ran = world.run([*base, "--gid", user.name, user.name])
    _require_done(ran, user)


def put_right(world: World, user: User) -> None:
    """Change an account that differs; groups are added, never taken away."""
    append = ("--append",) if user.groups else ()
    _require_done(world.run(["usermod", *append, *_options(user), user.name]), user)


def _options(user: User) -> tuple[str, ...]:
    groups = ("--groups", ",".join(user.groups)) if user.groups else ()
    return ("-d", user.home, "--shell", user.shell, *groups)


def _require_done(ran: Ran, user: User) -> None:
    if ran.code:
        raise ServerFailed(f"the user {user.name} could not be set up: {first_lines(ran)}")
