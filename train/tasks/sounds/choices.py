"""What is chosen of a user's recordings: rate, length, sizes and steps, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstm_jax.train.data.audio import LONGEST, SHORTEST, Header
from lstm_jax.train.look import Choice
from lstm_jax.train.tasks.classify.choices import batches_of

NARROW, WIDE = 8_000, 16_000  # Hz: of a telephone, and of what speech needs
STEPS = 800  # of a run
PASSES = (12, 50)


def of_sounds(found: Sequence[Header]) -> list[Choice]:
    """Choose how recordings are read.

    Args:
        found: headers of their files.
    """
    wide = sum(one.rate >= WIDE for one in found)
    share = f"{wide:,} of {len(found):,} recordings have {WIDE:,} samples a second or more"
    seconds = np.array([one.seconds for one in found])
    most = float(np.ceil(100 * seconds.max()) / 100)
    longer = int((seconds > LONGEST).sum())
    why = f"{longer:,} recordings are longer" if longer else "none is longer"
    return [
        Choice("rate", WIDE if 2 * wide >= len(found) else NARROW, share),
        Choice("longest", max(min(most, LONGEST), SHORTEST), why),
    ]


def of_sizes(lengths: Sequence[int]) -> list[Choice]:
    """Choose the size of the model, of a batch, and how long it learns.

    Args:
        lengths: steps of each training recording's features.
    """
    count = len(lengths)
    batch = 64 if count >= 1_500 else 32 if count >= 300 else 16
    batches = batches_of(np.array(lengths), lambda width: batch, halfway=False)
    passes = int(np.clip(round(STEPS / batches), *PASSES))
    why = f"{count:,} recordings to learn from"
    return [
        Choice("batch", batch, why),
        Choice("epochs", passes, f"{batches:,} batches in each, {passes * batches:,} in all"),
        Choice("patience", max(8, passes // 3), "a third of them, and at least 8"),
        Choice("model.hidden_features", 64 if count >= 300 else 32, why),
        Choice("model.num_layers", 2 if count >= 300 else 1, why),
    ]
