"""What would be lost if a server's data became the farm's: pure."""

from stillup.keeper.settings import Json

RUNNING = frozenset({"member", "joining"})


def told(state: dict[str, Json]) -> tuple[str, list[str]]:
    """Return why it is refused, empty if it is not, and what would be lost, a sentence each.

    Args:
        state: What the keeper of the server says (see the package's docstring).
    """
    peers = state["peers"]
    others = dict(sorted(peers.items())) if isinstance(peers, dict) else {}
    everyone = {str(state["name"]): state, **others}
    primary = [
        n for n, said in everyone.items() if isinstance(said, dict) and said["phase"] in RUNNING
    ]
    if primary:
        return (
            f"{', '.join(primary)} is in a primary component: the database lives, nothing is to be forced",
            [],
        )
    if not isinstance(state["seqno"], int):
        return (
            f"this server holds no data of the farm's database ({state['phase']}): choose another",
            [],
        )
    lines = [f"{state['name']}: its data go to commit {state['seqno']} of {state['cluster']}"]
    lines += [_line(name, said, state) for name, said in others.items()]
    founding = [
        n for n, said in others.items() if isinstance(said, dict) and said["founding"] is True
    ]
    return (f"{', '.join(founding)} is about to found: wait" if founding else ""), lines


def _line(name: str, said: Json, mine: dict[str, Json]) -> str:
    if not isinstance(said, dict):
        return (
            f"{name}: does not answer. Every commit that only it holds is lost, and if it is still running "
            "somewhere out of sight, there are two databases: be sure that it is off"
        )
    seqno, here = said["seqno"], mine["seqno"]
    if not isinstance(seqno, int) or not isinstance(here, int):
        return f"{name}: it is not known how far its data go ({said['phase']}); what only it holds is lost"
    if said["cluster"] != mine["cluster"]:
        return f"{name}: holds {seqno} commits of another history, {said['cluster']}; they stay there, unused"
    if seqno > here:
        return f"{name}: goes to commit {seqno}: {seqno - here} commits are lost. Choose it instead"
    return f"{name}: goes to commit {seqno}: nothing of it is lost"
