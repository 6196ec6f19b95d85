"""What is seen in a table of series, and what is chosen because of it."""

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
"""Rows of a window, at most, unless a user says more."""
LARGEST = 1e30
"""Of a value, so that squares of it can be summed."""
STEPS = 50
"""Training steps of an epoch, at most."""


def look(config: SeriesConfig, given: object = None) -> Look[SeriesConfig]:
    """Look at a table of one's own, and make a task of it; the package's sets leave nothing open.

    Args:
        config: of the run.
        given: a frame, if there is no file.

    Raises:
        DataError: a table that cannot be read or learned from; it says where.
    """
    if config.data != "own":
        return Look(config, make_series_task(config))
    if given is None and not config.file:
        raise DataError("--file is missing: the table with the series, such as sales.csv")
    panel, saw, choices = load_panel(config, given)
    refuse_values(config, panel)
    config = replace(
        config,
        file=str(Path(config.file).resolve()) if given is None else "",
        data_sha256=panel.sha256,
    )
    config, read = choose(config, choices)
    config, chosen = choose(config, _choices(config, panel))
    config, panel, left_out = without_constant(config, panel)
    saw += left_out
    config, linear = choose(
        config, [Choice("model.linear", config.window, "the whole window, beside the LSTM")]
    )
    refuse_short(config, panel)
    ready = prepare_for(config, panel)
    windows = {name: len(ready.moments(name)) for name in ("train", "valid", "test")}
    if not (windows["train"] and windows["valid"]):
        part = "train" if windows["valid"] else "valid"
        raise DataError(
            f"{panel.name}: no {panel.target} is known where the {part} part should foretell it: "
            "take more rows, or other shares for --valid and --test"
        )
    config, sizes = choose(config, _sizes(config, windows["train"]))
    saw += list(_said(config, panel, windows, ready.pad))
    task = SeriesTask(config, panel, ready)
    return Look(config, task, tuple(saw), (*read, *chosen, *linear, *sizes))


def refuse_values(config: SeriesConfig, panel: Panel) -> None:
    """Refuse numbers too large to be scaled, and a target that is no count where counts are asked.

    Args:
        config: of the run.
        panel: the series.

    Raises:
        DataError: for the first such value, with its series and time.
    """
    counts = config.likelihood == "negative-binomial"
    for one in panel.series:
        bad = np.abs(one.values) > LARGEST
        wrong, expected = bad, f"at most {LARGEST:g} can be learned from"
        if counts and not bad.any():
            target = one.values[:, :1]
            wrong = np.isfinite(target) & ((target < 0) | (target % 1 != 0))
            expected = "--likelihood negative-binomial takes counts, 0, 1, 2 ..."
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            time = panel.form.write(one.times[row : row + 1])[0]
            raise DataError(
                f"{panel.title(one.key)}, {time}: {panel.columns[column]} is "
                f"{one.values[row, column]:g}, and {expected}"
            )


def without_constant(config: SeriesConfig, panel: Panel) -> tuple[SeriesConfig, Panel, list[str]]:
    """Leave out columns beside the target from which nothing can be learned.

    A holiday that comes at the end of a table, after the training part, is such a column.

    Args:
        config: of the run, with its splits.
        panel: the series.

    Returns:
        Both without those columns, and what to say of them.
    """
    rows = np.concatenate([
        one.values[split(len(one.times), config.valid, config.test, least=config.horizon)["train"]]
        for one in panel.series
    ])  # fmt: skip
    known = [column[np.isfinite(column)] for column in rows.T]
    kept = [place for place, column in enumerate(known) if not place or np.unique(column).size > 1]
    names = {panel.columns[place] for place in kept}
    lost = [name for name in panel.columns if name not in names]
    if not lost:
        return config, panel, []
    past, ahead = (tuple(n for n in of if n in names) for of in (panel.past, panel.known))
    series = tuple(one._replace(values=one.values[:, kept]) for one in panel.series)
    said = f"left out, constant in the training part: {', '.join(lost)}"
    panel = replace(panel, past=past, known=ahead, series=series)
    return replace(config, inputs=past, known=ahead), panel, [said]


