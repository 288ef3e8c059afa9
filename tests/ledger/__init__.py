"""Tests of the ledger; a package, so that they can share the authority on loopback."""
