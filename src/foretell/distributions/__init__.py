"""The one table where truth and forecast meet: dense, top-k or factored; streamed, never all in memory."""

from foretell.distributions.block import (
    Block,
    DenseBlock,
    FactoredBlock,
    Head,
    TopKBlock,
    concatenate,
    log_softmax,
    rows,
)
from foretell.distributions.checks import check_block
from foretell.distributions.folder import Distributions, DistributionWriter, TokenizedPrompt, block_kind
from foretell.distributions.vocabulary import Vocabulary

__all__ = [
    "Block",
    "DenseBlock",
    "DistributionWriter",
    "Distributions",
    "FactoredBlock",
    "Head",
    "TokenizedPrompt",
    "TopKBlock",
    "Vocabulary",
    "block_kind",
    "check_block",
    "concatenate",
    "log_softmax",
    "rows",
]
