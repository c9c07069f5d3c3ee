"""Certificates for stand-ins that speak HTTPS: right for 127.0.0.1, out of date, and of another host.

Key and certificates are public, made for this file, and trusted by nobody who does not name them.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

Certificate = Literal["self_signed", "expired", "other_host"]

_KEY: Final = """-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgwqhfKfYuu89lpZ29
Q8aEDbC8/kkxSs8vhn2U2HuRDTShRANCAARSaCy0BXd7Z556IS3XXwmpCsNvcm7a
GldRmksru6n2CmRZEPysX3l1ehnmYJ4xzp6/KXw1s7egNfhuKcJfe57K
-----END PRIVATE KEY-----
"""
_CERTIFICATES: Final[dict[Certificate, str]] = {
    "self_signed": """-----BEGIN CERTIFICATE-----
MIIBazCCARKgAwIBAgIJAKv48hJJVjgjMAoGCCqGSM49BAMCMBQxEjAQBgNVBAMM
CTEyNy4wLjAuMTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowFDES
MBAGA1UEAwwJMTI3LjAuMC4xMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEUmgs
tAV3e2eeeiEt118JqQrDb3Ju2hpXUZpLK7up9gpkWRD8rF95dXoZ5mCeMc6evyl8
NbO3oDX4binCX3ueyqNLMEkwGgYDVR0RBBMwEYcEfwAAAYIJbG9jYWxob3N0MAwG
A1UdEwQFMAMBAf8wHQYDVR0OBBYEFJUOrUdJm+k4FtYwylUpnovdU2xFMAoGCCqG
SM49BAMCA0cAMEQCIFGqYAGiLaIkr9g6Ab+FDbp9K36L+5QvKvEcj4OCj6nFAiB0
s3Z/uX7IVgjNjLVxKO9XHvQhtphyogQPNeU3KV8iLA==
-----END CERTIFICATE-----
""",
    "expired": """-----BEGIN CERTIFICATE-----
MIIBajCCARCgAwIBAgIJAJCTt8zr//t4MAoGCCqGSM49BAMCMBQxEjAQBgNVBAMM
CTEyNy4wLjAuMTAeFw0yMDAxMDEwMDAwMDBaFw0yMTAxMDEwMDAwMDBaMBQxEjAQ
BgNVBAMMCTEyNy4wLjAuMTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABFJoLLQF
d3tnnnohLddfCakKw29ybtoaV1GaSyu7qfYKZFkQ/KxfeXV6GeZgnjHOnr8pfDWz
t6A1+G4pwl97nsqjSzBJMBoGA1UdEQQTMBGHBH8AAAGCCWxvY2FsaG9zdDAMBgNV
HRMEBTADAQH/MB0GA1UdDgQWBBSVDq1HSZvpOBbWMMpVKZ6L3VNsRTAKBggqhkjO
PQQDAgNIADBFAiEAj4UwHtS+XNPKqAHDo6qsv4MlvHArlZ7dwA6b4UZFKeMCIHce
mybqj4or35qdSw/tkruTO3JJ4RlC5OArRPQll+rU
-----END CERTIFICATE-----
""",
    "other_host": """-----BEGIN CERTIFICATE-----
MIIBdDCCARugAwIBAgIJALqvIKdjpXxTMAoGCCqGSM49BAMCMBkxFzAVBgNVBAMM
DnZlbmRvci5leGFtcGxlMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAw
WjAZMRcwFQYDVQQDDA52ZW5kb3IuZXhhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49
AwEHA0IABFJoLLQFd3tnnnohLddfCakKw29ybtoaV1GaSyu7qfYKZFkQ/KxfeXV6
GeZgnjHOnr8pfDWzt6A1+G4pwl97nsqjSjBIMBkGA1UdEQQSMBCCDnZlbmRvci5l
eGFtcGxlMAwGA1UdEwQFMAMBAf8wHQYDVR0OBBYEFJUOrUdJm+k4FtYwylUpnovd
U2xFMAoGCCqGSM49BAMCA0cAMEQCIGiqYD8rXlXQg8yohSSE70K6xJ/nT2jdBNGL
EorPbmgqAiBVkmAR7VWbAqdLbTz6fqLlMMbHZ3fvaLTwjFQEe+EpSA==
-----END CERTIFICATE-----
""",
}
"""`self_signed`: for 127.0.0.1 and localhost, until 2120. `expired`: the same, until 2021. `other_host`: for
vendor.example."""


def server_context(certificate: Certificate) -> ssl.SSLContext:
    """Return what a server speaks HTTPS with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "both.pem"
        path.write_text(_KEY + _CERTIFICATES[certificate])
        context.load_cert_chain(path)
    return context


@contextmanager
def authority(certificate: Certificate) -> Iterator[str]:
    """Yield the path of a PEM file that makes a client trust the certificate: a target's `ca_file`."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "authority.pem"
        path.write_text(_CERTIFICATES[certificate])
        yield str(path)
