"""A policy to begin with, in which every field is explained."""

from __future__ import annotations

import json

_TEXT = """\
# Which verdicts and which results of other evaluations have to be there, and in which combination.
# Change it as you like, then: foretell policy check {name} --ledger ledger/
schema = "foretell.policy/1"
title = {title}

# After this time nothing follows from the policy. Leave it out for no end.
# expires = 2030-01-31T12:00:00Z

# Anybody may have charters in a ledger. The verdicts that count are those of whoever signs the decision, and of the
# evaluators whose signing keys stand here.
# evaluators = ["institute+01234567+AAAA"]                       # the first line of institute.pub

# How the parts combine: all, any, or at_least = k with `of`; in place of a name there may be another rule. Every part
# has to be used. A part is met, not met, or missing; what is missing is never taken for a yes or a no.
rule = {{ all = ["forecast", {{ at_least = 1, of = ["exam", "sums"] }}] }}

[[parts]]
name = "forecast"
# A pass in the ledger that stands: not revoked, not expired, and so is all help that it rests on.
kind = "verdict"
# The digest of the target's weights, or its name in the verdict.
target = {target}
# What the pass has to show at least; the three together, or none of them. Of another metric, what it implies counts.
metric = "kl_nats"
tolerance = 0.5
cap = 7.6246
# level = 0.95                   # confidence; this by default
# floor = 1e-6                   # of the forecast; this by default
# slices = ["code"]              # kinds of prompts that it has to cover
# slice_tolerances = {{ code = 0.4 }}
# track = "blind"                # then a pass on the open track does not count
# Every kind of part may have dates; evidence of another date, or of none, does not count then.
# not_before = 2026-01-01T00:00:00Z
# not_after = 2026-12-31T00:00:00Z

[[parts]]
name = "exam"
# A figure in the results_*.json of lm-eval. Files lie below the folder of this file.
kind = "lm-eval"
file = "results/lm_eval.json"
task = "arc_easy"
metric = "acc,none"
# at_least, at_most, or both; or equals.
at_least = 0.3
# model = "tiny"                 # as the file names it; another model's run does not count then
# partial = true                 # a run on a part of the samples counts too

[[parts]]
name = "sums"
# A figure in a log of Inspect, .eval or .json.
kind = "inspect"
file = "results/sums.eval"
task = "sums"
scorer = "match"
metric = "accuracy"
at_least = 0.5

# A value in any JSON, at a JSON pointer (RFC 6901); `date` is where its date stands.
# [[parts]]
# name = "red team"
# kind = "json"
# file = "results/red_team.json"
# pointer = "/summary/worst/rate"
# date = "/finished"
# at_most = 0.01

# A value in a statement that somebody signed (DSSE, in-toto), such as an entry of another ledger.
# [[parts]]
# name = "audit"
# kind = "statement"
# file = "results/audit.json"
# type = "foretell:judge/1"
# signer = {{ key = "auditor+01234567+AAAA…", recipient = "age1…" }}     # foretell keys show auditor.pub
# pointer = "/decision"
# date = "/time"
# equals = "pass"
"""


def policy_toml(title: str, target: str, name: str = "policy.toml") -> str:
    """The text.

    Args:
        name: of the file, for the line that says how to go on.

    >>> policy_toml("Before the next run", "tiny").splitlines()[3]
    'title = "Before the next run"'
    """
    return _TEXT.format(title=json.dumps(title, ensure_ascii=False), target=json.dumps(target), name=name)
