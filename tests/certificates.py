"""Certificates for tests, made on the spot by openssl and named as cert-manager names them."""

import subprocess
from pathlib import Path


def openssl_req(folder: Path, words: str) -> None:
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 "
    subprocess.run((command + words).split(), cwd=folder, check=True, capture_output=True)


def make_certificates(folder: Path, *names: str) -> None:
    """ca.crt, tls.crt, tls.key: for servers and clients of names as "IP:127.0.0.1", "DNS:node"."""
    openssl_req(folder, "-subj /CN=authority -keyout ca.key -out ca.crt")
    openssl_req(
        folder,
        "-subj /CN=test -CA ca.crt -CAkey ca.key -keyout tls.key -out tls.crt"
        " -addext basicConstraints=critical,CA:FALSE"
        f" -addext subjectAltName={','.join(names)}",
    )
