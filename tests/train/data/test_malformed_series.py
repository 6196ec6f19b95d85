"""Two hundred broken tables: each is refused in one line or loaded, soon and with no trace."""

import random
import time
from collections import Counter

import numpy as np
import pytest
from made_up import own_series

from lstm_jax.errors import UserError
from lstm_jax.train.data.panels.load import load_panel, read_new

COUNT = 200
ROLES = {"time": "day", "by": ("store",), "known": ("price",), "static": ("kind",)}
CELLS = [
    *["", " ", "NA", "-", "inf", "-inf", "1e999", "1e308", "nan", "0x1", "1,5", "١٢", "１", "True"],
    *["yes", "null", "\0", "'", "\u2028", "𝄞", "9" * 400, "-0", "1_0", "1e-320", "[]", "{}", "=A1"],
    *["2024-02-30", "2024-13-01", "0001-01-01", "9999-12-31", "99999-01-01", "01/02/2024", "2024"],
    *[
        "24:00",
        "2024-01-01T24:00",
        "2024-01-01Z",
        "2024-01-01T00:00+99:99",
        "1709251200",
        "20240101",
    ],
    *[
        "2024-03-31 02:30",
        "2024-W05",
        "Jan 2024",
        "2024-01-01T00:00:00.9999999",
        "45292",
        "-5",
        "20240101",
    ],
]
ROLE_VALUES = {
    "time": ["", "day", "store", "y", "price", "no such"],
    "time_format": ["", "%Y-%m-%d", "%d.%m.%Y", "%", "%Q", "%j", "(", "%Y%Y", "%z"],
    "zone": ["", "Europe/Berlin", "Mars", "+02:00", "UTC", "\0", "../x", "America/New_York"],
    "every": ["", "1d", "1s", "1mo", "weekday", "1w", "10", "0d", "1y-end", "x" * 99, "999999999d"],
    "resample": ["refuse", "mean", "last", "sum"],
    "target": ["y", "", "store", "price", "no such", "y,price"],
    "by": [(), ("store",), ("day",), ("store,kind",), ("store", "store"), (",",), ("",)],
    "known": [(), ("price",), ("kind",), ("y",), ("price,price",)],
    "static": [(), ("kind",), ("price",), ("store",)],
    "encoding": ["", "latin-1", "utf-16", "no such", "rot13", "idna", "utf-7"],
    "season": [0, 1, 7, 10**9],
}


def table(rng):
    """A good table, as rows of texts with a header."""
    rows = [["day", "store", "y", "price", "kind"]]
    for store in range(rng.randint(1, 3)):
        for day in range(rng.randint(3, 25)):
            day = np.datetime64("2024-03-25") + np.timedelta64(day, "D")
            rows.append([str(day), f"s{store}", str(rng.randint(0, 9)), "1.5", f"k{store}"])
    return rows


def broken_cells(rng, rows):
    for _ in range(rng.randint(1, 4)):
        row = rng.choice(rows[1:])
        row[rng.randrange(len(row))] = rng.choice(CELLS)


def broken_column(rng, rows):
    column = rng.randrange(len(rows[0]))
    cells = [rng.choice(CELLS)] if rng.random() < 0.5 else CELLS
    for row in rows[1:]:
        row[column] = rng.choice(cells)


def broken_rows(rng, rows):
    how = rng.choice(["short", "long", "none", "one", "twice", "shuffled", "jump", "hours"])
    row = rng.choice(rows[1:])
    if how in ("short", "long"):
        row[:] = row[:-1] if how == "short" else [*row, "1"]
    elif how in ("none", "one"):
        del rows[1 if how == "none" else 2 :]
    elif how in ("twice", "shuffled"):
        some = rows[1:] * (2 if how == "twice" else 1)
        rng.shuffle(some)
        rows[1:] = [list(row) for row in some]
    elif how == "jump":
        row[0] = rng.choice(["0001-01-01", "9999-12-31", "2524-03-25", "1024-01-01"])
    else:
        for row in rows[1:]:
            row[0] += f" {rng.randrange(24):02}:{rng.randrange(60):02}"


def broken_header(rng, rows):
    names = rows[0]
    names[rng.randrange(len(names))] = rng.choice(
        ["y", "day", "", "DAY", "x" * 10_000, "\ufeff", "1"]
    )
    if rng.random() < 0.3:
        rows.pop(0)


