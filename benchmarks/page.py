"""The page and the plot of a run: docs/benchmarks.md and docs/benchmarks.svg."""

from __future__ import annotations

from pathlib import Path

from benchmarks import machine
from benchmarks.plot import plot_svg
from benchmarks.record import Findings, Peak, Record, Work

_MIB = 2**20
_PAGE, _PLOT = "benchmarks.md", "benchmarks.svg"

_HOW = """\
Variants of one work took turns in one process (A B C, A B C, …), {rounds} rounds after one that did not count, each
after a pause of 0.05 s, so that whatever else the machine did fell on all of them. Times are wall-clock seconds:
median, least and largest over the rounds. `times foretell` is the median over foretell's; the range beside it is the
least and the largest of that ratio within one round. *Peers* do the work in another way; *limits* do less than the
work, and bound what could be gained. Memory is the peak resident size of a fresh process (`VmHWM`), which counts the
interpreter, the libraries, and the pages of files that it maps; each was run once.
"""

_NOT_SAID = """\
- One machine, shared with other work while this ran: the load above says how busy it was. On more cores, another
  processor or faster memory the ratios differ; run `make bench` there.
- The peers of `score` compute less (KL alone, no floor, no other metric), and torch's default way makes three arrays of
  the full size, most of whose cost is fresh memory from the operating system. In small pieces it does better; that row
  is there for that reason.
- The log-probabilities of `score` are made up (normal logits). Where distributions are more peaked the time is the
  same, since no branch depends on the numbers but the search for the largest.
- `collect` measures, once a truth, its noise floor and (factored) its output layer, on 8 prompts; that weighs on small
  suites and not on large ones. What an endpoint or a GPU target would give is not measured.
- Hidden states of `memory` are noise at the width and vocabulary of SmolLM2; prompts have 100 positions. A prompt with
  thousands of scored positions needs more, since a prompt is handled whole in some places.
- Nothing here says that a number is good enough. No benchmark is asserted.
"""


def write(findings: Findings, out: Path, *, command: str, rounds: int, loads: tuple[str, str]) -> None:
    """Write page and plot into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    (out / _PLOT).write_text(plot_svg(findings), encoding="utf-8")
    parts = [
        "# Benchmarks",
        f"What one run of `{command}` measured. `make bench` writes this page again.",
        f"![Times of peers and limits beside foretell, collecting beside bare forward passes, and memory]({_PLOT})",
        "## The machine",
        f"{machine.cores()} cores of {machine.processor()}, {machine.memory_gib():.1f} GiB of memory. "
        f"{machine.versions()}. Running tasks (one-minute load) before the run: {loads[0]}; after it: {loads[1]}.",
        "## Speed",
        *(_work_section(work) for work in findings.works),
        *([] if not findings.peaks else ["## Memory", _memory_section(findings.peaks)]),
        *findings.notes,
        "## How it was measured",
        _HOW.format(rounds=rounds).strip(),
        "## What the numbers do not say",
        _NOT_SAID.strip(),
    ]
    (out / _PAGE).write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _work_section(work: Work) -> str:
    rate_head = f"{work.unit} a second |" if work.unit else ""
    lines = [
        f"### {work.name[0].upper()}{work.name[1:]}",
        "",
        f"| variant | | median s | min | max | {rate_head} times foretell | in one round |",
        "|---|---|--:|--:|--:|" + ("--:|" if work.unit else "") + "--:|--:|",
        *(_row(work, record) for record in work.records),
        "",
        *(f"{remark}\n" for remark in work.remarks),
        _goal(work),
        "",
        *(f"- *{record.name}*: {record.note}." for record in work.records if record.note),
    ]
    return "\n".join(lines)


def _row(work: Work, record: Record) -> str:
    times = [_number(value) for value in (record.median, min(record.seconds), max(record.seconds))]
    rate = [f"{work.amount / record.median:,.0f}"] if work.unit else []
    least, largest = work.ratios(record)
    own = record is work.records[0]
    ratio = ["1", ""] if own else [_number(work.ratio(record)), f"{_number(least)} – {_number(largest)}"]
    return "| " + " | ".join([record.name, record.role, *times, *rate, *ratio]) + " |"


def _goal(work: Work) -> str:
    peer = next(record for record in work.records if record.role == "peer")
    least, largest = work.ratios(peer)
    return (
        f"Goal: {work.goal}. Measured against *{peer.name}*: **{_number(work.ratio(peer))}** "
        f"(in one round {_number(least)} – {_number(largest)})."
    )


def _number(value: float) -> str:
    """Three significant digits, without exponents."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _memory_section(peaks: list[Peak]) -> str:
    sizes = sorted({peak.positions for peak in peaks if peak.positions})
    works = list(dict.fromkeys(peak.work for peak in peaks))
    table = {(peak.work, peak.positions): peak for peak in peaks}
    lines = [
        "| peak MiB (seconds) | " + " | ".join(f"{size:,} positions" for size in sizes) + " |",
        "|---|" + "--:|" * len(sizes),
    ]
    for work in works:
        cells = [_cell(table.get((work, size)) or table[work, 0]) for size in sizes]
        lines.append(f"| {work} | " + " | ".join(cells) + " |")
    largest = max(peaks, key=lambda peak: peak.peak_bytes)
    lines += [
        "",
        "Goal: 100,000 positions × 49,152 tokens, factored, under 2 GB (1,907 MiB), and flat. "
        f"Largest measured: **{largest.peak_bytes / _MIB:,.0f} MiB** "
        f"({largest.work}, {largest.positions:,} positions).",
    ]
    return "\n".join(lines)


def _cell(peak: Peak) -> str:
    return f"{peak.peak_bytes / _MIB:,.0f} ({_number(peak.seconds)})"
