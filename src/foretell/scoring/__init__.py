"""How far off: divergences, intervals for unseen tails, confidence. Pure arrays in, values out."""

from foretell.scoring.positions import COLUMNS, METRICS, PositionScores, ScoreSettings, score_positions, to_dense

__all__ = ["COLUMNS", "METRICS", "PositionScores", "ScoreSettings", "score_positions", "to_dense"]
