"""The evaluator's side before an answer: the charter is fixed, prompts are drawn and sealed, and opened to the team."""

from __future__ import annotations

from pathlib import Path

from foretell.attempts.pool import PoolCommitment, commit_pool
from foretell.attempts.step import Step, append, find, require_role, taking
from foretell.base.canonical import digest_bytes
from foretell.base.errors import InputError, OrderError
from foretell.base.files import remove_partial_files, write_atomically
from foretell.ledger import Ledger, SecretKey, encrypt
from foretell.suites import Suite
from foretell.verdicts.charter import Charter
from foretell.verifier.layout import LOG, OPENED, POOLS, SEALED, attempt_folder, cards_file
from foretell.verifier.prompts import Cards, Opening, draw_indices, opened_suite, read_openings
from foretell.verifier.record import Attempt, Record, replay
from foretell.verifier.single import write_single


def fix_charter(root: Path, charter: Charter, secret: SecretKey) -> int:
    """Append a charter to a ledger (a new one, where there is none): from now on it cannot be changed.

    Raises:
        OrderError: it is there already, or the key is not its evaluator's.
    """
    ledger = Ledger(root / LOG)
    with ledger.locked():
        record = replay(ledger)
        require_role("charter", charter, secret)
        if charter.digest in record.charters:
            raise OrderError(
                "the charter is in the log already",
                where=str(root),
                got=charter.digest,
                expected="a charter that is not there yet",
                fix="Go on with `foretell seal`.",
            )
        return append(
            ledger, secret, "charter", record, {"charter.toml": charter.digest}, {"text": charter.data.decode()}
        )


def seal(root: Path, pool: Suite, secret: SecretKey, charter: str | None = None) -> Attempt:
    """Draw an attempt's prompts by the rule, commit to each, and lock them away for the evaluator.

    Args:
        charter: digest of the charter; the latest by default.

    Raises:
        OrderError: no charter, its latest attempt is only sealed, the pool is used up, or a prompt was used by an
            earlier attempt.
        InputError: another pool than the charter's.
    """
    ledger = Ledger(root / LOG)
    with ledger.locked():
        record = replay(ledger)
        attempt = _new_attempt(record, charter, root)
        require_role("seal", attempt.charter, secret)
        committed = commit_pool(pool, secret)
        _require_pool(committed, attempt.charter, pool)
        used = record.used(committed.root)
        drawn = draw_indices(
            committed.cards, used, attempt.charter.draw.prompts, attempt.charter_digest, attempt.number
        )
        openings = [committed.openings[index] for index in drawn]
        _require_fresh(openings, root, record, secret)
        for folder in (root / POOLS, attempt_folder(root, attempt.number)):
            remove_partial_files(folder)
        cards = committed.cards.write()
        write_atomically(cards_file(root, committed.root), lambda path: path.write_bytes(cards))
        step = Step("seal", root, record, attempt, ledger, secret)
        sealed = encrypt(b"".join(opening.line() for opening in openings), [secret.public.recipient])
        step.write(SEALED, sealed)
        step.sign({SEALED: digest_bytes(sealed)}, {"indices": list(drawn)})
        return attempt


def open_prompts(root: Path, secret: SecretKey, number: int | None = None) -> Attempt:
    """Hand the sealed prompts to the team: encrypted to its key, and signed that this was when.

    Raises:
        OrderError: it is not the time, or the track keeps prompts closed.
    """
    with taking(root, "open", secret, number) as step:
        data = read_sealed(step.folder, secret)
        team = step.charter.team.public()
        opened = encrypt(data, [team.recipient, secret.public.recipient])
        step.write(OPENED, opened)
        step.sign({OPENED: digest_bytes(opened)}, {"openings": digest_bytes(data)})
        return step.attempt


