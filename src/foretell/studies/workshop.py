"""Where a study works: a folder in which truths, forecasts, scores and scales are made once, and a record of them all.

Every step is found again by what it was made from, so a stopped study goes on, and one that is run again only writes
its page anew.
"""

from __future__ import annotations

import json
import platform
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from foretell import __version__, evaluation, scale
from foretell.base.canonical import digest_file, digest_value
from foretell.base.files import MANIFEST
from foretell.base.progress import Progress, quiet
from foretell.distributions import Distributions, Vocabulary
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.panel import text_references
from foretell.forecasters.specs import open_forecaster
from foretell.organisms.recipe_fields import Value
from foretell.organisms.recipes import load_recipe
from foretell.organisms.training import cached_organism
from foretell.scoring.summary import Losses
from foretell.suites import Suite, draw, load_suite
from foretell.targets.specs import OpenOptions, open_target
from foretell.targets.target import Target
from foretell.verdicts.judging import JudgeSettings
from foretell.verdicts.run_folder import SCORE, read_losses, read_score, write_json
from foretell.verdicts.scale_record import SCALE, read_scale

#: Prompts of a quick run, and the seed of every draw.
QUICK_PROMPTS, SEED = 24, 1
_STEPS = "steps.json"
#: How the line on an organism begins.
ORGANISM = "Organism"
T = TypeVar("T")
#: A forecaster's spec, or a name for the page (it says whether it is text-only, see `is_reference`) and what opens it.
Rung = str | tuple[str, Callable[[], Forecaster]]
_SLUG, _DIGITS = 32, 10
#: Libraries whose versions the numbers may depend on.
_LIBRARIES = ("numpy", "onnxruntime", "tokenizers", "torch", "transformers")


