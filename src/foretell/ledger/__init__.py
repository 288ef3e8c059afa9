"""Proof that it was said first: keys, signed statements, and a log that only grows. Sees bytes only."""

from foretell.ledger._folder import CHECKPOINTS, ENTRIES
from foretell.ledger.commitments import commitment, salt_of
from foretell.ledger.envelope import Statement, open_statement, read_unverified, sign_statement
from foretell.ledger.keys import PublicKey, SecretKey, encrypt
from foretell.ledger.log import Ledger, origin_of
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
from foretell.ledger.note import Checkpoint, open_checkpoint, open_note, sign_checkpoint, sign_note
from foretell.ledger.timestamps import check_timestamp, request_timestamp

__all__ = [
    "CHECKPOINTS",
    "EMPTY_ROOT",
    "ENTRIES",
    "Checkpoint",
    "Ledger",
    "PublicKey",
    "SecretKey",
    "Statement",
    "check_timestamp",
    "commitment",
    "consistency_proof",
    "encrypt",
    "inclusion_proof",
    "inclusion_proofs",
    "leaf_hash",
    "open_checkpoint",
    "open_note",
    "open_statement",
    "origin_of",
    "prefix_roots",
    "read_unverified",
    "request_timestamp",
    "salt_of",
    "sign_checkpoint",
    "sign_note",
    "sign_statement",
    "tree_root",
    "verify_consistency",
    "verify_inclusion",
]
