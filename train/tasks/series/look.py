"""The inspection of a table of series, and the settings chosen from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from lstm_jax.train.data.download import DataError
from lstm_jax.train.data.panels.load import load_panel
from lstm_jax.train.data.panels.panel import Panel
from lstm_jax.train.data.panels.windows import split
from lstm_jax.train.look import Choice, Look, choose
from lstm_jax.train.tasks.series.config import SeriesConfig
from lstm_jax.train.tasks.series.load import prepare_for
from lstm_jax.train.tasks.series.task import SeriesTask, make_series_task

MOST = 128
"""Maximum number of rows in a window, unless a user asks for more."""
LARGEST = 1e30
"""Largest value, so that squares can be summed."""
STEPS = 50
"""Maximum number of training steps in an epoch."""


def look(config: SeriesConfig, given: object = None) -> Look[SeriesConfig]:
    """Inspect a table of one's own, and build a task from it.

    For data of the package there is nothing to choose.

    Args:
        config: configuration of the run.
        given: a frame, if there is no file.

    Raises:
        DataError: if the table cannot be read or learned from; the message names the place.
    """
    if config.data != "own":
        return Look(config, make_series_task(config))
    if given is None and not config.file:
        raise DataError("--file must name the table with the series, such as sales.csv")
    panel, saw, choices = load_panel(config, given)
    if config.clock and panel.form.kind == "row":
        raise DataError(f"--clock needs dates or times, but {config.time} numbers the rows")
    refuse_values(config, panel)
    config = replace(
        config,
        file=str(Path(config.file).resolve()) if given is None else "",
        data_sha256=panel.sha256,
    )
    config, read = choose(config, choices)
    config, chosen = choose(config, _choices(config, panel))
    if config.predict == "level" and config.read == "relative":
        config = replace(config, read="level")
        saw.append("reads levels, because levels are predicted")
    config, panel, left_out = without_constant(config, panel)
    saw += left_out
    config, linear = choose(
        config, [Choice("model.linear", config.window, "the whole window, in addition to the LSTM")]
    )
    refuse_short(config, panel)
    ready = prepare_for(config, panel)
    windows = {name: len(ready.moments(name)) for name in ("train", "valid", "test")}
    if not (windows["train"] and windows["valid"]):
        part = "train" if windows["valid"] else "valid"
        raise DataError(
            f"{panel.name}: no {panel.target} is known where the {part} part needs it as a target: "
            "use more rows, or other shares for --valid and --test"
        )
    config, sizes = choose(config, _sizes(windows["train"]))
    sample = STEPS * config.batch
    config, drawn = choose(config, [Choice("sample", sample, f"{STEPS} steps per epoch")])
    saw += list(_describe(config, panel, windows, ready.pad))
    task = SeriesTask(config, panel, ready)
    return Look(config, task, tuple(saw), (*read, *chosen, *linear, *sizes, *drawn))


def refuse_values(config: SeriesConfig, panel: Panel) -> None:
    """Raise an error for numbers too large to scale, and for targets that should be counts.

    Args:
        config: configuration of the run.
        panel: the series.

    Raises:
        DataError: if there is such a value; the message names the series and the time.
    """
    counts = config.likelihood == "negative-binomial"
    for series in panel.series:
        bad = np.abs(series.values) > LARGEST
        wrong, expected = bad, f"at most {LARGEST:g} in size"
        if counts and not bad.any():
            target = series.values[:, :1]
            wrong = np.isfinite(target) & ((target < 0) | (target % 1 != 0))
            expected = "a count, 0, 1, 2 ..., for --likelihood negative-binomial"
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            time = panel.form.write(series.times[row : row + 1])[0]
            raise DataError(
                f"{panel.title(series.key)}, {time}: {panel.columns[column]} must be {expected}, "
                f"got {series.values[row, column]:g}"
            )


def without_constant(config: SeriesConfig, panel: Panel) -> tuple[SeriesConfig, Panel, list[str]]:
    """Leave out input columns from which nothing can be learned.

    A holiday that occurs only after the training part is such a column.

    Args:
        config: configuration of the run, with its splits.
        panel: the series.

    Returns:
        Both without those columns, and lines that report them.
    """
    rows = np.concatenate([
        s.values[split(len(s.times), config.valid, config.test, least=config.horizon)["train"]]
        for s in panel.series
    ])  # fmt: skip
    known = [column[np.isfinite(column)] for column in rows.T]
    kept = [place for place, column in enumerate(known) if not place or np.unique(column).size > 1]
    names = {panel.columns[place] for place in kept}
    constant = [name for name in panel.columns if name not in names]
    if not constant:
        return config, panel, []
    past, ahead = (tuple(n for n in group if n in names) for group in (panel.past, panel.known))
    series = tuple(member._replace(values=member.values[:, kept]) for member in panel.series)
    message = f"left out {', '.join(constant)}, constant in the training part"
    panel = replace(panel, past=past, known=ahead, series=series)
    return replace(config, inputs=past, known=ahead), panel, [message]


def refuse_short(config: SeriesConfig, panel: Panel) -> None:
    """Raise an error if no series is long enough to learn from.

    Args:
        config: configuration of the run, with a window and a horizon.
        panel: the series.

    Raises:
        DataError: if every series is too short.
    """
    longest = max(len(series.times) for series in panel.series) - (config.read == "change")
    parts = split(longest, config.valid, config.test, gap=config.gap, least=config.horizon)
    least = -(-config.window // 2) + config.horizon
    if len(parts["train"]) < least or len(parts["valid"]) < config.horizon:
        raise DataError(
            f"{panel.name}: the longest series has {longest:,} rows, {len(parts['train']):,} of "
            f"them for training, but half a window of {config.window} and a horizon of "
            f"{config.horizon} need {least:,}: use a smaller --window or --horizon, or more rows"
        )


def _choices(config: SeriesConfig, panel: Panel) -> Iterator[Choice]:
    rows = [len(series.times) for series in panel.series]
    usual = int(np.quantile(rows, 0.25))
    preferred = 2 * config.season if config.season > 1 else 3 * config.horizon
    trained = len(split(usual, config.valid, config.test, least=config.horizon)["train"])
    maximum = max(2, min(MOST, (trained - config.horizon) * 2 // 3))
    window = min(max(preferred, config.horizon, 8), maximum)
    why = "from the horizon, because there is no season"
    if window == maximum:
        why = f"what fits in the shorter series, at most {MOST}"
    elif window == 2 * config.season:
        why = "two seasons"
    yield Choice("window", window, why)
    if config.likelihood == "negative-binomial":
        yield Choice("predict", "level", "counts")
    elif spreads(panel, config):
        yield Choice("predict", "return", "positive, and varies in proportion to its level")
    else:
        yield Choice("predict", "change", "varies about equally at every level")
    gap = config.horizon if 20 * config.horizon <= min(rows) else 0
    if gap:
        yield Choice("gap", gap, "one horizon between the parts")


def _sizes(windows: int) -> Iterator[Choice]:
    batch = 32 if windows < 4000 else 128
    yield Choice("batch", batch, f"{windows:,} training windows")
    hidden = 16 if windows < 1000 else 32
    yield Choice("model.hidden_features", hidden, f"{windows:,} training windows")


def spreads(panel: Panel, config: SeriesConfig) -> bool:
    """Return whether the target is positive and varies in proportion to its level.

    The training rows of each series are cut into seasons. The criterion is the slope of the log of
    the standard deviation over the log of the mean: 1 if in proportion, 0 if equal at every level.

    Args:
        panel: the series.
        config: configuration of the run, with its splits.
    """
    x, y = [], []
    known = (series.values[:, 0] for series in panel.series)
    if any((values[np.isfinite(values)] <= 0).any() for values in known):
        return False  # returns need positive values in every part
    for series in panel.series:
        parts = split(len(series.times), config.valid, config.test, least=config.horizon)
        stop = parts["train"].stop
        values = series.values[:stop, 0]
        values = values[np.isfinite(values)]
        size = max(config.season, 6)
        blocks = values[: len(values) // size * size].reshape(-1, size)
        mean, deviation = blocks.mean(1), blocks.std(1)
        good = deviation > 0
        if good.sum() > 1:
            logs = np.log(mean[good]), np.log(deviation[good])
            x.append(logs[0] - logs[0].mean())
            y.append(logs[1] - logs[1].mean())
    if not x:
        return False
    flat_x, flat_y = np.concatenate(x), np.concatenate(y)
    # If the level hardly changes, the slope is meaningless.
    return bool(flat_x.std() > 0.1 and (flat_x * flat_y).sum() / (flat_x**2).sum() > 0.5)


def _describe(
    config: SeriesConfig, panel: Panel, windows: dict[str, int], pad: int
) -> Iterator[str]:
    parts = [
        split(len(series.times), config.valid, config.test, gap=config.gap, least=config.horizon)
        for series in panel.series
    ]
    rows = {name: sum(len(part[name]) for part in parts) for name in windows}
    sizes = ", ".join(f"{name} {rows[name]:,} rows, {windows[name]:,} windows" for name in windows)
    yield f"split by time: {sizes}"
    if pad:
        yield (
            "some series are short: windows may begin before them, by up to half a window, which a "
            "mask marks"
        )
    if windows["train"] > config.sample:
        yield (f"an epoch draws {config.sample:,} of the {windows['train']:,} training windows")
    if not rows["test"]:
        yield "there is no test part: run evaluate with --split valid or --file"
