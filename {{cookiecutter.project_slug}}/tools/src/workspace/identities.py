"""What mTLS between sidecars needs: an authority, and for each part of Dapr a token of who it is.

Dapr's sentry signs a certificate for whoever shows the token of that identity. Without tokens a
sentry outside of Kubernetes would sign any name for anybody who reaches it.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import OctKey

#: As daprd and its control plane name them, unless a flag says otherwise.
CONTROL_PLANE = ("dapr-placement", "dapr-scheduler")
_CONTROL_PLANE_DOMAIN, _WORKLOAD_DOMAIN, _NAMESPACE = "localhost", "public", "default"
#: Sentry renews the certificates of sidecars each day, under this authority.
_AUTHORITY_DAYS = 3650


def make(folder: Path, app_ids: Iterable[str]) -> dict[str, str]:
    """The content of each file, by name. What has been made already is kept."""
    authority = ("trust-anchors", "issuer-certificate", "issuer-key")
    files = {name: folder / name for name in (*authority, "identity-keys")}
    if not all(files[name].exists() for name in authority):
        made = _authority()
    else:
        made = {name: files[name].read_text() for name in authority}
    keys = files["identity-keys"]
    made["identity-keys"] = keys.read_text() if keys.exists() else _keys()
    key = OctKey.import_key(json.loads(made["identity-keys"])["keys"][0])
    names = {name: _WORKLOAD_DOMAIN for name in app_ids}
    names |= dict.fromkeys(CONTROL_PLANE, _CONTROL_PLANE_DOMAIN)
    identities = {f"identity-{name}": _token(key, name, domain) for name, domain in names.items()}
    return made | identities


def _authority() -> dict[str, str]:
    """A root, whose key is forgotten, and what sentry signs with."""
    root_key, issuer_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _certificate("root", root_key, "root", root_key)
    issuer = _certificate("issuer", issuer_key, "root", root_key)
    private = issuer_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {
        "trust-anchors": _pem(root),
        "issuer-certificate": _pem(issuer),
        "issuer-key": private.decode(),
    }


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, signer: str, signing: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    began = datetime.now(UTC) - timedelta(hours=1)
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, signer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(began + timedelta(days=_AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(authority, critical=False)
        .sign(signing, hashes.SHA256())
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _keys() -> str:
    """A JWKS with one symmetric key: who checks tokens could make them, and only sentry does."""
    key = OctKey.generate_key(256, {"alg": "HS256", "kid": "workspace"})
    return json.dumps({"keys": [key.as_dict(private=True)]})


def _token(key: OctKey, name: str, domain: str) -> str:
    """A JWT for sentry: whoever shows it is of that name."""
    sentry = f"spiffe://{_CONTROL_PLANE_DOMAIN}/ns/{_NAMESPACE}/dapr-sentry"
    claims = {"aud": sentry, "sub": f"spiffe://{domain}/ns/{_NAMESPACE}/{name}"}
    return jwt.encode({"alg": "HS256", "kid": key.kid, "typ": "JWT"}, claims, key)
