"""Each engine's own checker reads the golden farms' files in the lab's image, and refuses rubbish.

An apply does the former on real machines as well; this is for what the example's farm does not
use. The latter shows that a checker looks at the file at all.
"""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.unit.parts.farms import CASES, SECRETS, Case

from stillup.cli.certificate import self_signed
from stillup.lab.image import image
from stillup.node.bundle import Bundle, Facts, File

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

RUBBISH = "\nno engine knows this line\n"
# The heartbeat's checker needs the daemon's code, which is not part of the golden farms.
ENGINES = ("chrony", "firewall", "nginx", "PHP-FPM", "HAProxy", "MariaDB")
VIEW = """
mount -t overlay none -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/tree"
mount --rbind /dev "$1/tree/dev"; mount -t proc proc "$1/tree/proc"
mount -t tmpfs run "$1/tree/run"; mkdir "$1/tree/run/php"
sysctl -qw net.ipv4.ip_nonlocal_bind=1
folder=$1; shift 2
exec chroot "$folder/tree" "$@"
"""


@dataclass(frozen=True)
class Server:
    """A tree of the image with a server's files in it."""

    folder: Path
    lower: Path
    bundle: Bundle

    def write(self, file: File, text: str) -> None:
        path = self.folder / "upper" / file.path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the tree, in mounts and a network of its own."""
        return subprocess.run(
            [
                *("unshare", "--mount", "--net", "sh", "-euc", VIEW, "sh"),
                *(str(self.folder), str(self.lower), *argv),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that an overlay can stand on, wherever the tests' own folders are."""
    folder = tmp_path_factory.mktemp("engines")
    subprocess.run(["mount", "-t", "tmpfs", "engines", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def servers(case: Case, scratch: Path) -> Iterator[Server]:
    lower = image(lambda _: None)
    # Paths of Debian 13, which the image is.
    case = replace(case, facts=Facts(13, "8.4", "eth0", "3.13"))
    secrets = replace(SECRETS, tls_pem=self_signed(case.farm, datetime.now(UTC)))
    for name, bundle in case.bundles(secrets).items():
        folder = scratch / f"{case.name}-{name}"
        for part in ("upper", "work", "tree"):
            (folder / part).mkdir(parents=True)
        server = Server(folder, lower, bundle)
        for file in bundle.files:
            server.write(file, file.text)
        for user in bundle.users:
            made = server.run("useradd", "--system", "--user-group", "--no-create-home", user.name)
            assert made.returncode == 0, made.stderr
        yield server
        shutil.rmtree(folder)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_engines_accept_what_is_rendered_and_refuse_rubbish(case: Case, scratch: Path) -> None:
    checked = set()
    for server in servers(case, scratch):
        files = {file.path: file for file in server.bundle.files}
        for check in (one for one in server.bundle.checks if one.name in ENGINES):
            good = server.run(*check.argv)
            assert good.returncode == 0, f"{server.folder.name}: {check.name}: {good.stderr}"
            # The settings of PHP itself are not PHP-FPM's to check: php reads any line.
            for path in (
                path for path in check.paths if path.endswith((".cfg", ".conf", ".nft", ".cnf"))
            ):
                server.write(files[path], files[path].text + RUBBISH)
                bad = server.run(*check.argv)
                server.write(files[path], files[path].text)
                assert bad.returncode != 0, f"{server.folder.name}: {check.name} takes {path}"
            checked.add(check.name)
    assert checked == set(ENGINES)
