"""An n-gram model, to measure language models by: modified Kneser-Ney, interpolated.

    P_k(w | h) = (a(hw) - D_k(a(hw))) / Σ_v a(hv) + γ(h) P_{k-1}(w | h'),   P_0(w) = 1 / V

h' is h without its first symbol, and P_{k-1} alone where h was never read. a counts what was read:
of the longest n-grams, and of those at the beginning of a text, how often; of the others, how many
different symbols came before them. D_k takes one of three discounts, for a = 1, 2 and more, from
how many n-grams of order k have a = 1, 2, 3 and 4, and γ(h) gives away what was taken off (Chen and
Goodman 1999, "An empirical study of smoothing techniques for language modeling").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

DISCOUNTS = (0.5, 1.0, 1.5)  # where too few n-grams were read to say


class Order(NamedTuple):
    """The n-grams of one order, each by its number.

    Args:
        keys: sorted, (N,): the number of an n-gram's first k - 1 symbols, times V, plus its last.
        left: (N,), the n-gram's own share, (a - D) / Σ a.
        backed: by the number of h, (M,), γ(h); 1 where h was never read.
    """

    keys: np.ndarray
    left: np.ndarray
    backed: np.ndarray


@dataclass(frozen=True)
class NGrams:
    """A model that was counted.

    Attributes:
        orders: from the unigrams on.
        size: V, of the vocabulary.
        end_id: what stands before a text.
        ends: whether it also closes a text, and is predicted there.
    """

    orders: tuple[Order, ...]
    size: int
    end_id: int
    ends: bool

    def probabilities(self, texts: Sequence[np.ndarray]) -> np.ndarray:
        """Give the probability of each symbol after those before it in its text.

        Args:
            texts: ids in [0, V), without END.

        Returns:
            float64, one for each symbol, the texts one after the other, each with its END if
            `ends`.
        """
        ids, depths = _joined(texts, self.end_id, ends=self.ends)
        predicted = depths > 0
        found = np.full(ids.size, 1 / self.size)
        grams = ids.astype(np.int64)
        for number, order in enumerate(self.orders):
            last = number + 1 == len(self.orders)
            context = _before(grams) if number else np.zeros_like(grams)
            known = (context >= 0) & (depths >= number)
            keys = np.where(known, context * self.size + ids, -1)
            gram = _find(order.keys, keys)
            backed = np.where(known, order.backed[np.where(known, context, 0)], 1.0)
            left = np.where(gram >= 0, order.left[gram], 0.0)
            found = np.where(predicted, left + backed * found, found)
            if number and not last:
                grams = gram
        return found[predicted]


def count(
    texts: Sequence[np.ndarray], *, size: int, end_id: int, ends: bool = True, order: int = 5
) -> NGrams:
    """Count the n-grams of texts.

    Args:
        texts: ids in [0, V), without END.
        size: V, of the vocabulary.
        end_id: what stands before a text.
        ends: whether it also closes a text.
        order: the longest n-gram's symbols.
    """
    ids, depths = _joined(texts, end_id, ends=ends)
    order = min(order, int(depths.max(initial=0)) + 1)  # no n-gram is longer than all texts
    grams, places, keys = [ids.astype(np.int64)], [], []
    for k in range(1, order + 1):
        there = np.flatnonzero(depths >= max(k - 1, 1))
        context = _before(grams[-1])[there] if k > 1 else np.zeros_like(there)
        found, first, inverse = np.unique(
            context * size + ids[there], return_index=True, return_inverse=True
        )
        gram = np.full(ids.size, -1)
        gram[there] = inverse
        keys.append(found)
        places.append((gram, there[first]))
        grams.append(grams[0] if k == 1 else gram)
    orders = []
    for k in range(1, order + 1):
        gram, first = places[k - 1]
        counts = np.bincount(gram[gram >= 0], minlength=len(first))
        if k < order:
            longer = places[k][1]  # a place of each n-gram that is longer by one
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
    """Count the n-grams of some texts, and give the mean -ln p of others under them.

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
    found = (1 - 2 * y * twos / ones, 2 - 3 * y * threes / twos, 3 - 4 * y * fours / threes)
    return found if all(0 <= d <= n for n, d in enumerate(found, 1)) else DISCOUNTS


def _joined(
    texts: Sequence[np.ndarray], end_id: int, *, ends: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Join texts, each behind an END: the ids, and how many symbols of its text are before each."""
    end = np.array([end_id], np.int32)
    pieces = [piece for text in texts for piece in (end, text, end[: int(ends)])]
    ids = np.concatenate(pieces or [np.zeros(0, np.int32)])
    depths = [np.arange(len(text) + 1 + ends) for text in texts]
    return ids, np.concatenate(depths or [np.zeros(0, int)])


def _before(grams: np.ndarray) -> np.ndarray:
    """Give at each place the number of the n-gram that ends just before it."""
    return np.concatenate([np.full(1, -1), grams[:-1]])


def _find(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Find sorted keys: their numbers, -1 for what is none of them."""
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, places, -1)
