"""The certificate by which the servers that keep each other's data know each other.

An authority of the farm's own signs one certificate for all of them, and its key is thrown
away, so nothing can ever be signed by it again. Both last 30 years: nobody outside the farm sees
them, and a cluster whose certificate ends at night would be a failure that we made.
"""

from datetime import datetime, timedelta

from stillup.model.farm import Farm

LASTS = timedelta(days=30 * 365)
_CLOCKS_DIFFER_BY = timedelta(days=1)
_NOT_FOR = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
"""What an authority's key is for is told of each use, and it is for signing certificates."""


def authority_and_certificate(farm: Farm, now: datetime) -> str:
    """Return a new authority, a certificate signed by it and that one's key, in PEM.

    ``stillup.model.cluster`` takes it apart. The certificate names the farm, not its servers,
    so that one more server needs no other; it is for both ends of a connection.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def begun(name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder(
            issuer_name=authority_name,
            subject_name=name,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - _CLOCKS_DIFFER_BY,
            not_valid_after=now - _CLOCKS_DIFFER_BY + LASTS,
        )
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        return builder.add_extension(identifier, critical=False)

    authority_key = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{farm.name} authority")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{farm.name} database")])
    # No path below it: what it signed can sign nothing.
    is_authority = x509.BasicConstraints(ca=True, path_length=0)
    signs = x509.KeyUsage(
        key_cert_sign=True,
        **dict.fromkeys(_NOT_FOR, False),
    )
    authority = (
        begun(authority_name, authority_key)
        .add_extension(is_authority, critical=True)
        .add_extension(signs, critical=True)
    )
    both_ends = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        begun(name, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(both_ends), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    signed = [one.sign(authority_key, hashes.SHA256()) for one in (authority, certificate)]
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in signed) + private.decode()