def read_opened(root: Path, secret: SecretKey, number: int | None = None) -> Suite:
    """The prompts that were opened to the team, as a suite to forecast.

    Raises:
        OrderError: they are not open yet.
        InputError: the key is not the team's or the evaluator's.
    """
    attempt = find(replay(Ledger(root / LOG)), number, root)
    if "open" not in attempt.steps:
        raise OrderError(
            "the prompts are not open",
            where=f"attempt {attempt.number} of {root}",
            got=f"steps so far: {', '.join(attempt.steps)}",
            expected="a step `open` by the evaluator",
            fix="Ask the evaluator to run `foretell open`."
            if attempt.charter.track.kind != "blind"
            else "The blind track never opens them: commit a program.",
        )
    path = attempt_folder(root, attempt.number) / OPENED
    return opened_suite(read_openings(secret.decrypt(path.read_bytes()), str(path)), attempt.charter, attempt.number)


def open_one(root: Path, secret: SecretKey, prompt: str, number: int | None = None) -> bytes:
    """Open a single sealed prompt to whoever asks; the others stay closed, and nothing is added to the log.

    Raises:
        OrderError: no such attempt.
        InputError: no such prompt, or the key is not the evaluator's.
    """
    record = replay(Ledger(root / LOG))
    attempt = find(record, number, root)
    openings = read_openings(read_sealed(attempt_folder(root, attempt.number), secret), SEALED)
    chosen = next((opening for opening in openings if opening.prompt.id == prompt), None)
    if chosen is None:
        raise InputError(
            "no such prompt in the attempt",
            where=f"attempt {attempt.number} of {root}",
            got=repr(prompt),
            expected=f"one of its {len(openings)} prompts",
            fix="The evaluator's own pool has the names.",
        )
    path = cards_file(root, attempt.charter.pool.commitment)
    cards = Cards.parse(path.read_bytes(), attempt.charter.pool.commitment, str(path))
    return write_single(chosen, cards, attempt.number)


def read_sealed(folder: Path, secret: SecretKey) -> bytes:
    """The openings of an attempt, by the evaluator's key."""
    return secret.decrypt((folder / SEALED).read_bytes())


def _new_attempt(record: Record, charter: str | None, root: Path) -> Attempt:
    if not record.charters or (charter is not None and charter not in record.charters):
        raise OrderError(
            "no charter to seal prompts under",
            where=str(root),
            got=charter or "no charter in the log",
            expected="a charter that was signed into the log",
            fix="Run `foretell charter sign` first.",
        )
    digest = charter or next(reversed(record.charters))
    latest = next((attempt for attempt in reversed(record.attempts) if attempt.charter_digest == digest), None)
    if latest is not None and set(latest.steps) == {"seal"}:
        raise OrderError(
            "an attempt is sealed already",
            where=f"attempt {latest.number} of {root}",
            got="a second seal, with nothing done since the first",
            expected=f"next {latest.next_step}",
            fix=f"Go on with `foretell {latest.next_step}`.",
        )
    return Attempt(len(record.attempts) + 1, record.charters[digest], digest)


def _require_pool(committed: PoolCommitment, charter: Charter, pool: Suite) -> None:
    if committed.root != charter.pool.commitment:
        raise InputError(
            "another pool than the charter's",
            where=f"--pool {pool.name}",
            got=f"commitment {committed.root}",
            expected=charter.pool.commitment,
            fix="Give the suite and the key that `foretell charter init` was given, unchanged.",
        )


def _require_fresh(openings: list[Opening], root: Path, record: Record, secret: SecretKey) -> None:
    """No text of theirs was used before, under whichever charter and pool."""
    earlier = dict(record.revealed_texts())
    for attempt in record.attempts:
        folder = attempt_folder(root, attempt.number)
        if "reveal" not in attempt.steps and (folder / SEALED).is_file():
            for opening in read_openings(read_sealed(folder, secret), str(folder)):
                earlier[opening.text_digest] = attempt.number
    reused = [opening for opening in openings if opening.text_digest in earlier]
    if reused:
        raise OrderError(
            "a prompt that was used before",
            where=str(root),
            got=f"prompt {reused[0].prompt.id!r} of attempt {earlier[reused[0].text_digest]}",
            expected="prompts that no attempt used",
            fix="Write a charter with a pool that leaves out what earlier attempts used.",
        )
