r"""Bring this package to a server that has nothing but Python, in the same breath as using it.

The controller starts ``python3 -I -c PROGRAM SHA256 SIZE`` over SSH (with ``sudo -n`` in front
for users who are not root), where SHA256 and SIZE are of the archive that ``pack`` made:

    server      have\n                  the archive was unpacked here before
    or          need\n                  the controller sends SIZE bytes, nothing before or after
    or          failed REASON\n         and exit code 1; also instead of going on after "need"
    afterwards  the session of ``stillup.node.session`` on the same standard input and output

The session's own process gives way to what serves the farm's users, as far as the kernel shares the processors out by
niceness: 5, for its session as well (autogroup, see sched(7)).

The code stays in /usr/lib/stillup/node-SHA256 (imports are then compiled once); it is unpacked
beside and renamed, so two controllers at once do not disturb each other. The newest two
others are kept, for sessions that may still run from them.
"""

import io
import zipfile
from collections.abc import Mapping

PACKAGES = ("stillup", "stillup.node")
"""The packages whose Python files ``pack`` is to be given: of ``stillup`` itself only
``__init__.py`` and ``errors.py``."""

PROGRAM = """\
import hashlib, io, os, pathlib, shutil, sys, time, zipfile
digest, size = sys.argv[1], int(sys.argv[2])
base = pathlib.Path("/usr/lib/stillup")
home = base / ("node-" + digest)

def give_way():
    os.nice(5)
    try:
        pathlib.Path("/proc/self/autogroup").write_text("5")
    except OSError:
        pass  # Not every kernel has it.

def say(word):
    sys.stdout.write(word + "\\n")
    sys.stdout.flush()

def fetch():
    say("need")
    data = sys.stdin.buffer.read(size)
    if hashlib.sha256(data).hexdigest() != digest:
        raise OSError("what arrived is not what was sent")
    new = base / (".new-%s-%d" % (digest[:16], os.getpid()))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            archive.extractall(new)
        for path in [*new.rglob("*"), new, base]:
            handle = os.open(path, os.O_RDONLY)
            os.fsync(handle)
            os.close(handle)
        new.rename(home)
    except OSError:
        if not home.is_dir():
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)

def changed_s(path):
    try:
        return path.stat().st_mtime
    except OSError:
        # Another session has just put it in place, or taken it away.
        return time.time()

def tidy():
    others = [path for path in base.glob("node-*") if path != home]
    others.sort(key=changed_s, reverse=True)
    stale = [path for path in base.glob(".new-*") if changed_s(path) < time.time() - 3600]
    for path in [*others[2:], *stale]:
        shutil.rmtree(path, ignore_errors=True)

give_way()
try:
    os.umask(0o022)
    base.mkdir(mode=0o755, parents=True, exist_ok=True)
    if home.is_dir():
        say("have")
    else:
        fetch()
        tidy()
except OSError as error:
    say("failed %s" % error)
    raise SystemExit(1)
sys.path.insert(0, str(home))
from stillup.node.session import main
main()
"""


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return a zip archive of ``files`` (path in the archive, content); the same for the same.

    Args:
        files: ``stillup/errors.py`` and the like, with their content.
    """
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, files[path], compresslevel=9)
    return target.getvalue()
