"""The authority and certificate by which servers that keep each other's data know each other."""

import ssl
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from stillup.cli.cluster_certificate import LASTS, authority_and_certificate
from stillup.cli.context import kept_secrets, load_farm_text, load_secrets
from stillup.cli.render import PLACEHOLDERS
from stillup.model.cluster import cluster_tls
from stillup.model.farm import Farm, Role, Server
from stillup.model.read import FarmText

EXAMPLE = Path(__file__).resolve().parents[3] / "tests/farms/six.toml"
NOW = datetime.now(UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "farm.toml"
    made.write_bytes(EXAMPLE.read_bytes())
    return made


@pytest.fixture
def farm(path: Path) -> Farm:
    read = load_farm_text(path)
    assert isinstance(read, FarmText)
    return read.farm


def with_another(farm: Farm, role: Role) -> Farm:
    more = (
        Server("more1", IPv4Address("10.0.0.31"), frozenset({role})),
        Server("more2", IPv4Address("10.0.0.32"), frozenset({role})),
    )
    return replace(farm, servers=(*farm.servers, *more))


def test_openssl_takes_the_certificate_for_both_ends_and_the_key_for_its(
    farm: Farm, tmp_path: Path
) -> None:
    tls = cluster_tls(authority_and_certificate(farm, NOW))
    authority, both = tmp_path / "authority.pem", tmp_path / "both.pem"
    authority.write_text(tls.authority)
    both.write_text(tls.certificate + tls.key)
    for purpose in ("sslserver", "sslclient"):
        words = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile"]
        said = subprocess.run(
            [*words, str(authority), str(both)], capture_output=True, text=True, check=False
        )
        assert said.stdout == f"{both}: OK\n", said.stderr
    ssl.create_default_context().load_cert_chain(both)  # refuses a key of another certificate
    other = cluster_tls(authority_and_certificate(farm, NOW))
    authority.write_text(other.authority)
    said = subprocess.run(
        ["openssl", "verify", "-CAfile", str(authority), str(both)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode != 0


def test_it_outlasts_the_farm(farm: Farm) -> None:
    from cryptography import x509

    tls = cluster_tls(authority_and_certificate(farm, NOW))
    for pem in (tls.authority, tls.certificate):
        ends = x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc
        assert NOW + LASTS - timedelta(days=2) < ends


@pytest.mark.parametrize(
    "pem", ["", "nothing of the kind", authority_and_certificate.__doc__ or ""]
)
def test_what_is_no_cluster_pem_is_refused_without_being_shown(pem: str) -> None:
    with pytest.raises(ValueError, match=r"^not an authority, a certificate and a key in PEM$"):
        cluster_tls(pem)


def test_the_placeholders_have_the_form_of_the_secrets() -> None:
    assert "its private key" in cluster_tls(PLACEHOLDERS.cluster_pem).key


def test_a_farm_that_keeps_nothing_twice_has_no_cluster_secrets(farm: Farm, path: Path) -> None:
    made = load_secrets(farm, path)
    assert (made.cluster_key, made.cluster_pem) == ("", "")
    assert "cluster" not in path.with_name("farm.secrets.toml").read_text()


@pytest.mark.parametrize("role", [Role.DATABASE, Role.STORAGE])
def test_they_are_made_when_the_farm_grows_and_the_other_secrets_stay(
    farm: Farm, path: Path, role: Role
) -> None:
    before = load_secrets(farm, path)
    grown = with_another(farm, role)
    assert kept_secrets(grown, path) is None
    after = load_secrets(grown, path)
    assert len(bytes.fromhex(after.cluster_key)) == 32
    assert "BEGIN" in cluster_tls(after.cluster_pem).key
    assert replace(after, cluster_key="", cluster_pem="") == before
    assert kept_secrets(grown, path) == after
    assert load_secrets(farm, path) == before
    assert load_secrets(grown, path) == after
