"""Files that are no good texts, or hardly: what users have on their disks."""

import numpy as np

GOOD = "\n".join(f"The {n}th line of a file that was fine.\n" for n in range(60)).encode()
ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "latin-1", "gb18030", "shift_jis", "cp1252")


def malformed(seed):
    """`(name, bytes)` of some fifty files."""
    rng = np.random.default_rng(seed)
    yield from {
        "nothing": b"", "a blank": b" ", "line feeds": b"\n" * 300, "a mark": b"\xef\xbb\xbf",
        "two marks": b"\xef\xbb\xbf\xef\xbb\xbf" + GOOD, "half a mark": b"\xef\xbb" + GOOD,
        "one character": b"a", "one line": b"a" * 5000, "one character a line": b"a\n" * 2000,
        "the same line": b"a line that stands here again and again\n" * 300,
        "returns": GOOD.replace(b"\n", b"\r"), "mixed ends": GOOD.replace(b"T", b"\r\n"),
        "zeros": bytes(4000), "a zero": GOOD + b"\0", "escapes": GOOD.replace(b"T", b"\x1b[0m"),
        "separators": GOOD.replace(b"e", "\u2028".encode()), "tabs": GOOD.replace(b" ", b"\t"),
        "marks that combine": ("e\u0301" * 3000).encode(),
        "marks alone": ("\u0301" * 3000).encode(),
        "right to left": "\u202eمرحبا بالعالم\u202c\n".encode() * 200,
        "joined faces": "👩\u200d👩\u200d👧 ".encode() * 500,
        "far planes": "\U0010fffd\U0001f600".encode() * 900,
        "replaced": "\ufffd? ".encode() * 900, "half a pair": b"\xed\xa0\x80" * 300,
        "overlong": b"\xc0\x80" * 300, "cut in a character": GOOD + "床".encode()[:2],
        "blanks of many kinds": "\u00a0\u2003\u3000\u200b ".encode() * 900,
        "all of two bytes": "".join(map(chr, range(0xA0, 0x800))).encode() * 2,
        "all of Han": "".join(map(chr, range(0x4E00, 0x9FFF))).encode(),
        "an archive": b"PK\x03\x04" + rng.bytes(3000),
        "a picture": b"\x89PNG\r\n\x1a\n" + rng.bytes(3000),
        "a program": b"\x7fELF" + bytes(60) + rng.bytes(3000),
        "compressed": b"\x1f\x8b" + rng.bytes(3000),
        "JSON": b'{"a": [1, 2, {"b": "c"}]}\n' * 200, "a table": b"a,b,c\n1,2,3\n" * 300,
    }.items()  # fmt: skip
    for encoding in ENCODINGS:
        yield encoding, ("né à la forêt, « où » 你好 テスト\n" * 99).encode(encoding, "ignore")
    for number in range(10):
        yield f"random bytes {number}", rng.bytes(int(rng.integers(1, 4000)))
        spoiled = bytearray(GOOD)
        for place in rng.integers(0, len(spoiled), 3):
            spoiled[place] = int(rng.integers(0, 256))
        yield f"spoiled {number}", bytes(spoiled[: int(rng.integers(1, len(spoiled)))])
