"""Settings that are chosen from a user's recordings: rate, length, sizes and steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstm_jax.train.data.audio import LONGEST, SHORTEST, Header
from lstm_jax.train.look import Choice, choose
from lstm_jax.train.tasks.classify.choices import batches_of
from lstm_jax.train.tasks.sounds.config import SoundsConfig

NARROW, WIDE = 8_000, 16_000  # Hz; the rate of a telephone, and a rate sufficient for speech
STEPS = 800  # training steps of a run
PASSES = (12, 50)


def of_sounds(headers: Sequence[Header]) -> list[Choice]:
    """Choose how recordings are read.

    Args:
        headers: headers of the files.
    """
    wide = sum(header.rate >= WIDE for header in headers)
    share = f"{wide:,} of {len(headers):,} recordings have {WIDE:,} or more samples per second"
    seconds = np.array([header.seconds for header in headers])
    maximum = float(np.ceil(100 * seconds.max()) / 100)
    longer = int((seconds > LONGEST).sum())
    why = f"{longer:,} recordings are longer" if longer else "no recording is longer"
    return [
        Choice("rate", WIDE if 2 * wide >= len(headers) else NARROW, share),
        Choice("longest", max(min(maximum, LONGEST), SHORTEST), why),
    ]


def fill(config: SoundsConfig, lengths: Sequence[int]) -> tuple[SoundsConfig, tuple[Choice, ...]]:
    """Choose the sizes of the model and of a batch, the number of epochs, and the patience.

    Args:
        config: configuration of the run.
        lengths: number of steps in the features of each training recording.

    Returns:
        The configuration, and the choices that were made.
    """
    count = len(lengths)
    batch = 64 if count >= 1_500 else 32 if count >= 300 else 16
    why = f"{count:,} training recordings"
    config, sizes = choose(config, [
        Choice("batch", batch, why),
        Choice("model.hidden_features", 64 if count >= 300 else 32, why),
        Choice("model.num_layers", 2 if count >= 300 else 1, why),
    ])  # fmt: skip
    # The number of epochs depends on the batches, and the patience on the number of epochs.
    batches = batches_of(np.array(lengths), lambda width: config.batch, halfway=False)
    passes = int(np.clip(round(STEPS / batches), *PASSES))
    why = f"{passes} passes of {batches:,} batches"
    config, epochs = choose(config, [Choice("epochs", passes * config.validations, why)])
    patience = max(8, config.epochs // 3)
    config, ends = choose(config, [
        Choice("patience", patience, f"a third of {config.epochs:,} epochs, at least 8")
    ])  # fmt: skip
    return config, (*sizes, *epochs, *ends)
