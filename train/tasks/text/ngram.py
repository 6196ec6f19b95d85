"""An n-gram model as a baseline for language models: interpolated modified Kneser-Ney.

    P_k(w | h) = (a(hw) - D_k(a(hw))) / Σ_v a(hv) + γ(h) P_{k-1}(w | h'),   P_0(w) = 1 / V

h' is h without its first symbol; if h was never read, P_{k-1} is used alone. For the longest
n-grams, and for those at the beginning of a text, a is how often the n-gram was read; for all
others, it is the number of different symbols before it. D_k takes one of three discounts, for a =
1, 2 and more, computed from the numbers of n-grams of order k with a = 1, 2, 3 and 4, and γ(h)
redistributes what was discounted (Chen and Goodman 1999, "An empirical study of smoothing
techniques for language modeling").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

DISCOUNTS = (0.5, 1.0, 1.5)  # if too few n-grams were read to estimate them


class Order(NamedTuple):
    """Store the n-grams of one order, each under a number.

    Args:
        keys: (N,), sorted: the number of the first k - 1 symbols of an n-gram, times V, plus its
            last symbol.
        left: (N,), the discounted share of each n-gram, (a - D) / Σ a.
        backed: (M,), γ(h) by the number of h; 1 if h was never read.
    """

    keys: np.ndarray
    left: np.ndarray
    backed: np.ndarray


@dataclass(frozen=True)
class NGrams:
    """Store the counts of an n-gram model.

    Attributes:
        orders: the n-grams of each order, starting with the unigrams.
        size: V, the size of the vocabulary.
        end_id: the id of END, which precedes each text.
        ends: whether END also closes each text, and is predicted there.
    """

    orders: tuple[Order, ...]
    size: int
    end_id: int
    ends: bool

    def probabilities(self, texts: Sequence[np.ndarray]) -> np.ndarray:
        """Compute the probability of each symbol, given the symbols before it in its text.

        Args:
            texts: ids in [0, V), without END.

        Returns:
            The probabilities of all symbols of all texts, joined, in float64; each text includes
            its END if `ends`.
        """
        ids, depths = _joined(texts, self.end_id, ends=self.ends)
        predicted = depths > 0
        mixed = np.full(ids.size, 1 / self.size)
        grams = ids.astype(np.int64)
        for number, order in enumerate(self.orders):
            last = number + 1 == len(self.orders)
            context = _before(grams) if number else np.zeros_like(grams)
            known = (context >= 0) & (depths >= number)
            keys = np.where(known, context * self.size + ids, -1)
            gram = _find(order.keys, keys)
            backed = np.where(known, order.backed[np.where(known, context, 0)], 1.0)
            discounted = np.where(gram >= 0, order.left[gram], 0.0)
            mixed = np.where(predicted, discounted + backed * mixed, mixed)
            if number and not last:
                grams = gram
        return mixed[predicted]


def count(
    texts: Sequence[np.ndarray], *, size: int, end_id: int, ends: bool = True, order: int = 5
) -> NGrams:
    """Count the n-grams of texts.

    Args:
        texts: ids in [0, V), without END.
        size: V, the size of the vocabulary.
        end_id: the id of END, which precedes each text.
        ends: whether END also closes each text.
        order: length of the longest n-grams.
    """
    ids, depths = _joined(texts, end_id, ends=ends)
    order = min(order, int(depths.max(initial=0)) + 1)  # no n-gram is longer than every text
    grams, places, keys = [ids.astype(np.int64)], [], []
    for k in range(1, order + 1):
        places_read = np.flatnonzero(depths >= max(k - 1, 1))
        context = _before(grams[-1])[places_read] if k > 1 else np.zeros_like(places_read)
        distinct, first, inverse = np.unique(
            context * size + ids[places_read], return_index=True, return_inverse=True
        )
        gram = np.full(ids.size, -1)
        gram[places_read] = inverse
        keys.append(distinct)
        places.append((gram, places_read[first]))
        grams.append(grams[0] if k == 1 else gram)
    orders = []
    for k in range(1, order + 1):
        gram, first = places[k - 1]
        counts = np.bincount(gram[gram >= 0], minlength=len(first))
        if k < order:
            longer = places[k][1]  # the first place of each n-gram that is longer by one
            different = np.bincount(gram[longer], minlength=len(first))
            counts = np.where(depths[first] == k - 1, counts, different)
        contexts = size if k == 2 else len(keys[k - 2]) if k > 2 else 1
        orders.append(_order(keys[k - 1], counts, size, contexts))
    return NGrams(tuple(orders), size, end_id, ends)


def mean_nats(
    trained: Sequence[np.ndarray],
    held_out: Sequence[np.ndarray],
    *,
    size: int,
    end_id: int,
    ends: bool = True,
    order: int = 5,
) -> float:
    """Count the n-grams of the training texts, and compute the mean -ln p of held-out texts.

    Args:
        trained, held_out: ids in [0, V), without END.
        size, end_id, ends, order: as in `count`.
    """
    grams = count(trained, size=size, end_id=end_id, ends=ends, order=order)
    return float(-np.log(grams.probabilities(held_out)).mean())


def _order(keys: np.ndarray, counts: np.ndarray, size: int, contexts: int) -> Order:
    context = keys // size
    discounts = np.array([0.0, *_discounts(counts)])[np.minimum(counts, 3)]
    total = np.bincount(context, weights=counts, minlength=contexts)
    taken = np.bincount(context, weights=discounts, minlength=contexts)
    backed = np.divide(taken, total, out=np.ones(contexts), where=total > 0)
    return Order(keys, (counts - discounts) / total[context], backed)


def _discounts(counts: np.ndarray) -> Sequence[float]:
    ones, twos, threes, fours = (int((counts == n).sum()) for n in (1, 2, 3, 4))
    if not (ones and twos and threes and fours):
        return DISCOUNTS
    y = ones / (ones + 2 * twos)
    discounts = (1 - 2 * y * twos / ones, 2 - 3 * y * threes / twos, 3 - 4 * y * fours / threes)
    return discounts if all(0 <= d <= n for n, d in enumerate(discounts, 1)) else DISCOUNTS


def _joined(
    texts: Sequence[np.ndarray], end_id: int, *, ends: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Join texts, each after an END: the ids, and the number of symbols before each in its text."""
    end = np.array([end_id], np.int32)
    pieces = [piece for text in texts for piece in (end, text, end[: int(ends)])]
    ids = np.concatenate(pieces or [np.zeros(0, np.int32)])
    depths = [np.arange(len(text) + 1 + ends) for text in texts]
    return ids, np.concatenate(depths or [np.zeros(0, int)])


def _before(grams: np.ndarray) -> np.ndarray:
    """Return at each place the number of the n-gram that ends just before it."""
    return np.concatenate([np.full(1, -1), grams[:-1]])


def _find(keys: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Return the indices of queries in the sorted keys, -1 for those that are not among them."""
    indices = np.minimum(np.searchsorted(keys, queries), len(keys) - 1)
    return np.where(keys[indices] == queries, indices, -1)
