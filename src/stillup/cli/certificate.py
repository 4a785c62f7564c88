"""The certificate the balancers show: signed by the farm itself, or the user's own files.

A self-signed certificate lasts 824 days, as Apple's systems accept at most 825 even of one that
a person has trusted by hand (support.apple.com/103769), and both its ends count. It is made anew
by the first command within its last 90 days, or when it lacks a host name of the site or the
virtual IP.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from stillup.model.farm import Farm

if TYPE_CHECKING:
    from cryptography import x509

LASTS = timedelta(days=824)
REMADE_WITHIN = timedelta(days=90)
_CLOCKS_DIFFER_BY = timedelta(days=1)
_COMMON_NAME_CHARACTERS = 64


def self_signed(farm: Farm, now: datetime) -> str:
    """Return a new certificate for the farm's hosts and virtual IP, and its key, in PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    common = farm.site.hosts[0] if len(farm.site.hosts[0]) <= _COMMON_NAME_CHARACTERS else farm.name
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - _CLOCKS_DIFFER_BY,
        not_valid_after=now - _CLOCKS_DIFFER_BY + LASTS,
    )
    names = [
        *(x509.DNSName(host) for host in farm.site.hosts),
        *(x509.IPAddress(address) for address in farm.vip.addresses),
    ]
    for extension, critical in (
        (x509.SubjectAlternativeName(names), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
    ):
        builder = builder.add_extension(extension, critical=critical)
    certificate = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM).decode() + private.decode()


def still_good(pem: str, farm: Farm, now: datetime) -> bool:
    """Tell whether a self-signed certificate covers the farm and will for some time."""
    read = read_pair(pem.encode(), pem.encode(), now)
    if isinstance(read, PairRefused):
        return False
    lasts = read.ends - now > REMADE_WITHIN
    return lasts and not read.lacks(farm.site.hosts) and set(farm.vip.addresses) <= read.addresses


@dataclass(frozen=True, slots=True)
class PairRefused:
    """Why a certificate and key cannot stand; ``key`` is ``certificate`` or ``key``."""

    key: str
    text: str
    code: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate whose key fits; ``pem`` is chain and key as HAProxy reads them."""

    pem: str
    ends: datetime
    names: frozenset[str]
    addresses: frozenset[IPv4Address | IPv6Address]

    def lacks(self, hosts: Sequence[str]) -> tuple[str, ...]:
        """Return the hosts that the certificate is not for."""
        return tuple(
            host
            for host in hosts
            if host not in self.names and f"*.{host.partition('.')[2]}" not in self.names
        )


def read_pair(certificate: bytes, key: bytes, now: datetime) -> Pair | PairRefused:
    """Return a certificate with its chain and its key, checked against each other and the time.

    Nothing of the key is in what is returned when it is refused.
    """
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        chain = x509.load_pem_x509_certificates(certificate)
    except ValueError:
        return PairRefused("certificate", "holds no certificate in PEM", "bad-certificate")
    try:
        private = serialization.load_pem_private_key(key, password=None)
    except TypeError:
        told = "is locked with a passphrase, which nobody can type when a server starts"
        return PairRefused("key", f"{told}; store it without one", "locked-key")
    except (ValueError, UnsupportedAlgorithm):
        return PairRefused("key", "holds no private key in PEM", "bad-key")
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != chain[0].public_key().public_bytes(*form):
        told = "is not the key of the first certificate in tls.certificate"
        return PairRefused("key", told, "key-of-another")
    if problem := _out_of_date(chain[0], now):
        return problem
    pem = "".join(one.public_bytes(serialization.Encoding.PEM).decode() for one in chain)
    pem += private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    names, addresses = _subject_names(chain[0])
    return Pair(pem, chain[0].not_valid_after_utc, names, addresses)


def _out_of_date(certificate: "x509.Certificate", now: datetime) -> PairRefused | None:
    """Find the certificate itself out of date; of its chain, clients choose what they trust."""
    if certificate.not_valid_after_utc <= now:
        told = f"ended on {certificate.not_valid_after_utc:%Y-%m-%d}; get a new certificate"
        return PairRefused("certificate", told, "certificate-ended")
    if certificate.not_valid_before_utc > now:
        told = f"begins only on {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        return PairRefused("certificate", told, "certificate-not-yet")
    return None


def _subject_names(
    certificate: "x509.Certificate",
) -> tuple[frozenset[str], frozenset[IPv4Address | IPv6Address]]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return frozenset(), frozenset()
    addresses = found.get_values_for_type(x509.IPAddress)
    return (
        frozenset(name.lower() for name in found.get_values_for_type(x509.DNSName)),
        # The others are networks.
        frozenset(each for each in addresses if isinstance(each, IPv4Address | IPv6Address)),
    )
