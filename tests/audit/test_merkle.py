"""The tree is that of RFC 6962: as published for eight leaves, and as its definition says for any number."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audit import merkle

# The leaves and roots that the certificate-transparency project publishes with its implementation of RFC 6962.
LEAVES = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS = {  # (place, leaves): the proof
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}

some = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=70)


def hashed(leaves: list[bytes]) -> list[bytes]:
    return [sha256(b"\x00" + leaf).digest() for leaf in leaves]


def as_defined(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 2.1, word for word, over leaves that are hashed already."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + as_defined(leaves[:k]) + as_defined(leaves[k:])).digest()


@pytest.mark.parametrize("count", range(9))
def test_the_roots_are_those_that_are_published(count: int) -> None:
    assert merkle.root(hashed(LEAVES[:count])).hex() == ROOTS[count]


@pytest.mark.parametrize(("place", "count"), PATHS)
def test_the_proofs_are_those_that_are_published(place: int, count: int) -> None:
    leaves = hashed(LEAVES[:count])
    proof = merkle.path(leaves, place)
    assert [step.hex() for step in proof] == PATHS[place, count]
    assert merkle.holds(leaves[place], place, count, proof, bytes.fromhex(ROOTS[count]))


@given(some)
def test_the_root_is_the_one_that_the_standard_defines(leaves: list[bytes]) -> None:
    assert merkle.root(leaves) == as_defined(leaves)


@given(some, st.data())
def test_every_leaf_has_a_proof_and_it_proves_nothing_else(leaves: list[bytes], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(leaves) - 1))
    head, proof = merkle.root(leaves), merkle.path(leaves, place)
    assert merkle.holds(leaves[place], place, len(leaves), proof, head)
    assert not merkle.holds(sha256(leaves[place]).digest(), place, len(leaves), proof, head)
    assert not merkle.holds(leaves[place], place, len(leaves), [*proof, head], head)
    assert not merkle.holds(leaves[place], place, len(leaves), proof, sha256(head).digest())
    assert not merkle.holds(leaves[place], len(leaves), len(leaves), proof, head)
    assert not merkle.holds(leaves[place], -1, len(leaves), proof, head)
    if proof:
        assert not merkle.holds(leaves[place], place, len(leaves), proof[:-1], head)
        beside = data.draw(st.integers(0, len(proof) - 1))
        other = [sha256(step).digest() if at == beside else step for at, step in enumerate(proof)]
        assert not merkle.holds(leaves[place], place, len(leaves), other, head)


@given(some, st.data())
def test_a_changed_a_moved_or_a_missing_leaf_changes_the_root(leaves: list[bytes], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(leaves) - 1))
    changed = [*leaves[:place], sha256(leaves[place]).digest(), *leaves[place + 1 :]]
    missing = leaves[:place] + leaves[place + 1 :]
    assert merkle.root(leaves) not in (merkle.root(changed), merkle.root(missing))
    other = data.draw(st.integers(0, len(leaves) - 1))
    moved = list(leaves)
    moved[place], moved[other] = moved[other], moved[place]
    assert (merkle.root(moved) == merkle.root(leaves)) == (leaves[place] == leaves[other])


@pytest.mark.parametrize("place", [-1, 3])
def test_no_proof_is_made_for_a_leaf_that_is_not_there(place: int) -> None:
    with pytest.raises(IndexError, match="among 3"):
        merkle.path(hashed(LEAVES[:3]), place)
