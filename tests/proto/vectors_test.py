"""The vectors are what FORMAT.md says: the C++ tests check the same files."""

import json
import pathlib

import make_vectors
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

VECTORS = pathlib.Path(__file__).parent.parent / "data" / "vectors"


def load(name: str):
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", make_vectors.FILES)
def test_vectors_are_what_the_python_implementation_makes(name):
    text = (VECTORS / f"{name}.json").read_text(encoding="utf-8")
    assert text == make_vectors.render(name)


def test_accepted_token_is_signed_under_the_published_key():
    vectors = load("tokens")
    key = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(vectors["public_key"]))
    token = bytes.fromhex(vectors["accepted"]["token"])
    key.verify(token[64:], b"cairn.v1.token" + token[:64])


def test_namespaces_that_differ_have_different_ids():
    accepted = load("namespaces")["accepted"]
    by_form = {entry["canonical"]: entry["id"] for entry in accepted}
    assert len(set(by_form.values())) == len(by_form)
    # A size of 0 means 1: the only two that share a form.
    assert len(by_form) == len(accepted) - 1
