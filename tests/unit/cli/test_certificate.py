"""The user's own certificate and key: used when they fit, told when they do not."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from stillup.cli.certificate import Pair, PairRefused, read_pair, self_signed
from stillup.cli.context import load_farm, load_secrets
from stillup.cli.local_files import findings
from stillup.errors import InputRefused
from stillup.model.farm import Farm

TESTS = Path(__file__).resolve().parents[2]
EXAMPLE = TESTS / "farms" / "six.toml"
WITH_IPV6 = TESTS / "golden" / "several" / "farm.toml"
NOW = datetime.now(UTC)


def split(pem: str) -> tuple[str, str]:
    certificate, begin, key = pem.partition("-----BEGIN PRIVATE KEY-----")
    return certificate, begin + key


@pytest.fixture
def farm(tmp_path: Path) -> Farm:
    """The example with a fitting certificate and key of its own, in its folder."""
    farm = load_farm(EXAMPLE)
    certificate, key = split(self_signed(farm, NOW))
    (tmp_path / "site").mkdir()
    (tmp_path / "c.pem").write_text(certificate, encoding="utf-8")
    (tmp_path / "k.pem").write_text(key, encoding="utf-8")
    (tmp_path / "k.pem").chmod(0o600)
    return replace(farm, tls=replace(farm.tls, certificate="c.pem", key="k.pem"))


def found(farm: Farm, folder: Path, now: datetime = NOW) -> list[tuple[str, str, bool]]:
    return [
        (".".join(one.path), one.code, one.is_problem)
        for one in findings(farm, folder / "farm.toml", now)
    ]


def test_a_fitting_pair_is_used_and_no_other_is_made(farm: Farm, tmp_path: Path) -> None:
    secrets = load_secrets(farm, tmp_path / "farm.toml")
    both = [(tmp_path / name).read_text(encoding="utf-8") for name in ("c.pem", "k.pem")]
    assert secrets.tls_pem == "".join(both)
    assert "PRIVATE" not in (tmp_path / "farm.secrets.toml").read_text(encoding="utf-8")
    assert found(farm, tmp_path) == []


def test_the_self_signed_one_is_made_once_also_for_an_ipv6_address(tmp_path: Path) -> None:
    farm = load_farm(WITH_IPV6)
    made, again = (load_secrets(farm, tmp_path / "farm.toml").tls_pem for _ in range(2))
    assert made == again


def test_openssl_finds_the_self_signed_certificate_in_order(tmp_path: Path) -> None:
    certificate, _ = split(self_signed(load_farm(EXAMPLE), NOW))
    read = subprocess.run(
        [
            "openssl",
            "x509",
            "-noout",
            "-text",
            "-checkhost",
            "shop.example",
            "-checkip",
            "10.0.0.1",
        ],
        input=certificate,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "does match certificate" in read
    assert "does NOT match" not in read
    for line in ("ASN1 OID: prime256v1", "CA:FALSE", "TLS Web Server Authentication"):
        assert line in read


@pytest.mark.parametrize(
    ("file", "change", "key", "code"),
    [
        ("c.pem", lambda text: "nothing", "certificate", "bad-certificate"),
        ("c.pem", lambda text: text.replace("M", "N"), "certificate", "bad-certificate"),
        ("k.pem", lambda text: "nothing", "key", "bad-key"),
        ("k.pem", lambda text: text[:80], "key", "bad-key"),
    ],
)
def test_a_file_that_holds_something_else_is_told(
    file: str, change: object, key: str, code: str, farm: Farm, tmp_path: Path
) -> None:
    path = tmp_path / file
    assert callable(change)
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    assert found(farm, tmp_path) == [(f"tls.{key}", code, True)]
    with pytest.raises(InputRefused, match=rf"farm\.toml: tls\.{key}: holds no "):
        load_secrets(farm, tmp_path / "farm.toml")


def test_a_key_of_another_certificate_is_told(farm: Farm, tmp_path: Path) -> None:
    (tmp_path / "k.pem").write_text(split(self_signed(farm, NOW))[1], encoding="utf-8")
    assert found(farm, tmp_path) == [("tls.key", "key-of-another", True)]


def test_a_locked_key_is_told(farm: Farm, tmp_path: Path) -> None:
    path = tmp_path / "k.pem"
    key = load_pem_private_key(path.read_bytes(), password=None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    path.write_bytes(locked)
    assert found(farm, tmp_path) == [("tls.key", "locked-key", True)]


def test_a_key_that_everybody_can_open_is_told_and_one_for_a_group_is_not(
    farm: Farm, tmp_path: Path
) -> None:
    (tmp_path / "k.pem").chmod(0o604)
    assert found(farm, tmp_path) == [("tls.key", "key-open-to-others", True)]
    (tmp_path / "k.pem").chmod(0o640)
    assert found(farm, tmp_path) == []


def test_a_certificate_out_of_its_time_is_told_and_one_that_ends_soon_noted(
    farm: Farm, tmp_path: Path
) -> None:
    ends = NOW - timedelta(days=1) + timedelta(days=824)
    assert found(farm, tmp_path, ends - timedelta(days=29)) == [
        ("tls.certificate", "certificate-ends-soon", False)
    ]
    assert found(farm, tmp_path, ends + timedelta(seconds=1)) == [
        ("tls.certificate", "certificate-ended", True)
    ]
    assert found(farm, tmp_path, NOW - timedelta(days=2)) == [
        ("tls.certificate", "certificate-not-yet", True)
    ]


def test_a_certificate_for_other_names_is_told(farm: Farm, tmp_path: Path) -> None:
    other = replace(farm, site=replace(farm.site, hosts=("shop.example", "a.other.example")))
    assert found(other, tmp_path) == [("tls.certificate", "certificate-of-another", True)]


def test_a_wildcard_stands_for_one_label(farm: Farm) -> None:
    pair = Pair("", NOW, frozenset({"*.shop.example", "shop.example"}), frozenset())
    hosts = ["shop.example", "www.shop.example", "a.b.shop.example", "other.example"]
    assert pair.lacks(hosts) == ("a.b.shop.example", "other.example")


def test_the_chain_goes_with_its_certificate(farm: Farm, tmp_path: Path) -> None:
    own = (tmp_path / "c.pem").read_bytes()
    above = split(self_signed(farm, NOW))[0].encode()
    pair = read_pair(own + above, (tmp_path / "k.pem").read_bytes(), NOW)
    assert isinstance(pair, Pair)
    assert len(x509.load_pem_x509_certificates(pair.pem.encode())) == 2
    assert pair.pem.startswith(own.decode())
    swapped = read_pair(above + own, (tmp_path / "k.pem").read_bytes(), NOW)
    assert isinstance(swapped, PairRefused)
    assert swapped.code == "key-of-another"
