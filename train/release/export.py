"""Turn a finished run of the Tang recipe into a released model, and measure its figures.

lstm-jax release export --run runs/tang --out lstm_jax/pretrained/tang --commit HASH
"""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from lstm_jax.models.storage import WEIGHTS, ModelError
from lstm_jax.text.language import LanguageModel, load
from lstm_jax.train.data import tang
from lstm_jax.train.release import form, report
from lstm_jax.train.tasks.text.score import score_texts

CARD = "CARD.md"


@dataclass(frozen=True)
class Options:
    """Configure `lstm-jax release export`."""

    run: Path
    """Folder of a finished run."""
    out: Path
    """Folder of the release."""
    commit: str
    """Commit at which the run was trained."""
    command: str = "lstm-jax train tang"
    """Command that reproduces the training."""
    trained_on: str = "2 cores of a shared x86-64 CPU"
    """Machine on which the run was trained."""
    stored_as: Literal["float16", "int8"] = "float16"
    """Number format of the stored weights, with two bytes per weight or one."""
    note: str = ""
    """Further remarks on the training, for the card."""


def release(options: Options) -> LanguageModel:
    """Store the run's best weights in a compact form, then measure and describe the stored model.

    Args:
        options: the run, and facts for the card.

    Returns:
        The stored model.

    Raises:
        ModelError: if there is no run, it is not of Tang poems, or it would be overwritten.
    """
    if options.out.resolve() == options.run.resolve():
        raise ModelError(f"{options.run} is the run itself: use another --out")
    trained = load(options.run)
    report.check_poet(trained, options.run)
    trained.save(options.out, dtype=np.dtype(options.stored_as))
    stored = load(options.out)
    corpus = tang.load()
    valid = score_texts(stored, corpus.valid)
    test = score_texts(stored, corpus.test)
    samples = form.samples(stored, corpus.test)
    card = {
        **stored.card,
        "name": options.out.name,
        "command": options.command,
        "commit": options.commit,
        "trained_on": options.trained_on,
        "note": options.note,
        "stored_as": options.stored_as,
        "valid_perplexity": round(valid.perplexity, 2),
        "test_perplexity": round(test.perplexity, 2),
        "test_symbols": test.symbols,
        "form_share_samples": form.share(samples),
        "form_share_corpus": round(form.share(corpus.test), 3),
    }
    model = replace(stored, card=card)
    model.save(options.out, dtype=np.dtype(options.stored_as))
    size = (options.out / WEIGHTS).stat().st_size
    learned = report.summary(report.measure(str(options.out)))
    (options.out / CARD).write_text(_card(card, size, samples[:3], learned), encoding="utf-8")
    return model


def _card(card: dict, size: int, samples: list[str], learned: str) -> str:
    model = card["config"]["model"]
    trained_on = f"{card['trained_on']}, {card['steps']:,} steps"
    if card["note"]:
        trained_on += f"; {card['note']}"
    poems = "\n".join(f"> {poem}\n>" for poem in samples).removesuffix("\n>")
    return f"""# {card["name"]}: a character model of Tang poems

{model["num_layers"]} LSTM layers of {model["hidden_features"]}, embedding \
{model["embedding_features"]} tied with the softmax, {card["parameters"]:,} parameters, stored as \
{card["stored_as"]} ({size / 2**20:.1f} MiB).

| | |
|---|---|
| trained with | `{card["command"]}` at commit {card["commit"]} |
| trained on | {trained_on} |
| data | 43,849 poems of github.com/chinese-poetry/chinese-poetry (MIT), traditional script |
| sha256 of the data's hashes | `{card["data_sha256"]}` |
| validation perplexity | {card["valid_perplexity"]} |
| test perplexity | {card["test_perplexity"]} over {card["test_symbols"]:,} symbols |
| best n-gram on the same test (modified Kneser-Ney, 5-gram) | 224.9 |
| samples that keep the form | {card["form_share_samples"]:.1%} of {form.SAMPLES} |
| test poems that keep it | {card["form_share_corpus"]:.1%} |

The perplexity is over all characters, punctuation marks and one end per poem, with each poem read
from the empty state; characters seen once or never in training count as one unknown symbol. A poem
keeps the form if its first four lines all have five or all have seven characters; the samples are
drawn at temperature 0.7 and prompted by the first two characters of test poems (`lstm-jax release
form`). All figures are for the stored weights.

## What it learned without being told

{textwrap.fill(learned, 100)} (`lstm-jax sample --report`)

## What it cannot do

It knows characters, but not what they mean: its lines scan, but its poems do not make a point. It
was told nothing about tones or rhymes. It reads and writes traditional characters and seven
punctuation marks, and refuses a prompt with any others. A famous opening is often continued as in
the real poem, because most famous poems are among its training texts: that is memory, not skill.

## Three samples, not hand-picked

{poems}
"""


def run(options: Options) -> str:
    """Release a run.

    Args:
        options: the options of the command line.

    Returns:
        The card's figures, as JSON.
    """
    model = release(options)
    return json.dumps({k: v for k, v in model.card.items() if k != "config"}, indent=1)