class Workshop:
    """Makes what a study needs, each thing once.

    Args:
        folder: everything is kept here.
        quick: small samples, so that the whole path runs in seconds and decides nothing.
        progress: told about long work.
        say: takes a line on what is being fetched or converted.

    Attributes:
        quick: as given; `pick` chooses by it.
        made: a line on every suite and truth that was used, for the page.
    """

    def __init__(
        self,
        folder: Path,
        *,
        quick: bool = False,
        progress: Progress = quiet,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.folder, self.quick, self.progress, self.say = folder, quick, progress, say
        self.made: list[str] = []
        self._targets: dict[str, Target] = {}
        self._inputs: list[str] = []
        self._named: dict[Path, Distributions] = {}
        self._scales: list[tuple[dict[str, Any], Path]] = []
        self._began = time.monotonic()
        self._now: dict[str, float] = {}

    def pick(self, full: T, quick: T) -> T:
        """One of two sizes.

        >>> Workshop(Path("work"), quick=True).pick(10_000, 10)
        10
        """
        return quick if self.quick else full

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Measure what a step takes; one that was finished earlier counts with what it took then."""
        start = time.monotonic()
        yield
        self._now[step] = self._now.get(step, 0.0) + time.monotonic() - start
        write_json(self.folder / _STEPS, self._earlier() | {name: self._longest(name) for name in self._now})

    @property
    def minutes(self) -> float:
        """What everything took: this run, and of steps that an earlier run had finished what they took then."""
        found = sum(self._longest(name) - now for name, now in self._now.items())
        return (time.monotonic() - self._began + found) / 60

    def _earlier(self) -> dict[str, float]:
        path = self.folder / _STEPS
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}

    def _longest(self, step: str) -> float:
        return max(self._now[step], self._earlier().get(step, 0.0))

    def note(self, line: str) -> None:
        """A line for the page on how it was made; the same line counts once."""
        if line not in self.made:
            self.made.append(line)

    def uses(self, line: str) -> None:
        """A note, with its digest, on a text that later steps read: where it is another, they are made anew."""
        self.note(line)
        self._inputs.append(line)

    def suite(self, prompts: int | None = None, *, name: str = "foretell-300") -> Suite:
        """A suite, or a stratified draw of so many of its prompts; a quick run draws QUICK_PROMPTS at most."""
        whole = load_suite(name)
        count = min(len(whole) if prompts is None else prompts, QUICK_PROMPTS if self.quick else len(whole))
        if count == len(whole):
            return whole
        self.note(f"{count} prompts drawn from {whole.name}, each slice in proportion, with seed {SEED}.")
        return draw(whole, count, SEED)

    def target(self, spec: str) -> Target:
        """A target, opened once."""
        if spec not in self._targets:
            with self.timed(f"opening {spec}"):
                self._targets[spec] = open_target(spec, OpenOptions(say=self.say))
        return self._targets[spec]

    def truth(self, target: str | Target, suite: Suite, *, called: str | None = None) -> Distributions:
        """What a target says on a suite.

        Args:
            called: what the page calls it; needed where the spec holds a path, such as 'the twin' for 'hf:…/twin-12ab'.
        """
        opened = self.target(target) if isinstance(target, str) else target
        name = called or opened.identity.name
        key = [opened.identity.record(), suite.digest]
        with self.timed(f"truth of {name} on {suite.name}"):
            found = evaluation.collect(opened, suite, self._place("truth", name, key), progress=self.progress)
        self._describe(found, name)
        return found

    def _describe(self, truth: Distributions, name: str) -> None:
        source, noise = truth.manifest["source"], truth.manifest["noise_floor"]
        self.note(
            f"Truth of {name} on {truth.manifest['suite']['name']}: {len(truth.prompts):,} prompts, "
            f"{len(truth):,} positions, {source['engine']}, {source['dtype']}, {truth.kind}; "
            f"noise floor {noise['kl_nats']:.1e} nats ({noise['method']})."
        )

    def forecast(
        self, forecaster: str | Forecaster, truth: Distributions, *, practice: Distributions | None = None
    ) -> Distributions:
        """A forecast of what a truth asks, by a spec or an open forecaster.

        Args:
            practice: a truth on other prompts, to fit a pool's weights on.
        """
        name = forecaster if isinstance(forecaster, str) else forecaster.name
        practised = None if practice is None else digest_file(practice.folder / MANIFEST)
        # An open forecaster says what it is made from; a spec stands for it.
        own = {} if isinstance(forecaster, str) else forecaster.describe()
        key = [name, own, truth.manifest["suite"]["digest"], truth.vocabulary.digest, practised]
        folder = self._place("forecast", name, key)
        with self.timed(f"forecast by {name} on {truth.manifest['suite']['name']}"):
            if (folder / MANIFEST).is_file():
                return Distributions(folder)
            made = self.opened(forecaster, truth, practice) if isinstance(forecaster, str) else forecaster
            return self._make(made, truth, folder)

    def named_forecast(self, rung: Rung, truth: Distributions) -> Distributions:
        """`forecast` by a spec, or by what a named opener opens; opened once in a run."""
        if isinstance(rung, str):
            return self.forecast(rung, truth)
        name, opener = rung
        folder = self._place("named", name, [name, truth.manifest["suite"]["digest"], truth.vocabulary.digest])
        if folder not in self._named:
            with self.timed(f"forecast by {name} on {truth.manifest['suite']['name']}"):
                self._named[folder] = self._make(opener(), truth, folder)
        return self._named[folder]

    def _make(self, forecaster: Forecaster, truth: Distributions, folder: Path) -> Distributions:
        return evaluation.make_forecast(
            forecaster,
            truth.prompts,
            truth.vocabulary,
            folder,
            suite=truth.manifest["suite"],
            progress=self.progress,
        )

    def opened(self, spec: str, like: Distributions, practice: Distributions | None = None) -> Forecaster:
        """The forecaster of a spec, for a truth's vocabulary."""
        return open_forecaster(
            spec,
            like.vocabulary,
            open_target=self.target,
            practice=practice,
            progress=partial(self.progress, "reading the corpus"),
        )

    def score(
        self, truth: Distributions, forecasts: Sequence[Distributions], *, judging: JudgeSettings | None = None
    ) -> dict[str, Any]:
        """The content of score.json, with a run folder that `losses` reads; forecasts in order of their loss."""
        judging = judging or JudgeSettings()
        folder = self._run(truth, forecasts, judging)
        with self.timed(f"scoring {len(forecasts)} forecasts of {truth.name}, {folder.name}"):
            if (folder / SCORE).is_file():
                return read_score(folder)
            return evaluation.score(truth, forecasts, folder, judging=judging, progress=self.progress)

    def losses(
        self,
        truth: Distributions,
        forecasts: Sequence[Distributions],
        name: str,
        *,
        judging: JudgeSettings | None = None,
    ) -> Losses:
        """Losses of each prompt, of one of the forecasts that were given to `score` with the same judging."""
        judging = judging or JudgeSettings()
        cap = judging.cap_for(truth.vocabulary.size)
        return read_losses(self._run(truth, forecasts, judging), name, judging.metric, cap)

    def _run(self, truth: Distributions, forecasts: Sequence[Distributions], judging: JudgeSettings) -> Path:
        digests = [digest_file(one.folder / MANIFEST) for one in (truth, *forecasts)]
        return self._place("run", truth.name, [digests, _settings(judging)])

    def scale(
        self,
        target: str | Target,
        suite: Suite,
        corpora: Sequence[str],
        rungs: Sequence[Rung] = (),
        *,
        practice: Suite | None = None,
        judging: JudgeSettings | None = None,
        references: Callable[[Vocabulary], Iterable[Sequence[Forecaster]]] | None = None,
        called: str | None = None,
    ) -> dict[str, Any]:
        """The content of scale.json: text-only references of the corpora, their best pool, and rungs beside them.

        Args:
            rungs: forecasters to place beside them.
            references: text-only forecasters in groups, instead of those of the corpora (which then only name them).
            practice: other prompts, to fit the pool on; half of the suite's documents where None.
            called: as for `truth`.
        """
        opened = self.target(target) if isinstance(target, str) else target
        name = called or opened.identity.name
        key = [opened.identity.record(), suite.digest, practice and practice.digest]
        folder = self._place("scale", name, [*key, list(corpora)])
        with self.timed(f"truth of {name} on {suite.name}, in two parts"):
            scene = scale.set_scene(opened, suite, practice, folder, progress=self.progress)
        for truth in (scene.practice, scene.judged):
            self._describe(truth, name)
        like, told = scene.judged, [rung if isinstance(rung, str) else rung[0] for rung in rungs]
        asked = {"corpus": list(corpora), "rung": told, "level": (judging or JudgeSettings()).level}
        if judging is not None:
            asked["judging"] = _settings(judging)
        openers = [partial(self.opened, rung, like) if isinstance(rung, str) else rung[1] for rung in rungs]
        panel = references or partial(text_references, corpora, progress=partial(self.progress, "reading the corpus"))
        with self.timed(f"scale of {name} on {suite.name}, {', '.join(corpora)}, {', '.join(told)}"):
            found = read_scale(folder / "run") if (folder / "run" / SCALE).is_file() else None
            if found is None or found["asked"] != asked:
                found = scale.place(scene, panel(like.vocabulary), openers, judging=judging, asked=asked)
        self._scales.append((found, folder / "run"))
        return found

    def scale_losses(self, placed: dict[str, Any], name: str) -> Losses:
        """Losses of each judged prompt of one forecaster of what `scale` gave, for the difference between two."""
        folder = next(run for record, run in self._scales if record is placed)
        return read_losses(folder, name, placed["settings"]["metric"], placed["settings"]["cap"])

    def organism(self, spec: str, **changes: Value) -> Path:
        """The folder of a trained organism, from the user's cache; open it with f"hf:{folder}".

        Args:
            spec: a built-in recipe's name, or a .toml path.
            changes: fields of the recipe that get another value.

        Raises:
            MissingExtraError: there is no torch here.
        """
        recipe = load_recipe(spec, changes)
        with self.timed(f"organism {recipe.kind} {recipe.digest}"):
            folder = cached_organism(recipe, progress=self.progress)
        changed = "".join(f", {name} {value}" for name, value in changes.items())
        digest = recipe.digest.removeprefix("sha256:")[:_DIGITS]
        self.note(
            f"{ORGANISM} {recipe.kind} (recipe {digest}{changed}), trained by `foretell organism train` or found."
        )
        return folder

    def _place(self, kind: str, name: str, key: Any) -> Path:
        """A folder for what was made from the key, with these versions and texts."""
        slug = re.sub(r"[^a-zA-Z0-9]+", "-", name)[:_SLUG].strip("-")
        whole = digest_value([key, versions(), self._inputs])
        return self.folder / kind / f"{slug}-{whole.removeprefix('sha256:')[:_DIGITS]}"


def _settings(judging: JudgeSettings) -> list[Any]:
    return [judging.tolerance, judging.level, judging.cap, dict(judging.slices), judging.metric]


def versions() -> dict[str, str]:
    """Python, foretell, and the libraries whose versions the numbers may depend on."""
    found = {"python": platform.python_version(), "foretell": __version__}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # not installed, so no number came from it
    return found
