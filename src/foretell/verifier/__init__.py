"""Whether an attempt is what it says: everything checked again from bytes, by code that writes nothing."""

from foretell.verifier.verify import Check, Outside, verify

__all__ = ["Check", "Outside", "verify"]
