"""Merkle trees: published roots and proofs, and a textbook recursion as the oracle for all sizes up to 70."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.ledger.merkle import (
    EMPTY_ROOT,
    consistency_proof,
    inclusion_proof,
    inclusion_proofs,
    leaf_hash,
    prefix_roots,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

LARGEST = 70
LEAVES = [leaf_hash(b"item %d" % i) for i in range(LARGEST)]
#: The eight items, roots and proofs that certificate-transparency's own tests publish.
ITEMS = [bytes.fromhex(one) for one in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
ITEMS.append(bytes.fromhex("606162636465666768696a6b6c6d6e6f"))
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATH_0_OF_8 = [
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
]
PROOF_6_TO_8 = [
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
]


def split(size: int) -> int:
    """The largest power of two below the size."""
    k = 1
    while 2 * k < size:
        k *= 2
    return k


def slow_root(leaves: list[bytes]) -> bytes:
    """MTH, word for word (RFC 6962, section 2.1), over leaf hashes."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return hashlib.sha256(b"\x01" + slow_root(leaves[:k]) + slow_root(leaves[k:])).digest()


def slow_path(leaves: list[bytes], index: int) -> list[bytes]:
    """PATH, word for word (section 2.1.1)."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return [*slow_path(leaves[:k], index), slow_root(leaves[k:])]
    return [*slow_path(leaves[k:], index - k), slow_root(leaves[:k])]


def slow_subproof(leaves: list[bytes], old: int, known: bool) -> list[bytes]:
    """SUBPROOF, word for word (section 2.1.2)."""
    if old == len(leaves):
        return [] if known else [slow_root(leaves)]
    k = split(len(leaves))
    if old <= k:
        return [*slow_subproof(leaves[:k], old, known), slow_root(leaves[k:])]
    return [*slow_subproof(leaves[k:], old - k, False), slow_root(leaves[:k])]


def test_published_roots_and_proofs() -> None:
    leaves = [leaf_hash(item) for item in ITEMS]
    assert [tree_root(leaves[:size]).hex() for size in range(1, 9)] == ROOTS
    assert [root.hex() for root in prefix_roots(leaves)] == ROOTS
    assert [node.hex() for node in inclusion_proof(leaves, 0)] == PATH_0_OF_8
    assert [node.hex() for node in consistency_proof(leaves, 6)] == PROOF_6_TO_8
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_leaves_cannot_pass_for_nodes() -> None:
    pair = b"".join(LEAVES[:2])
    assert leaf_hash(pair) != tree_root(LEAVES[:2])
    assert leaf_hash(b"\x01" + pair) != tree_root(LEAVES[:2])


@pytest.mark.parametrize("size", range(1, LARGEST + 1))
def test_every_inclusion_proof_of_every_size(size: int) -> None:
    leaves, root = LEAVES[:size], slow_root(LEAVES[:size])
    assert tree_root(leaves) == root
    assert prefix_roots(leaves)[-1] == root
    proofs = inclusion_proofs(leaves, range(size))
    assert proofs == [slow_path(leaves, index) for index in range(size)]
    for index, proof in enumerate(proofs):
        assert verify_inclusion(leaves[index], index, size, proof, root)
        assert inclusion_proof(leaves, index) == proof
        taken = [other for other in range(size + 2) if verify_inclusion(leaves[index], other, size, proof, root)]
        assert taken == [index]
        assert not verify_inclusion(leaf_hash(b"another"), index, size, proof, root)
        assert not verify_inclusion(leaves[index], index, size, proof, leaf_hash(b"another"))
        assert not verify_inclusion(leaves[index], index, size, [*proof, root], root)
        assert not verify_inclusion(leaves[index], index, size, [*proof[:-1], leaf_hash(b"another")], root)
        if proof:
            assert not verify_inclusion(leaves[index], index, size, proof[:-1], root)
            assert not verify_inclusion(leaves[index], index, size, proof[1:], root)


@pytest.mark.parametrize("size", range(LARGEST + 1))
def test_every_consistency_proof_of_every_size(size: int) -> None:
    leaves, root = LEAVES[:size], slow_root(LEAVES[:size])
    for old in range(size + 1):
        old_root, proof = slow_root(LEAVES[:old]), consistency_proof(leaves, old)
        if old:
            assert proof == slow_subproof(leaves, old, True)
        assert verify_consistency(old, old_root, size, root, proof)
        assert not verify_consistency(old, leaf_hash(b"another"), size, root, proof)
        assert not verify_consistency(old, old_root, size, root, [*proof, root])
        if old:  # an empty log is the beginning of every other
            assert not verify_consistency(old, old_root, size, leaf_hash(b"another"), proof)
        for place in range(len(proof)):
            assert not verify_consistency(old, old_root, size, root, proof[:place] + proof[place + 1 :])
            changed = [*proof[:place], leaf_hash(b"another"), *proof[place + 1 :]]
            assert not verify_consistency(old, old_root, size, root, changed)


@given(st.data(), st.integers(2, LARGEST))
def test_a_forked_log_is_not_consistent(data: st.DataObject, size: int) -> None:
    old = data.draw(st.integers(1, size - 1))
    place = data.draw(st.integers(0, old - 1))
    fork = [*LEAVES[:place], leaf_hash(b"forked"), *LEAVES[place + 1 : size]]
    old_root = tree_root(LEAVES[:old])
    for leaves in (fork, LEAVES[:size]):
        fits = verify_consistency(old, old_root, size, tree_root(leaves), consistency_proof(leaves, old))
        assert fits == (leaves is not fork)


@given(st.data(), st.integers(1, LARGEST), st.integers(1, LARGEST))
def test_a_proof_for_another_size_does_not_do(data: st.DataObject, size: int, other: int) -> None:
    """Sizes of equal shape along the path may share it, but the root decides."""
    index = data.draw(st.integers(0, min(size, other) - 1))
    proof = inclusion_proof(LEAVES[:size], index)
    fits = verify_inclusion(LEAVES[index], index, other, proof, tree_root(LEAVES[:other]))
    assert fits == (size == other)


@given(st.data(), st.integers(2, LARGEST), st.integers(2, LARGEST))
def test_a_consistency_proof_between_other_sizes_does_not_do(data: st.DataObject, size: int, stated: int) -> None:
    old = data.draw(st.integers(1, min(size, stated) - 1))
    proof = consistency_proof(LEAVES[:size], old)
    assert verify_consistency(old, tree_root(LEAVES[:old]), stated, tree_root(LEAVES[:stated]), proof) == (
        size == stated
    )


def test_a_proof_that_stops_below_the_root_does_not_do() -> None:
    """The same root for a larger size: only the missing rest of the proof gives it away."""
    root = tree_root(LEAVES[:2])
    assert verify_consistency(1, LEAVES[0], 2, root, [LEAVES[1]])
    assert not verify_consistency(1, LEAVES[0], 3, root, [LEAVES[1]])
    assert verify_inclusion(LEAVES[0], 0, 2, [LEAVES[1]], root)
    assert not verify_inclusion(LEAVES[0], 0, 3, [LEAVES[1]], root)


@given(st.data(), st.integers(1, LARGEST))
def test_every_flipped_bit_is_seen(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    parts = [LEAVES[index], tree_root(LEAVES[:size]), *inclusion_proof(LEAVES[:size], index)]
    place, bit = data.draw(st.integers(0, len(parts) - 1)), data.draw(st.integers(0, 255))
    flipped = bytearray(parts[place])
    flipped[bit // 8] ^= 1 << bit % 8
    parts[place] = bytes(flipped)
    assert not verify_inclusion(parts[0], index, size, parts[2:], parts[1])


@pytest.mark.parametrize("wrong", [b"", b"short", bytes(33)])
def test_what_is_no_hash_is_refused(wrong: bytes) -> None:
    root, proof = tree_root(LEAVES[:2]), inclusion_proof(LEAVES[:2], 0)
    assert verify_inclusion(LEAVES[0], 0, 2, proof, root)
    assert not verify_inclusion(wrong, 0, 1, [], wrong)
    assert not verify_inclusion(LEAVES[0], 0, 2, [wrong], root)
    assert not verify_consistency(1, wrong, 1, wrong, [])
    assert not verify_consistency(1, LEAVES[0], 2, root, [wrong])


def test_sizes_that_make_no_sense_do_not_verify() -> None:
    root = tree_root(LEAVES[:2])
    assert not verify_inclusion(LEAVES[0], -1, 2, [LEAVES[1]], root)
    assert not verify_inclusion(LEAVES[0], 0, 0, [], LEAVES[0])
    assert not verify_consistency(2, root, 1, LEAVES[0], [])
    assert not verify_consistency(-1, root, 1, LEAVES[0], [])
    assert not verify_consistency(0, root, 0, root, [])
    assert not verify_consistency(2, root, 2, LEAVES[0], [])


def test_what_is_outside_the_tree_has_no_proof() -> None:
    with pytest.raises(ValueError, match="no leaf 2 in a tree of 2"):
        inclusion_proof(LEAVES[:2], 2)
    with pytest.raises(ValueError, match="no leaf -1 in a tree of 2"):
        inclusion_proof(LEAVES[:2], -1)
    with pytest.raises(ValueError, match="no leaf 0 in a tree of 0"):
        inclusion_proof([], 0)
    with pytest.raises(ValueError, match="no tree of 3 leaves is the beginning of one of 2"):
        consistency_proof(LEAVES[:2], 3)
