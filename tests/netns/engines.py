"""Programs that these tests run as they are: this host's, or Debian's packages, unpacked.

Nothing is installed: Debian's packages start what they bring, and these tests want it in
namespaces only.
"""

import functools
import shutil

from bench import debian


@functools.cache
def haproxy() -> tuple[str, ...]:
    """Return the words that run HAProxy.

    Raises:
        subprocess.CalledProcessError: If it is not installed and cannot be downloaded.
        OSError: If there is no apt-get.
    """
    if shutil.which("haproxy") is not None:
        return ("haproxy",)
    root = debian.unpacked(debian.cache("tests"), "haproxy", ["haproxy"])
    return ("env", f"LD_LIBRARY_PATH={debian.libraries(root)}", str(root / "usr/sbin/haproxy"))
