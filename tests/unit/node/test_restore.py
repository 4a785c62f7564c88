"""The data folder is exchanged whole, wherever it is interrupted and however often."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.node.interruption import killed_at
from tests.unit.node.scripted import Folder

from stillup.errors import InputRefused
from stillup.node import restore
from stillup.node.message import JsonObject
from stillup.node.requests import Session

BACKUP = "shop-20260304-050607Z"
OLD = {"ibdata1": "old", "mysql/user.frm": "old", "gone/t.ibd": "old", "debian-11.8.flag": ""}
NEW = {"ibdata1": "new", "mysql/user.frm": "new", "site/t.ibd": "new", "grastate.dat": "new"}
OF_COPY = {"backup-my.cnf": "", "mariadb_backup_info": ""}


def _fill(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def _content(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A server whose restore has brought its copy and prepared it."""
    return _ready(tmp_path / "server")


def _ready(root: Path) -> Session:
    _fill(root / "var/lib/mysql", OLD)
    _fill(root / "var/lib/mysql.stillup-restored", {**NEW, **OF_COPY})
    _fill(
        root / "var/lib/stillup", {"restore.json": json.dumps({"backup": BACKUP, "stage": "ready"})}
    )
    return Session(Folder(root), {}, io.BytesIO(), io.BytesIO())


def _data(session: Session) -> Path:
    return session.world.root / "var/lib/mysql"


def _swap(session: Session, *, group: bool = False) -> Callable[[], JsonObject]:
    return lambda: restore.swap(session, {"op": "restore.swap", "backup": BACKUP, "group": group})


def _interrupted(root: Path, act: Callable[[Session], Callable[[], object]]) -> Iterator[Session]:
    """Yield servers on which ``act`` was killed at each of its changes, one after another."""
    step = 1
    while True:
        session = _ready(root / str(step))
        if not killed_at(step, act(session)):
            assert step > 10, "it changed hardly anything"
            return
        yield session
        step += 1


def test_the_restored_folder_takes_the_place_and_the_old_one_is_kept(session: Session) -> None:
    _swap(session)()
    assert _content(_data(session)) == {**NEW, "debian-11.8.flag": ""}
    assert _content(_data(session).with_name("mysql.stillup-replaced")) == OLD
    assert restore.state(session, {}) == {"backup": BACKUP, "stage": "swapped"}
    restore.end(session, {})
    assert restore.state(session, {}) == {"backup": None, "stage": ""}
    assert sorted(path.name for path in _data(session).parent.iterdir()) == ["mysql", "stillup"]


def test_where_several_keep_the_database_the_restored_one_founds_their_group(
    session: Session,
) -> None:
    (session.world.root / "var/lib/stillup/database-member").touch()
    _swap(session, group=True)()
    assert "grastate.dat" not in _content(_data(session))
    own = {path.name for path in (session.world.root / "var/lib/stillup").iterdir()}
    assert own == {"database-birth", "restore.json"}


def test_an_interrupted_exchange_goes_on_where_it_was(tmp_path: Path) -> None:
    for session in _interrupted(tmp_path, _swap):
        _swap(session)()
        assert _content(_data(session)) == {**NEW, "debian-11.8.flag": ""}
        assert _content(_data(session).with_name("mysql.stillup-replaced")) == OLD


def test_an_exchange_is_undone_also_when_the_undoing_is_interrupted(tmp_path: Path) -> None:
    def undone(session: Session) -> Callable[[], object]:
        _swap(session)()
        return lambda: restore.undo(session, {})

    for session in _interrupted(tmp_path, undone):
        # Cut at its very last change it is done, and has forgotten that it was asked for.
        if restore.state(session, {})["stage"]:
            restore.undo(session, {})
        assert _content(_data(session)) == OLD


def test_a_server_that_gets_its_copy_from_another_is_emptied_once(tmp_path: Path) -> None:
    def emptied(session: Session) -> Callable[[], object]:
        return lambda: restore.empty(session, {"op": "restore.empty", "backup": BACKUP})

    for session in _interrupted(tmp_path, emptied):
        emptied(session)()
        assert _content(_data(session)) == {}
        assert _content(_data(session).with_name("mysql.stillup-replaced")) == OLD
        _fill(_data(session), {"ibdata1": "its copy"})
        emptied(session)()
        assert _content(_data(session)) == {"ibdata1": "its copy"}


def test_a_backup_that_was_not_brought_is_not_swapped_in(session: Session) -> None:
    with pytest.raises(InputRefused, match="was not taken in before"):
        restore.swap(session, {"op": "restore.swap", "backup": "shop-20250101-000000Z"})
    assert _content(_data(session)) == OLD
