"""Tests of the report page, on run folders that are made here."""
