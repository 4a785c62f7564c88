"""The secrets file: written and read back; what is wrong with it, told without a secret."""

import tomllib

import pytest

from stillup.model.secrets import GivenSecrets, read_secrets, write_secrets

BLOCK = "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"
PEM = (
    "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"
    "-----BEGIN PRIVATE KEY-----\nREVG\n-----END PRIVATE KEY-----\n"
)
WHOLE = GivenSecrets("ab" * 32, "the.database-password", "the_stats-password", PEM)


@pytest.mark.parametrize(
    "given",
    [
        WHOLE,
        GivenSecrets(),
        GivenSecrets(stats_password="only-this-one"),
        GivenSecrets(tls_pem=PEM),
        GivenSecrets(cluster_key="cd" * 32, cluster_pem=BLOCK + PEM),
    ],
)
def test_what_is_written_is_read_back(given: GivenSecrets) -> None:
    assert read_secrets(write_secrets(given).encode(), "s.toml") == given


def test_no_secret_is_in_a_repr() -> None:
    assert repr(WHOLE) == "GivenSecrets()"


SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            f'stats_pasword = "{SECRET}"',
            "a secret of this name is not known; did you mean stats_password? [unknown-secret]",
        ),
        (
            f'hunter2-hunter2 = "{SECRET}"',
            "a secret of this name is not known; the secrets are heartbeat_key, database_password, "
            "stats_password, tls_pem, cluster_key and cluster_pem [unknown-secret]",
        ),
        (
            'database_password = "hunter2-hunter2\\n"',
            "database_password: is not 12 to 128 letters, digits and _.-; put it back, or remove it "
            "to get a new one [bad-secret]",
        ),
        (
            f'cluster_key = "{SECRET}"',
            "cluster_key: is not 64 hexadecimal digits in small letters; put it back, or remove "
            "it to get a new one [bad-secret]",
        ),
        (
            f'cluster_pem = """\n{PEM}{SECRET}"""',
            "cluster_pem: is not an authority, a certificate and its private key in PEM; put it "
            "back, or remove it to get a new one [bad-secret]",
        ),
        (
            f'heartbeat_key = "{SECRET}"',
            "heartbeat_key: is not 64 hexadecimal digits in small letters; put it back, or remove "
            "it to get a new one [bad-secret]",
        ),
        (
            "stats_password = 12345678901234",
            "stats_password: is not 12 to 128 letters, digits and _.-; put it back, or remove it to "
            "get a new one [bad-secret]",
        ),
        (
            f'tls_pem = "{SECRET}"',
            "tls_pem: is not a certificate and its private key in PEM; put it back, or remove it to "
            "get a new one [bad-secret]",
        ),
        *(
            (
                broken,
                "is not what stillup wrote here; put it back, or remove the line to get a new "
                "secret [syntax]",
            )
            for broken in (
                f"stats_password = {SECRET}",
                f"{SECRET}",
                f'stats_password = "{SECRET}',
                f"a = '{SECRET}'\na = '{SECRET}'",
                f"[{SECRET}\n",
            )
        ),
    ],
)
def test_what_is_wrong_is_told_without_the_secret(text: str, told: str) -> None:
    found = read_secrets(text.encode(), "s.toml")
    assert not isinstance(found, GivenSecrets)
    assert [str(problem).partition(": ")[2] for problem in found] == [told]
    assert "hunter2" not in repr(found)


def test_all_problems_are_told_by_line() -> None:
    found = read_secrets(b"stats_password = 1\n\nheartbeat_key = 2\n", "s.toml")
    assert not isinstance(found, GivenSecrets)
    assert [(problem.line, problem.path) for problem in found] == [
        (1, "stats_password"),
        (3, "heartbeat_key"),
    ]


def test_a_written_file_warns_its_reader_and_is_toml() -> None:
    text = write_secrets(WHOLE)
    assert text.startswith("# The farm's secrets, made by stillup. Keep this file to yourself")
    assert set(tomllib.loads(text)) == {
        "heartbeat_key",
        "database_password",
        "stats_password",
        "tls_pem",
    }
