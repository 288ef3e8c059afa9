"""Studies: questions of the debate, each answered by one command; one file a study, listed here."""

from foretell.studies import (
    s01_knee,
    s02_webtext_reader,
    s03_twin_and_sibling,
    s04_perfect_and_blind,
    s05_easy_by_training,
    s06_slightly_finetuned,
    s07_logs_of_other_prompts,
    s08_vocabulary,
    s09_composites,
    s10_checkpoints,
    s11_bits,
    s12_pinned_down,
)
from foretell.studies.study import Study

#: By name, in the order of their numbers.
STUDIES: dict[str, Study] = {
    study.name: study
    for study in (
        s01_knee.STUDY,
        s01_knee.STUDY_SMOLLM2,
        s02_webtext_reader.STUDY,
        s03_twin_and_sibling.STUDY,
        s04_perfect_and_blind.STUDY,
        s05_easy_by_training.STUDY,
        s06_slightly_finetuned.STUDY,
        s07_logs_of_other_prompts.STUDY,
        s08_vocabulary.STUDY,
        s09_composites.STUDY,
        s10_checkpoints.STUDY,
        s11_bits.STUDY,
        s12_pinned_down.STUDY,
    )
}

__all__ = ["STUDIES", "Study"]