def written(rng, rows):
    """What a file holds of rows, and how its name ends."""
    mark = rng.choice([",", ",", ";", "\t", "|"])
    content = "".join(mark.join(row) + "\n" for row in rows)
    return content.encode("utf-8", "surrogatepass"), rng.choice([".csv", ".csv", ".txt", ".tsv"])


def as_json(rng, rows):
    lines = []
    for row in rows[1:]:
        pairs = ", ".join(f'"{name}": "{cell}"' for name, cell in zip(rows[0], row, strict=False))
        lines.append("{" + pairs + "}")
    lines[rng.randrange(len(lines))] = rng.choice(
        ["{", "[]", "1", '{"y": [1]}', '{"y": {"y": 1}}', "[" * 5000, '{"y": NaN}', '{"y": 1e999}']
    )
    return "\n".join(lines).encode(), ".jsonl"


def broken_bytes(rng, content):
    place = rng.randrange(len(content))
    ways = {
        "cut": content[:place],
        "noise": content[:place] + rng.randbytes(5) + content[place:],
        "zeros": content[:place] + bytes(50) + content[place:],
        "quote": content[:place] + b'"' + content[place:],
        "binary": rng.randbytes(500),
        "empty": b"",
        "utf-16": content.decode().encode("utf-16"),
        "latin-1": content.replace(b"s0", "grün".encode("latin-1")),
        "CR": content.replace(b"\n", rng.choice([b"\r", b"\r\r\n", b"\x0c", b"\x85"])),
    }
    return ways[rng.choice(sorted(ways))]


def malformed(seed):
    """A broken table's bytes, the ending of its name, and the options that it is read with."""
    rng = random.Random(seed)
    rows, roles = table(rng), dict(ROLES)
    kind = rng.choice(["cells", "column", "rows", "header", "bytes", "json", "roles", "roles"])
    if kind in ("cells", "column", "rows", "header"):
        {
            "cells": broken_cells,
            "column": broken_column,
            "rows": broken_rows,
            "header": broken_header,
        }[kind](rng, rows)
    content, ending = as_json(rng, rows) if kind == "json" else written(rng, rows)
    if kind == "bytes":
        content = broken_bytes(rng, content)
        ending = rng.choice([ending, ending, ".parquet", ".jsonl", ".xlsx"])
    for name in rng.sample(sorted(ROLE_VALUES), 2 if kind == "roles" else rng.choice([0, 0, 1])):
        roles[name] = rng.choice(ROLE_VALUES[name])
    return content, ending, roles


def outcome(config):
    """What becomes of a table: "loaded", or why it is refused. A trace ends the test."""
    try:
        panel, said, choices = load_panel(config)
    except UserError as error:
        return str(error)
    for one in panel.series:
        assert one.values.shape == (len(one.times), len(panel.columns))
        assert (np.diff(one.times).astype(int) > 0).all()
        assert not np.isinf(one.values).any()
        assert np.isfinite(one.values[:, 0]).any()
        assert len(panel.form.write(panel.after(one.times[-1], 3))) == 3
    assert all("\n" not in line for line in said)
    chosen = {choice.field: choice.value for choice in choices}
    for name in ("every", "zone"):
        setattr(config, name, getattr(config, name) or chosen.get(name, ""))
    again = read_new(config, panel.levels, config.file)  # what was chosen reads the table again
    assert len(again.series) == len(panel.series)
    return "loaded"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What became of each, and in how many seconds of this process."""
    folder, found = tmp_path_factory.mktemp("malformed"), []
    for seed in range(COUNT):
        content, ending, roles = malformed(seed)
        path = folder / f"{seed}{ending}"
        path.write_bytes(content)
        start = time.process_time()
        found.append((outcome(own_series(path, **roles)), time.process_time() - start))
    return found


def test_each_is_loaded_or_refused_in_one_line(outcomes):
    for said, _ in outcomes:
        assert said
        assert "\n" not in said
        assert len(said) < 700


def test_none_takes_long(outcomes):
    assert max(seconds for _, seconds in outcomes) < 1


def test_they_are_broken_in_many_ways(outcomes):
    counts = Counter(said == "loaded" for said, _ in outcomes)
    assert min(counts[True], counts[False]) >= COUNT // 20
