"""Files that are no good to a classifier, or only half: made up, the same each time."""

from __future__ import annotations

import random

WORDS = "good bad film dull moving long the of and a".split()


def text_rows(rng, count=60):
    return [(rng.choice(["pos", "neg"]), " ".join(rng.choices(WORDS, k=rng.randint(1, 9))))
            for _ in range(count)]  # fmt: skip


def csv_of(rows, head="label,text"):
    return "\n".join([head, *(",".join(row) for row in rows)]) + "\n"


def texts(seed):
    """Give one malformed table of texts: its ending and its bytes."""
    rng = random.Random(seed)
    rows = text_rows(rng)
    good = csv_of(rows).encode()
    place = rng.randrange(20, len(good) - 20)
    kinds = (
        lambda: b"",
        lambda: b"label,text\n",
        lambda: b"\n\n\n",
        lambda: good[:place],
        lambda: rng.randbytes(300),
        lambda: good[:place] + b"\x00\xff" + good[place:],
        lambda: good.decode().encode("utf-16"),
        lambda: (good.decode() + "pos,é\n").encode("latin-1"),
        lambda: csv_of(rows, "label,label").encode(),
        lambda: csv_of(rows, "label,review").encode(),
        lambda: good.replace(b"\n", b",x\n", 7).replace(b",x", b"", 1),
        lambda: csv_of([("pos", text) for _, text in rows]).encode(),
        lambda: csv_of([(str(i), text) for i, (_, text) in enumerate(rows)]).encode(),
        lambda: csv_of([("", text) for _, text in rows]).encode(),
        lambda: csv_of([(label, "") for label, _ in rows]).encode(),
        lambda: csv_of(rows[:3]).encode(),
        lambda: csv_of([(label, "same") for label, _ in rows]).encode(),
        lambda: csv_of([(rng.choice(["1", "x", "nan", "1e999"]), t) for _, t in rows]).encode(),
        lambda: csv_of([(label, '"never closed ' + text) for label, text in rows]).encode(),
        lambda: csv_of([(label, text * 400) for label, text in rows]).encode(),
        lambda: csv_of([(label, "?!. ," .replace(",", ";")) for label, _ in rows]).encode(),
        lambda: csv_of([(label, "\u200b\u3000") for label, _ in rows]).encode(),
        lambda: good.replace(b"\n", b"\r"),
        lambda: b"\xef\xbb\xbf" + good.replace(b"\n", b"\r\n"),
    )  # fmt: skip
    return ".csv", kinds[seed % len(kinds)]()


def json_lines(seed):
    """Give one malformed JSONL table of texts."""
    rng = random.Random(seed)
    good = [f'{{"label": "{label}", "text": "{text}"}}' for label, text in text_rows(rng)]
    place = rng.randrange(len(good))
    bad = ("{", "[1, 2]", '"text"', "{}", "null", '{"label": {"a": [1]}, "text": [1, 2]}',
           '{"label": 1e999, "text": NaN}', "[" * 100_000)[seed % 8]  # fmt: skip
    return ".jsonl", "\n".join([*good[:place], bad, *good[place:]]).encode()


def step_rows(rng, sequences=16):
    for name in range(sequences):
        for t in range(rng.randint(1, 6)):
            yield [str(name), str(t), f"{rng.gauss(0, 1):.3f}", f"{rng.gauss(0, 1):.3f}",
                   "ab"[name % 2]]  # fmt: skip


def sequences(seed):
    """Give one malformed long table of sequences, with the columns id, t, x, y and label."""
    rng = random.Random(seed)
    rows, head = list(step_rows(rng)), "id,t,x,y,label"
    row, column = rng.randrange(len(rows)), rng.randrange(5)
    cell = rng.choice(["", "?", "inf", "-1e400", "1e308", "x", "2020-01-01", "\x00"])
    changed = [list(one) for one in rows]
    changed[row][column] = cell
    kinds = (
        lambda: csv_of(changed, head),
        lambda: csv_of(rows, "id,t,x,x,label"),
        lambda: csv_of(rows, "name,t,x,y,label"),
        lambda: csv_of([[*one[:4], "a"] for one in rows], head),
        lambda: csv_of([[*one[:4], ""] for one in rows], head),
        lambda: csv_of([[one[0], "0", *one[2:]] for one in rows], head),
        lambda: csv_of([[str(i), *one[1:]] for i, one in enumerate(rows)], head),
        lambda: csv_of([[*one[:2], "", "", one[4]] for one in rows], head),
        lambda: csv_of([[*one[:2], "7", "7", one[4]] for one in rows], head),
        lambda: csv_of([[*one[:2], "1e300", "-1e300", one[4]] for one in rows], head),
        lambda: csv_of(rows[:2], head),
        lambda: csv_of([[*one, *["0"] * 1200] for one in rows],
                       head + "".join(f",c{i}" for i in range(1200))),
    )  # fmt: skip
    return ".csv", kinds[seed % len(kinds)]().encode()


def archives(seed):
    """Give one malformed .ts file."""
    rng = random.Random(seed)
    lines = [f"{rng.random():.2f},{rng.random():.2f}:1,2:{'ab'[i % 2]}" for i in range(20)]
    place = rng.randrange(len(lines))
    head = ["@problemName X", "@timeStamps false", "@classLabel true a b", "@data"]
    bad = ("", ":::", "1,2", "(0,1),(1,2):a", "1,2:3:a", "1e999:1:a", "?:?:a", "a:b:c",
           "1,2:1,2:\x00", "1,2:1,2:c", ",:,:a")[seed % 11]  # fmt: skip
    if seed % 5 == 0:
        head = head[: rng.randrange(4)]
    if seed % 7 == 0:
        lines = lines[:1]
    return ".ts", "\n".join([*head, *lines[:place], bad, *lines[place:]]).encode()


CASES = {
    f"{make.__name__} {seed}": (make, seed)
    for make, count in ((texts, 24), (json_lines, 8), (sequences, 24), (archives, 22))
    for seed in range(count)
}
