"""What forecasters get on 50 prompts of foretell-300: python examples/measure.py [TABLE or SPEC …], as Markdown.

The other 264 prompts are the practice truth: pools are fitted on them, and LOGS in a spec stands for their folder.
"""

import sys
import tempfile
from pathlib import Path

from foretell.distributions import Distributions
from foretell.evaluation import collect, make_forecast, score
from foretell.forecasters.specs import open_forecaster
from foretell.suites import draw, load_suite
from foretell.targets.specs import open_target

HERE = Path(__file__).parent / "mechanistic"
EXITS = [f"python:{HERE}/early_exit.py:{name}" for name in ("after_1", "after_2", "after_3", "last_token_alone")]
RULES = [f"python:{HERE}/bigram_weights.py:predict", f"python:{HERE}/induction.py:predict"]
PROBES = [f"lowrank:LOGS:runs={runs}:probes={probes}" for runs in (100, 1000) for probes in (8, 32, 132)]
TABLES = {
    "mechanistic": [
        *("uniform", "unigram:tiny", "ngram:5:tiny", *RULES, *EXITS),
        "pool:" + "+".join([EXITS[-1], *RULES]),
        "pool:" + "+".join([EXITS[-1], RULES[-1], "ngram:5:tiny"]),
    ],
    "lowrank": ["uniform", *(f"lowrank:LOGS:runs={runs}" for runs in (10, 100, 1000)), "lowrank:LOGS", *PROBES],
}
PROMPTS, SEED = 50, 1


def measure(specs: list[str], folder: Path) -> list[tuple[str, float, float, float]]:
    """(spec, mean KL in nats, its bounds) of each forecaster, with everything it takes under a folder."""
    target, suite = open_target("tiny"), load_suite("foretell-300")
    judged = draw(suite, PROMPTS, SEED)
    practice = collect(target, draw(suite, len(suite) - PROMPTS, SEED, exclude=[judged]), folder / "practice")
    truth = collect(target, judged, folder / "truth")
    rows = []
    for number, spec in enumerate(specs):
        forecast = forecast_of(spec, truth, practice, folder / str(number))
        kl = score(truth, [forecast])["forecasts"][0]["kl_nats"]
        name = spec.replace(f"{HERE}/", "").replace("LOGS", "logs")
        rows.append((name, kl["mean"], kl["lo"], kl["hi"]))
    return rows


def forecast_of(spec: str, truth: Distributions, practice: Distributions, out: Path) -> Distributions:
    """A forecaster's forecast of the truth's prompts."""
    opened = open_forecaster(
        spec.replace("LOGS", str(practice.folder)), truth.vocabulary, open_target=open_target, practice=practice
    )
    return make_forecast(opened, truth.prompts, truth.vocabulary, out, suite=truth.manifest["suite"])


def table(rows: list[tuple[str, float, float, float]]) -> str:
    """The rows as Markdown."""
    lines = [f"| `{name}` | {mean:.3f} | {low:.3f} to {high:.3f} |" for name, mean, low, high in rows]
    return "\n".join(["| forecaster | KL, nats | bounds |", "|---|---|---|", *lines])


if __name__ == "__main__":
    asked = sys.argv[1:] or ["mechanistic"]
    with tempfile.TemporaryDirectory() as temporary:
        print(table(measure([spec for name in asked for spec in TABLES.get(name, [name])], Path(temporary))))
