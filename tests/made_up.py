"""Made-up replacements for downloaded data sets, small enough to be learned in seconds."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import soundfile

from lstm_jax.train.data.sentiment import Sentiment, Text
from lstm_jax.train.data.speech import Recording, Speech
from lstm_jax.train.data.synthetic import verses
from lstm_jax.train.data.tang import Corpus


def texts(count, seed):
    """Return sentences of four words that contain "good" or "bad", and are labeled accordingly."""
    rng = np.random.default_rng(seed)
    sentences = []
    for label in rng.integers(0, 2, count).tolist():
        words = rng.choice(["a", "film", "of", "some", "kind"], 3).tolist()
        words.insert(rng.integers(0, 4), ("bad", "good")[label])
        sentences.append(Text(tuple(words), label, (0.25, 1.0)[label]))
    return tuple(sentences)


def recordings():
    """Return recordings of two digits, at two pitches, by two speakers."""
    rng = np.random.default_rng(0)
    return tuple(
        Recording(
            (np.sin(np.arange(900) * (0.4 + digit)) + 0.1 * rng.normal(size=900)).astype("f4"),
            digit, speaker, index,
        )
        for digit in range(2) for speaker in ("ada", "bob") for index in range(14)
    )  # fmt: skip


def sound(hertz, seconds=0.12, *, rate=8000, seed=0):
    """Return a tone with a little noise, which makes every recording different."""
    noise = 0.01 * np.random.default_rng(seed).normal(size=int(seconds * rate))
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(len(noise)) / rate) + noise).astype("f4")


def sound_folder(folder, *, takes=8, speakers=("ada", "bob"), rate=8000):
    """Write a folder with subfolders of low and high tones, with files such as `ada_3.wav`."""
    for number, (word, hertz) in enumerate({"low": 300, "high": 1800}.items()):
        (folder / word).mkdir(parents=True)
        for who, speaker in enumerate(speakers):
            for take in range(takes):
                seed = 100 * number + 10 * who + take
                samples = sound(hertz + 20 * who, rate=rate, seed=seed)
                soundfile.write(folder / word / f"{speaker}_{take}.wav", samples, rate)
    return folder


def sentiment_data():
    """Return a small replacement for the sentiment data."""
    data = Sentiment(texts(60, 0), texts(12, 1), texts(20, 2), texts(30, 3), 0, "0" * 64)
    neutral = (Text(("film",), None, 0.5), Text(("a", "kind"), None, 0.4))
    return replace(data, phrases=data.phrases + neutral)


def speech_data():
    """Return a small replacement for the speech data."""
    return Speech(recordings(), "1" * 64)


def series_rows(name):
    """Return a few rows of a series, in the format of the real files."""
    random = np.random.default_rng(5)
    days = np.datetime64("2012-01-01") + np.arange(120) * np.timedelta64(1, "D")
    levels = 20 + random.normal(size=(4, 120)).cumsum(1)
    if name == "weather":
        names = ("precipitation", "temp_max", "temp_min", "wind")
        return [
            {"date": str(day), **dict(zip(names, row, strict=True))}
            for day, row in zip(days, levels.T, strict=True)
        ]
    if name == "sensor":
        times = np.datetime64("2016-02-15T00:00") + np.arange(120) * np.timedelta64(30, "m")
        return [
            {"time (UTC)": f"{time}:00Z", "temperature (celsius)": value}
            for time, value in zip(times, levels[0], strict=True)
        ]
    return [
        {"Ticker": ticker, "Date": str(day), "Adj Close": price}
        for ticker, prices in zip(("AAPL", "GOOG", "IBM", "MSFT"), np.exp(levels / 9), strict=True)
        for day, price in zip(days, prices, strict=True)
    ]


def tang_data():
    """Return a small replacement for the poems."""
    poems = verses(6, seed=0)
    return Corpus("tang", poems[:2], poems[2:4], poems[4:], 6, 6, "2" * 64)


def shakespeare_data():
    """Return a small replacement for Shakespeare's plays."""
    return {"train": (" ".join(verses(2, seed=3)),), "valid": (" ".join(verses(1, seed=4)),)}


def own_series(file="", **fields):
    """Return the fields that configure a user's table, with only the target `y` set."""
    names = ("encoding", "time", "time_format", "zone", "every")
    open_fields = dict.fromkeys(names, "") | dict.fromkeys(("inputs", "known", "by", "static"), ())
    set_fields = {"target": "y", "resample": "refuse", "season": 0, "file": str(file)} | fields
    return SimpleNamespace(**open_fields | set_fields)
