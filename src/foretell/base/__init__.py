"""Words that everybody shares: errors, intervals, canonical JSON, digests. Imports nothing of ours."""
