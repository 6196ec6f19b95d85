"""The symbols that may come next in a poem of a given form, computed from its text with sets."""

MARKS, PAUSES, STOPS = "，。？！；：、", "，；？！", "。？！"

# 王力《詩詞格律》, line by line: 五言仄起, 仄起入韻, 平起, 平起入韻.
FIVE = (
    "中仄平平仄 平平仄仄平 中平平仄仄 中仄仄平平",
    "中仄仄平平 平平仄仄平 中平平仄仄 中仄仄平平",
    "中平平仄仄 中仄仄平平 中仄平平仄 平平仄仄平",
    "平平仄仄平 中仄仄平平 中仄平平仄 平平仄仄平",
)
SEVEN = (
    "中平中仄平平仄 中仄平平仄仄平 中仄中平平仄仄 中平中仄仄平平",
    "中平中仄仄平平 中仄平平仄仄平 中仄中平平仄仄 中平中仄仄平平",
    "中仄中平平仄仄 中平中仄仄平平 中平中仄平平仄 中仄平平仄仄平",
    "中仄平平仄仄平 中平中仄仄平平 中平中仄平平仄 中仄平平仄仄平",
)


def patterns(width, lines):
    """Return four patterns; in eight lines, the fifth does not rhyme."""
    quatrains = [text.split() for text in (FIVE if width == 5 else SEVEN)]
    if lines == 4:
        return quatrains
    unrhymed = [quatrains[0], quatrains[0], quatrains[2], quatrains[2]]
    return [first + second for first, second in zip(quatrains, unrhymed, strict=True)]


def places(text):
    """Yield (line, column, symbol) for each symbol."""
    line = column = 0
    for symbol in text:
        yield line, column, symbol
        line, column = (line + 1, 0) if symbol in MARKS else (line, column + 1)


def may_follow(
    text, symbols, rhymes, *, form=None, heads=(), lines=4, rhyme=False, tones=False, known=""
):
    """Return the set of symbols that may follow a text; "" is the end.

    `form` is the number of characters in a line, or None; `heads` is line -> character; `rhymes` is
    name -> characters; `known` is the prompt.
    """
    heads = dict(heads)
    line = sum(symbol in MARKS for symbol in text)
    column = len(text) - max([i + 1 for i, s in enumerate(text) if s in MARKS], default=0)
    if line >= lines:
        return {""}
    if column == 0 and line in heads:
        return {heads[line]}

    characters = {s for s in symbols if s not in MARKS}
    last = line == lines - 1
    if form is None:
        marks = set(STOPS if last else MARKS) if column else set()
        return (characters | marks) & set(symbols)
    if column == form:
        return set(STOPS if line % 2 or last else PAUSES) & set(symbols)

    level = {c for name, held in rhymes.items() if name[0] in "上下" and "平" in name for c in held}
    oblique = {c for name, held in rhymes.items() if "平" not in name for c in held}
    fitting = {"平": level, "仄": oblique, "中": set(symbols) | level | oblique}
    may = characters

    if tones:

        def broken(pattern):
            held = {(r, c): s for r, c, s in places(known) if s not in MARKS}
            held |= {(r, 0): s for r, s in heads.items()}
            return sum(s not in fitting[pattern[r][c]] for (r, c), s in held.items())

        every = patterns(form, lines)
        fewest = min(map(broken, every))
        still = [pattern for pattern in every if broken(pattern) == fewest]
        for r, c, s in places(text):
            if s not in MARKS:
                still = [p for p in still if s in fitting[p[r][c]]] or still
        may = may & set().union(*(fitting[pattern[line][column]] for pattern in still))

    if rhyme:
        ends = {r for r in range(lines) if r % 2}
        words = len(ends) + (1 if tones else 0)
        of = {n: set(c) & set(symbols) for n, c in rhymes.items() if not tones or "平" in n}
        still = {name: held for name, held in of.items() if len(held) >= words}
        spent = set()
        for r, c, s in places(text):
            if (
                c == form - 1
                and s not in MARKS
                and (r in ends or (tones and r == 0 and s in level))
            ):
                kept = {name: held for name, held in still.items() if s in held}
                still = kept or still
                spent.add(s)
        if column == form - 1:
            fits = set().union(*still.values()) - spent
            if line in ends:
                may = may & fits
            elif tones and line == 0:
                may = may & (fits | (set(symbols) - level))
    return may
