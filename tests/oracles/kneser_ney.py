"""Interpolated modified Kneser-Ney as in its paper, with dictionaries of tuples, and sums."""

from collections import Counter


class KneserNey:
    """Estimate P(w | h) after Chen & Goodman 1999; every text is preceded by one END."""

    def __init__(self, texts, size, end, *, ends, order):
        self.size, self.order = size, order
        counts = [Counter() for _ in range(order + 1)]
        beginnings = set()
        for text in texts:
            symbols = (end, *text, *([end] if ends else []))
            for last in range(1, len(symbols)):
                for k in range(1, min(order, last + 1) + 1):
                    gram = symbols[last - k + 1 : last + 1]
                    counts[k][gram] += 1
                    if k == last + 1:
                        beginnings.add(gram)
        self.adjusted = [{}]
        for k in range(1, order + 1):
            different = Counter(longer[1:] for longer in (counts[k + 1] if k < order else ()))
            self.adjusted.append(
                {
                    gram: count if k == order or gram in beginnings else different[gram]
                    for gram, count in counts[k].items()
                }
            )
        self.discounts = [None, *(discounts(counts.values()) for counts in self.adjusted[1:])]

    def probability(self, symbol, before):
        """Return P of a symbol after those before it, which include the END at the beginning."""
        return self.backed_off(symbol, tuple(before)[-(self.order - 1) :] if self.order > 1 else ())

    def backed_off(self, symbol, h):
        lower = self.backed_off(symbol, h[1:]) if h else 1 / self.size
        k = len(h) + 1
        after = {gram: count for gram, count in self.adjusted[k].items() if gram[:-1] == h}
        if not after:
            return lower
        total, taken = sum(after.values()), self.discounts[k]
        gamma = sum(taken[min(count, 3)] for count in after.values()) / total
        count = after.get((*h, symbol), 0)
        return (count - taken[min(count, 3)]) / total + gamma * lower


def discounts(counts):
    """Compute the discounts of counts 0, 1, 2, and 3 or more."""
    n = Counter(counts)
    if all(n[c] for c in (1, 2, 3, 4)):
        y = n[1] / (n[1] + 2 * n[2])
        result = [0, *(c - (c + 1) * y * n[c + 1] / n[c] for c in (1, 2, 3))]
        if all(0 <= result[c] <= c for c in (1, 2, 3)):
            return result
    return [0, 0.5, 1.0, 1.5]
