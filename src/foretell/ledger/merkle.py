"""The Merkle tree of RFC 6962: one hash for a list, short proofs that an item is in it and that it only grew."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import reduce

HASH_BYTES = 32
#: Set leaves and inner nodes apart, so that no inner node can pass for a leaf (RFC 6962, section 2.1).
_LEAF, _NODE = b"\x00", b"\x01"
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """The hash of one item of the list.

    Source: RFC 6962, section 2.1.

    >>> leaf_hash(b"").hex()[:8]
    '6e340b9c'
    """
    return hashlib.sha256(_LEAF + data).digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + left + right).digest()


def _levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """The tree from its leaves up; a last node without a neighbour moves up as it is."""
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        pairs = len(below) // 2
        above = [_node_hash(below[2 * i], below[2 * i + 1]) for i in range(pairs)]
        levels.append(above + below[2 * pairs :])
    return levels


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """The root of the tree over leaf hashes.

    Source: RFC 6962, section 2.1 (MTH).

    >>> tree_root([]) == EMPTY_ROOT
    True
    >>> tree_root([leaf_hash(b"a")]) == leaf_hash(b"a")
    True
    """
    return _levels(leaves)[-1][0] if leaves else EMPTY_ROOT


def prefix_roots(leaves: Iterable[bytes]) -> list[bytes]:
    """The roots of the first 1, 2, … leaves, in about two hashes a leaf and one for each whole subtree.

    >>> leaves = [leaf_hash(bytes([i])) for i in range(3)]
    >>> prefix_roots(leaves) == [tree_root(leaves[:1]), tree_root(leaves[:2]), tree_root(leaves)]
    True
    """
    roots, peaks = [], list[bytes]()  # the roots of the whole subtrees of sizes 2^k, widest first
    for size, leaf in enumerate(leaves, start=1):
        peaks.append(leaf)
        whole = size
        while whole % 2 == 0:
            right = peaks.pop()
            peaks[-1] = _node_hash(peaks[-1], right)
            whole //= 2
        roots.append(reduce(lambda right, left: _node_hash(left, right), reversed(peaks)))
    return roots


def inclusion_proofs(leaves: Sequence[bytes], indexes: Iterable[int]) -> list[list[bytes]]:
    """Proofs for many leaves of one tree, for the price of hashing it once.

    Raises:
        ValueError: an index is outside the tree.
    """
    levels = _levels(leaves)
    return [_path(levels, index) for index in indexes]


def _path(levels: list[list[bytes]], index: int) -> list[bytes]:
    if not 0 <= index < len(levels[0]):
        raise ValueError(f"no leaf {index} in a tree of {len(levels[0])}")
    proof = []
    for level in levels[:-1]:
        proof += level[index ^ 1 : (index ^ 1) + 1]  # nothing where the node has no neighbour
        index //= 2
    return proof


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The neighbours on the way from a leaf to the root, lowest first.

    Raises:
        ValueError: the index is outside the tree.

    Source: RFC 6962, section 2.1.1 (PATH).

    >>> leaves = [leaf_hash(b"a"), leaf_hash(b"b")]
    >>> inclusion_proof(leaves, 1) == leaves[:1]
    True
    """
    return inclusion_proofs(leaves, [index])[0]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the tree of that size and root has this leaf hash at this index.

    Args:
        leaf: The leaf's hash, which the caller has computed from the item itself.
        index: Counted from 0.
        size: Number of leaves of the tree.
        proof: From `inclusion_proof`.
        root: The tree's root.

    Source: RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size or not _are_hashes(leaf, *proof):
        return False
    node, last, value = index, size - 1, leaf
    for other in proof:
        if last == 0:
            return False
        if node % 2 or node == last:
            value = _node_hash(other, value)
            node, last = _skip_whole(node, last)
        else:
            value = _node_hash(value, other)
        node, last = node // 2, last // 2
    return last == 0 and value == root


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """What shows that the tree over the first old_size leaves is the beginning of this one.

    Raises:
        ValueError: old_size is more than there are leaves, or negative.

    Source: RFC 6962, section 2.1.2 (PROOF).

    >>> consistency_proof([leaf_hash(b"a"), leaf_hash(b"b")], 1) == [leaf_hash(b"b")]
    True
    """
    if not 0 <= old_size <= len(leaves):
        raise ValueError(f"no tree of {old_size} leaves is the beginning of one of {len(leaves)}")
    return _subproof(leaves, old_size, known=True) if old_size else []


def _subproof(leaves: Sequence[bytes], old_size: int, known: bool) -> list[bytes]:
    """Subproof(m, D, b) of RFC 6962; known: the verifier has the root of the first old_size leaves already."""
    if old_size == len(leaves):
        return [] if known else [tree_root(leaves)]
    split = 1 << (len(leaves) - 1).bit_length() - 1  # the largest power of two below the size
    if old_size <= split:
        return [*_subproof(leaves[:split], old_size, known), tree_root(leaves[split:])]
    return [*_subproof(leaves[split:], old_size - split, known=False), tree_root(leaves[:split])]


def verify_consistency(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the tree of size and root begins with all the leaves of the old one, in the old order.

    The empty tree is the beginning of every tree: its proof is empty, and its root is SHA-256 of nothing.

    Source: RFC 9162, section 2.1.4.2.
    """
    if not 0 <= old_size <= size or not _are_hashes(old_root, root, *proof):
        return False
    if old_size == 0 and old_root != EMPTY_ROOT:
        return False
    if old_size in (0, size):
        return not proof and (old_size != size or old_root == root)
    path = [old_root, *proof] if old_size.bit_count() == 1 else list(proof)
    if len(path) < 2:
        return False
    node, last = old_size - 1, size - 1
    while node % 2:
        node, last = node // 2, last // 2
    old = new = path[0]
    for other in path[1:]:
        if last == 0:
            return False
        if node % 2 or node == last:
            old, new = _node_hash(other, old), _node_hash(other, new)
            node, last = _skip_whole(node, last)
        else:
            new = _node_hash(new, other)
        node, last = node // 2, last // 2
    return last == 0 and old == old_root and new == root


def _skip_whole(node: int, last: int) -> tuple[int, int]:
    """Up to where the node has a left neighbour: above it the last node moved up as it was."""
    while node and node % 2 == 0:
        node, last = node // 2, last // 2
    return node, last


def _are_hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_BYTES for value in values)
