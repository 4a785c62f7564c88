"""What ``Secrets.cluster_pem`` holds, taken apart: an authority, a certificate, its key (pure)."""

import re
from dataclasses import dataclass, field

_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----\n.*?-----END \1-----\n", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ClusterTls:
    """What the database servers show each other and know each other by, each as PEM."""

    authority: str
    """The certificate that signed ``certificate``; its key was thrown away."""
    certificate: str
    key: str = field(repr=False)


def cluster_tls(pem: str) -> ClusterTls:
    """Take a ``cluster_pem`` apart: the authority's certificate, the servers', their key.

    Raises:
        ValueError: If it is not these three; nothing of it is in the error.
    """
    blocks = [found[0] for found in _BLOCK.finditer(pem)]
    if len(blocks) != 3 or "".join(blocks) != pem:
        raise ValueError("not an authority, a certificate and a key in PEM")
    return ClusterTls(*blocks)
