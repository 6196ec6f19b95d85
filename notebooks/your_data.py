# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Your own data
#
# A table, a text, labeled sentences, a folder of recordings: one call each. Every call first looks
# at the data and reports what it found and what it chose because of it. Then it trains, and returns
# a run that predicts, evaluates and plots. The command line does the same:
# `lstm-jax train series | text | classify | sounds`.
#
# The data below are made up, small, and easy to learn, so that the notebook takes a few minutes on
# a laptop. Replace them with yours.

# %%
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from lstm_jax.train import fit

SHORT = bool(os.environ.get("LSTM_JAX_SHORT"))  # set by the tests
folder = Path(tempfile.mkdtemp())  # runs are folders; leave `out` away and they go to ./runs
rng = np.random.default_rng(0)


def epochs(count):
    return 1 if SHORT else count


# %% [markdown]
# ## A table of series
#
# Daily sales of two stores over three years, with a weekly rhythm, a slow season, and more sales on
# days with a discount. The discounts of the coming weeks are known in advance, so they are named in
# `known`. Frames of pandas, polars and Arrow work, and so do CSV, TSV, JSONL and Parquet files.

# %%
DAYS = 400 if SHORT else 1100


def sales(store, level):
    """Make one store's table, a row a day."""
    days = pd.date_range("2022-01-01", periods=DAYS, freq="D")
    count = np.arange(DAYS)
    discount = (rng.random(DAYS) < 0.1).astype(float)
    expected = level * (1 + 0.3 * np.sin(2 * np.pi * count / 7) + 0.2 * np.sin(count / 58))
    units = expected * (1 + 0.8 * discount) + level / 20 * rng.normal(size=DAYS)
    return pd.DataFrame({"date": days, "store": store, "units": units, "discount": discount})


table = pd.concat([sales("Bonn", 40.0), sales("Oslo", 90.0)])
past = table[table["date"] < table["date"].max() - pd.Timedelta(days=27)]
coming = table.assign(units=table["units"].where(table["date"].isin(past["date"])))  # 28 days: NaN

forecaster = fit.series(
    past, time="date", target="units", by="store", known="discount", horizon=28,
    epochs=epochs(8), out=folder / "series",
)  # fmt: skip

# %% [markdown]
# `forecast` returns a frame of the same library. It gets the rows to come without a target, because
# the discounts are in them. `evaluate` measures the model on the end of each series, which it has
# not seen, beside simple baselines.

# %%
forecast = forecaster.forecast(frame=coming)
print(forecast.head(3).to_string(index=False))

# %%
forecaster.plot(frame=coming)

# %%
truth = table[~table["date"].isin(past["date"])].merge(forecast, on=["store", "date"])
error = (truth["units_x"] - truth["units_y"]).abs().mean()
print(f"mean absolute error of the last four weeks: {error:.1f} units, "
      f"{error / truth['units_x'].mean():.0%} of the mean")  # fmt: skip

# %% [markdown]
# ## A text
#
# Pass texts, a file or several: `fit.text("novels/*.txt")`. A symbol is a character, a word or a
# byte. Here, a thousand sentences of a very small language.

# %%
WHO, DOES = ["the cat", "the dog", "a bird", "my uncle"], ["sees", "likes", "follows"]
lines = [f"{rng.choice(WHO)} {rng.choice(DOES)} {rng.choice(WHO)}." for _ in range(1000)]
writer = fit.text(texts=lines, epochs=epochs(4), window=32, out=folder / "text")

# %%
for text in writer.generate("the ", num=3, seed=1):
    print(text)
print(f"ln p of a sentence {writer.score('my uncle likes a bird.').sum():.1f}, "
      f"of the same backwards {writer.score('bird. a likes uncle my').sum():.1f}")  # fmt: skip

# %% [markdown]
# ## Labeled sentences
#
# A frame or a file with a column of texts and a column of classes. Sequences of numbers, a row for
# each step, are classified in the same way:
# `fit.classify("walks.csv", by="walk", time="t", label="activity")`.

# %%
GOOD = ["fresh", "friendly", "quick", "warm", "lovely", "generous"]
BAD = ["cold", "rude", "slow", "stale", "awful", "tiny"]
THING = ["the soup", "the waiter", "our table", "the bill", "the bread", "my fish", "the tea"]
LINK = ["was", "seemed", "came", "looked"]


def review():
    good = rng.random() < 0.5
    word = rng.choice(GOOD if good else BAD)
    negated = rng.random() < 0.3
    text = f"{rng.choice(THING)} {rng.choice(LINK)} {'not ' * negated}{word}"
    return {"review": text, "verdict": "happy" if good != negated else "unhappy"}


reviews = pd.DataFrame([review() for _ in range(400 if SHORT else 2500)])
judge = fit.classify(
    reviews, text="review", label="verdict", epochs=epochs(30), out=folder / "classify"
)

# %%
for text in ("the soup was fresh", "the soup was not fresh", "our table seemed not slow"):
    answer = judge.predict(text)
    print(f"{text}: {answer.prediction}, {answer.probability:.0%}")

# %% [markdown]
# ## Recordings
#
# A folder with a folder of sound files for each class, or a table with their paths. This needs the
# extra `speech`, which reads and resamples audio. The two classes are tones that rise and tones
# that fall.

# %%
RATE, TAKES = 8000, 220


def chirp(rises):
    """Make a third of a second of a tone that glides between two random pitches, with noise."""
    low, high = rng.uniform(300, 600), rng.uniform(900, 1600)
    hertz = np.linspace(*((low, high) if rises else (high, low)), RATE // 3)
    samples = 0.3 * np.sin(2 * np.pi * np.cumsum(hertz) / RATE)
    return samples + 0.02 * rng.normal(size=samples.size)


for name in ("rises", "falls"):
    (folder / "sounds" / name).mkdir(parents=True)
    for take in range(TAKES):
        soundfile.write(folder / "sounds" / name / f"{take}.wav", chirp(name == "rises"), RATE)

listener = fit.sounds(
    folder / "sounds", rate=RATE, epochs=epochs(8), out=folder / "sounds_run"
)  # fmt: skip

# %%
print(listener.predict([chirp(True), chirp(False)], rate=RATE))

# %% [markdown]
# ## A run is a folder
#
# It holds the model, its configuration, its figures and its checkpoints. Open it again, from Python
# or from the command line, or take the network, a Flax module, and do what you like with it:

# %%
again = fit.load(folder / "text")
print(again, type(again.model).__name__)

# %% [markdown]
#     lstm-jax sample runs/text "the "
#     lstm-jax forecast runs/series --file coming.csv --steps 28
#     lstm-jax evaluate runs/series --backtest 5
#     lstm-jax predict runs/classify "the soup was not cold"
#     lstm-jax export runs/text --to model.onnx
