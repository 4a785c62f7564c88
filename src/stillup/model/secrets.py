"""The secrets file: what stands in it, read and written. No secret is ever in a problem.

``farm.secrets.toml`` beside ``farm.toml`` holds one text for each key below and nothing
else. A key that is missing is made (a newer version may want one more); a key that nobody
knows is a problem, as it is most likely one of these mistyped.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from stillup.model.document import Document, read_document
from stillup.model.problems import Problem, in_order, joined, nearest

_PASSWORD = re.compile(r"[A-Za-z0-9_.-]{12,128}")
_PEM = re.compile(
    r"(-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n)+"
    r"-----BEGIN PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+-----END PRIVATE KEY-----\n"
)
_CLUSTER_PEM = re.compile(
    r"(-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n){2}"
    r"-----BEGIN PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+-----END PRIVATE KEY-----\n"
)
_HEX_KEY = re.compile(r"[0-9a-f]{64}")

_HEX_WORDS = "64 hexadecimal digits in small letters"

_FORMS = {
    "heartbeat_key": (_HEX_KEY, _HEX_WORDS),
    "heartbeat_key_next": (_HEX_KEY, _HEX_WORDS),
    "heartbeat_key_old": (_HEX_KEY, _HEX_WORDS),
    "database_password": (_PASSWORD, "12 to 128 letters, digits and _.-"),
    "stats_password": (_PASSWORD, "12 to 128 letters, digits and _.-"),
    "tls_pem": (_PEM, "a certificate and its private key in PEM"),
    "cluster_key": (_HEX_KEY, _HEX_WORDS),
    "cluster_pem": (_CLUSTER_PEM, "an authority, a certificate and its private key in PEM"),
}

_LASTING = [key for key in _FORMS if not key.startswith("heartbeat_key_")]

_HEAD = """\
# The farm's secrets, made by stillup. Keep this file to yourself (mode 0600) and out of
# version control, and keep a copy of it in a safe place: without it the farm keeps running,
# but every secret has to be made anew. Remove a line and the next command makes a new one.

"""


@dataclass(frozen=True, slots=True)
class GivenSecrets:
    """The secrets that a file holds; None for those still to be made.

    While the heartbeat's key is changed there are two: first the next one beside the one that
    signs, then the old one beside the new one, which signs by then.
    """

    heartbeat_key: str | None = field(default=None, repr=False)
    database_password: str | None = field(default=None, repr=False)
    stats_password: str | None = field(default=None, repr=False)
    tls_pem: str | None = field(default=None, repr=False)
    heartbeat_key_next: str | None = field(default=None, repr=False)
    heartbeat_key_old: str | None = field(default=None, repr=False)
    cluster_key: str | None = field(default=None, repr=False)
    cluster_pem: str | None = field(default=None, repr=False)

    @property
    def is_rotating(self) -> bool:
        """Whether the heartbeat's key is being changed."""
        return self.heartbeat_key_next is not None or self.heartbeat_key_old is not None


def with_next_key(secrets: GivenSecrets, key: str) -> GivenSecrets:
    """Return the secrets of the first round in which the heartbeat's key is changed."""
    return replace(secrets, heartbeat_key_next=key)


def next_round(secrets: GivenSecrets) -> GivenSecrets:
    """Return the secrets of the round after one that every server has.

    The new key is believed by all before anybody signs with it, and signs everywhere before
    the old one is forgotten: servers of two rounds that follow each other believe each other.
    """
    if secrets.heartbeat_key_next is None:
        return replace(secrets, heartbeat_key_old=None)
    return replace(
        secrets,
        heartbeat_key=secrets.heartbeat_key_next,
        heartbeat_key_next=None,
        heartbeat_key_old=secrets.heartbeat_key,
    )


def read_secrets(data: bytes, name: str) -> GivenSecrets | tuple[Problem, ...]:
    """Return the secrets that a secrets file holds, or every problem it has."""
    document = read_document(data, name)
    if isinstance(document, Problem):
        return (_without_content(document),)
    problems = [
        problem
        for key, value in document.values.items()
        if (problem := _problem(document, key, value)) is not None
    ]
    if problems:
        return in_order(problems)
    return GivenSecrets(**{key: str(value) for key, value in document.values.items()})


def write_secrets(secrets: GivenSecrets) -> str:
    """Return the text of a secrets file; ``read_secrets`` reads it back."""
    given: Mapping[str, str | None] = {
        "heartbeat_key": secrets.heartbeat_key,
        "heartbeat_key_next": secrets.heartbeat_key_next,
        "heartbeat_key_old": secrets.heartbeat_key_old,
        "database_password": secrets.database_password,
        "stats_password": secrets.stats_password,
        "cluster_key": secrets.cluster_key,
    }
    lines = [f'{key} = "{value}"\n' for key, value in given.items() if value is not None]
    for key, pem in (("tls_pem", secrets.tls_pem), ("cluster_pem", secrets.cluster_pem)):
        if pem is not None:
            lines.append(f'{key} = """\n{pem}"""\n')
    return _HEAD + "".join(lines)


def _without_content(problem: Problem) -> Problem:
    """Return a problem of the whole file without anything that the file says."""
    if problem.code not in {"syntax", "doubled-key"}:
        return problem
    told = "is not what stillup wrote here; put it back, or remove the line to get a new secret"
    return replace(problem, path="", text=told, code="syntax")


def _problem(document: Document, key: str, value: object) -> Problem | None:
    line = document.lines.line((key,))
    if key not in _FORMS:
        meant = nearest(key, _FORMS)
        # A key that is like no known one may be a secret in the wrong place: it is not shown.
        hint = f"did you mean {meant}?" if meant else f"the secrets are {joined(list(_LASTING))}"
        told = f"a secret of this name is not known; {hint}"
        return Problem(document.name, line, "", told, "unknown-secret")
    form, words = _FORMS[key]
    if isinstance(value, str) and form.fullmatch(value):
        return None
    told = f"is not {words}; put it back, or remove it to get a new one"
    return Problem(document.name, line, key, told, "bad-secret")
