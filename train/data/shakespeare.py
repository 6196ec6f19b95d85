"""tinyshakespeare: 1,115,394 characters of Shakespeare's plays as one text, in its usual split.

The text is in the public domain; the file comes from github.com/karpathy/char-rnn.
"""

from __future__ import annotations

from lstm_jax.train.data.download import Source, fetch

COMMIT = "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e"
FILE = "input.txt"
SOURCE = Source(
    name="tinyshakespeare",
    base_url=f"https://raw.githubusercontent.com/karpathy/char-rnn/{COMMIT}/data/tinyshakespeare",
    files={FILE: "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"},
)
TRAINED = 1_003_854  # characters to train on; the rest is held out


def load() -> dict[str, tuple[str, ...]]:
    """Load the text: "train" is the first 1,003,854 characters, "valid" the rest.

    Raises:
        DataError: if the file is missing, altered or out of reach.
    """
    text = fetch(SOURCE)[FILE].read_text(encoding="utf-8")
    return {"train": (text[:TRAINED],), "valid": (text[TRAINED:],)}


def describe() -> tuple[dict[str, object], str]:
    """Describe the set for `lstm-jax data`: the number of characters in each split.

    Returns:
        Figures for JSON, and lines of text for a person.

    Raises:
        DataError: if the file is missing, altered or out of reach.
    """
    splits = {name: sum(map(len, texts)) for name, texts in load().items()}
    lines = [f"{name:6} {count:10,} characters" for name, count in splits.items()]
    return {"sha256": SOURCE.sha256, "characters": splits}, "\n".join(lines)
