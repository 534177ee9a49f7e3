"""The Merkle tree over hashes of leaves: its root, and the proof that one leaf is in it.  Pure.

Leaves come in as hashes, SHA-256(0x00 || data), and a node is SHA-256(0x01 || left || right), so that no node passes for a
leaf.  A tree of n leaves splits at the largest power of two below n.  Standards: RFC 6962 2.1; RFC 9162 2.1.3.
"""

from collections.abc import Sequence
from hashlib import sha256

NODE = b"\x01"


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the 32 bytes of the tree's head over leaf hashes in their order; of no leaves, the hash of nothing."""
    level = leaves
    while len(level) > 1:
        level = _above(level)
    return level[0] if level else sha256().digest()


def path(leaves: Sequence[bytes], place: int) -> list[bytes]:
    """Return the proof for the leaf at `place` (from 0): the hashes beside its way up, from below (RFC 6962 2.1.1)."""
    if not 0 <= place < len(leaves):
        raise IndexError(f"no leaf {place} among {len(leaves)}")
    found, level = [], leaves
    while len(level) > 1:
        beside = place ^ 1
        if beside < len(level):
            found.append(level[beside])
        level, place = _above(level), place >> 1
    return found


def holds(leaf: bytes, place: int, count: int, proof: Sequence[bytes], head: bytes) -> bool:
    """Does the proof lead from this leaf hash at `place` of `count` to that root?  (RFC 9162 2.1.3.2)"""
    if not 0 <= place < count:
        return False
    rest, last, above = list(proof)[::-1], count - 1, leaf
    while last:
        if place & 1 or place < last:
            if not rest:
                return False
            beside = rest.pop()
            above = _node(beside, above) if place & 1 else _node(above, beside)
        place, last = place >> 1, last >> 1
    return not rest and above == head


def _above(level: Sequence[bytes]) -> list[bytes]:
    """Return the level above: nodes over pairs from the left; a last one without a partner goes up as it is.

    That gives the tree of the RFC, which splits at a power of two: each pair lies within one side of every split.
    """
    nodes = [_node(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
    return nodes + list(level[len(level) & ~1 :])


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(NODE + left + right).digest()