def refuse_short(config: SeriesConfig, panel: Panel) -> None:
    """Refuse series none of which is long enough to learn from.

    Args:
        config: of the run, with a window and a horizon.
        panel: the series.

    Raises:
        DataError: there is none.
    """
    longest = max(len(one.times) for one in panel.series) - (config.read == "change")
    parts = split(longest, config.valid, config.test, gap=config.gap, least=config.horizon)
    least = -(-config.window // 2) + config.horizon
    if len(parts["train"]) < least or len(parts["valid"]) < config.horizon:
        raise DataError(
            f"{panel.name}: the longest series has {longest:,} rows, {len(parts['train']):,} of "
            f"them to train on, where half a window of {config.window} and a horizon of "
            f"{config.horizon} need {least:,}: take a smaller --window or --horizon, or more rows"
        )


def _choices(config: SeriesConfig, panel: Panel) -> Iterator[Choice]:
    rows = [len(one.times) for one in panel.series]
    usual = int(np.quantile(rows, 0.25))
    wanted = 2 * config.season if config.season > 1 else 3 * config.horizon
    left = len(split(usual, config.valid, config.test, least=config.horizon)["train"])
    most = max(2, min(MOST, (left - config.horizon) * 2 // 3))
    window = min(max(wanted, config.horizon, 8), most)
    why = "from the horizon, as there is no season"
    if window == most:
        why = f"as many as the shorter series have room for, {MOST} at most"
    elif window == 2 * config.season:
        why = "two seasons"
    yield Choice("window", window, why)
    if config.likelihood == "negative-binomial":
        yield Choice("predict", "level", "counts")
    elif spreads(panel, config):
        yield Choice("predict", "return", "above 0, and the higher it is, the more it varies")
    else:
        yield Choice("predict", "change", "it varies as much at any height")
    gap = config.horizon if 20 * config.horizon <= min(rows) else 0
    if gap:
        yield Choice("gap", gap, "the horizon, between the parts")


def _sizes(config: SeriesConfig, windows: int) -> Iterator[Choice]:
    batch = 32 if windows < 4000 else 128
    yield Choice("batch", batch, f"{windows:,} training windows")
    yield Choice("sample", STEPS * batch, f"{STEPS} steps are an epoch")
    hidden = 16 if windows < 1000 else 32
    yield Choice("model.hidden_features", hidden, f"{windows:,} training windows")


def spreads(panel: Panel, config: SeriesConfig) -> bool:
    """Say whether the target is above 0, and varies in proportion to its height.

    Of each series' training rows, cut into seasons, the slope of ln of the standard deviation over
    ln of the mean is looked at: 1 is in proportion, 0 the same at any height.

    Args:
        panel: the series.
        config: of the run; its splits.
    """
    x, y = [], []
    for one in panel.series:
        stop = split(len(one.times), config.valid, config.test, least=config.horizon)["train"].stop
        values = one.values[:stop, 0]
        values = values[np.isfinite(values)]
        if not (values > 0).all():
            return False
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
    # Where the height hardly changes there is nothing to see.
    return bool(flat_x.std() > 0.1 and (flat_x * flat_y).sum() / (flat_x**2).sum() > 0.5)


def _said(config: SeriesConfig, panel: Panel, windows: dict[str, int], pad: int) -> Iterator[str]:
    parts = [
        split(len(one.times), config.valid, config.test, gap=config.gap, least=config.horizon)
        for one in panel.series
    ]
    rows = {name: sum(len(part[name]) for part in parts) for name in windows}
    told = ", ".join(f"{name} {rows[name]:,} rows, {windows[name]:,} windows" for name in windows)
    yield f"split by time: {told}"
    if pad:
        yield (
            "some series are short: windows may begin before they do, up to half of a window, and "
            "a mask says so"
        )
    if windows["train"] > config.sample:
        yield (f"an epoch draws {config.sample:,} of the {windows['train']:,} training windows")
    if not rows["test"]:
        yield "nothing is left to test on: evaluate takes --split valid or --file"
