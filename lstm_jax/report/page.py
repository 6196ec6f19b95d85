"""`lstm-jax diagnose`: the answers of `lstm_jax.report` as a folder that a person reads.

report.html       the six questions: pictures, figures in words, what they mean; one file
gates.html        every gate at every character of the first text
diagnosis.json    all figures
*.png, *.svg      the pictures
"""

from __future__ import annotations

import base64
import contextlib
import html
import json
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import tyro

from lstm_jax.animation.page import gate_animation_html
from lstm_jax.recurrence import trace
from lstm_jax.report import diagnose
from lstm_jax.report.findings import answers, summary
from lstm_jax.report.poems import HELD_OUT
from lstm_jax.report.reading import QUICK, ReportError, Settings, encode, recurrence
from lstm_jax.text.language import LanguageModel, load
from lstm_jax.text.lines import read_lines
from lstm_jax.text.script import to_traditional

PAGE, GATES, FIGURES = "report.html", "gates.html", "diagnosis.json"
PICTURES = ("adjoints", "units", "jacobians", "lyapunov", "roads", "gates", "context")
OWN = {PAGE, GATES, FIGURES, *(f"{name}.{kind}" for name in PICTURES for kind in ("png", "svg"))}
DOING = {
    "reading": "reading the texts",
    "adjoints": "1 of 6: how far back does the loss feel?",
    "jacobians": "2 of 6: what do the steps do to a perturbation?",
    "lyapunov": "3 of 6: chaotic, contracting, or on the edge?",
    "roads": "4 of 6: which road does the gradient take?",
    "gates": "5 of 6: what do the gates do?",
    "context": "6 of 6: how long does it remember?",
}
MAX_LAGS = 128  # the work of three of the questions grows as the square
HEAT = 10.0  # nats at which a character is as red as can be


@dataclass(frozen=True)
class DiagnoseOptions:
    """What to diagnose, on what, and where the report goes."""

    model: tyro.conf.Positional[str] = "tang"
    """A released model's name or a run's folder."""
    file: Path | None = None
    """A UTF-8 file with one text a line. (Twelve poems of the test split if not given)"""
    out: Path | None = None
    """The report's folder. (diagnosis/MODEL if not given)"""
    overwrite: bool = False
    """Replace the report in the folder."""
    steps: int | None = None
    """Symbols read of each text, shorter ones being joined. (120)"""
    seed: int = 0
    """Of the random directions that spectra are sought from."""
    quick: bool = False
    """Look at little, in seconds: to see that it works."""
    json: bool = False
    """Print JSON."""

    @property
    def folder(self) -> Path:
        """Where the report goes."""
        return self.out or Path("diagnosis") / Path(self.model).resolve().name

    @property
    def settings(self) -> Settings:
        """How much is read, and how closely it is looked at."""
        settings = replace(QUICK if self.quick else Settings(), seed=self.seed)
        if self.steps is None:
            return settings
        lags = min(8 * self.steps // 15, MAX_LAGS)
        return replace(settings, steps=self.steps, lags=lags, burn_in=self.steps // 6)


def run(options: DiagnoseOptions, console: Any) -> dict[str, Any]:
    """Diagnose a model and write the report.

    Args:
        options: what the command line said.
        console: a `rich.console.Console`, for the progress.

    Returns:
        The results of `diagnose`, with the `source` of the texts among them.

    Raises:
        ReportError, TextFileError: in one line, before anything is written.
        ModelError: no such model, or one of another kind.
    """
    check_folder(options.folder, overwrite=options.overwrite)
    _pictures()  # what is missing is said before the minutes
    model = load(options.model)
    texts, source = _texts(options, model)

    @contextlib.contextmanager
    def doing(name: str) -> Iterator[None]:
        began = time.perf_counter()
        with console.status(DOING[name]):
            yield
        console.print(f"{time.perf_counter() - began:6.1f} s  {DOING[name]}")

    results = diagnose(model, texts, options.settings, doing=doing)
    results["model"]["name"] = options.model
    results["texts"]["source"] = source
    if options.quick:
        results["texts"]["notes"].append("a quick look: too little was read to quote its figures")
    write_report(results, model, options.folder, overwrite=options.overwrite)
    return results


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder in which something would be lost.

    Raises:
        ReportError: one line.
    """
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir():
        raise ReportError(f"{folder} is a file; --out names the folder of a report")
    held = {path.name for path in folder.iterdir()}
    if not held:
        return
    if not _is_report(folder):
        raise ReportError(f"{folder} is not empty and holds no report: choose another --out")
    if not overwrite:
        raise ReportError(f"{folder} holds a report: --overwrite replaces it")
    others = sorted(held - OWN)
    if others:
        raise ReportError(
            f"{folder} holds what is no part of a report ({', '.join(others[:3])}): move it away, "
            "or choose another --out"
        )


def _is_report(folder: Path) -> bool:
    try:
        found = json.loads((folder / FIGURES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("kind") == "diagnosis"


def write_report(
    results: dict[str, Any], model: LanguageModel, folder: Path, *, overwrite: bool = False
) -> None:
    """Write the folder, whole or not at all.

    Args:
        results: as `lstm_jax.report.diagnose` returns them.
        model: reads the first text once more, for the page of its gates.
        folder: made if it does not exist.
        overwrite: replace a report that is there.

    Raises:
        ReportError: matplotlib is missing, or something in the folder would be lost.
    """
    pictures = _pictures()
    check_folder(folder, overwrite=overwrite)
    images = pictures.files(results)
    files = {
        FIGURES: (json.dumps(results, ensure_ascii=False, allow_nan=False) + "\n").encode(),
        GATES: _gates_page(results, model).encode(),
        PAGE: _page(results, images).encode(),
        **images,
    }
    try:
        _replace_folder(folder.resolve(), files)
    except OSError as error:
        raise ReportError(f"{folder} cannot be written: {error}") from None


def _replace_folder(folder: Path, files: dict[str, bytes]) -> None:
    token = secrets.token_hex(4)
    partial, old = (folder.with_name(f".{folder.name}.{token}.{k}") for k in ("partial", "old"))
    try:
        partial.mkdir(parents=True)
        for name, content in files.items():
            (partial / name).write_bytes(content)
        there = folder.exists()
        if there:
            folder.rename(old)
        try:
            partial.rename(folder)
        except OSError:
            if there:
                old.rename(folder)
            raise
    finally:
        _remove(partial)
    _remove(old)


def _remove(folder: Path) -> None:
    """Remove a report, and leave it where it holds anything else."""
    with contextlib.suppress(OSError):
        for name in OWN:
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()


# --- the pages -----------------------------------------------------------------------------------


def _page(results: dict[str, Any], images: dict[str, bytes]) -> str:
    found, texts, settings = results["model"], results["texts"], results["settings"]
    rows = "".join(
        f"<tr><th scope=row>{_html(label)}</th><td>{_html(said)}</td></tr>"
        for label, said in summary(results)
    )
    fields = {
        "title": _html(f"Diagnosis of {_name(results)}"),
        "facts": _html(
            f"{found['num_layers']} LSTM layers of {found['hidden_features']}: a state s = (h, c) "
            f"of {found['state_size']:,} numbers. {len(texts['nats'])} texts, {settings['steps']} "
            f"symbols of each, perplexity {texts['perplexity']:.4g}."
        ),
        "summary": rows,
        **{question: _html(said) for question, said in answers(results).items()},
        "predictions": str(results["adjoints"]["predictions"]),
        "compared": f"{results['context']['predictions']:,}",
        "burn_in": str(settings["burn_in"]),
        "source": _html(texts.get("source", "")),
        "limit": f"{HEAT:g}",
        "lang": _lang(results),
        "texts": "".join(map(_text, texts["symbols"], texts["nats"])),
        "notes": "".join(f"<li>{_html(note)}</li>" for note in texts["notes"]),
        "footer": _html(
            f"lstm_jax {_version()}; float32; seed {settings['seed']}. Natural logarithms and "
            "nats, where nothing else is said."
        ),
    }
    for name, content in images.items():
        if name.endswith(".png"):
            fields[name] = "data:image/png;base64," + base64.b64encode(content).decode()
    template = (
        resources.files("lstm_jax.report").joinpath("report.html").read_text(encoding="utf-8")
    )
    # In one pass, so that a text that looks like a field stays a text.
    return re.sub(r"\{\{([\w.]+)\}\}", lambda match: fields[match[1]], template)


def _text(symbols: list[str], nats: list[float]) -> str:
    """A list item: every symbol on a ground as red as the model was surprised."""
    spans = []
    for symbol, loss in zip(symbols, nats, strict=True):
        kind = "" if symbol else "class=end "
        style = f'style="--a:{0.75 * min(loss / HEAT, 1):.2f}" title="{loss:.2f} nats"'
        spans.append(f"<span {kind}{style}>{_html(symbol or 'end')}</span>")
    return f"<li>{''.join(spans)}</li>"


def _gates_page(results: dict[str, Any], model: LanguageModel) -> str:
    symbols = ["", *results["texts"]["symbols"][0][:-1]]
    ids = encode(model.vocabulary, symbols)
    step, params, start, embed, _, gates = recurrence(model.network)
    _, kept = trace(step, params, embed(ids), start, gates=gates)
    return gate_animation_html(
        symbols,
        list(kept.gates),
        list(kept.states),
        title=f"The gates of {_name(results)}",
        lang=_lang(results),
    )


def _html(text: str) -> str:
    """Escaped, with powers raised."""
    return re.sub(r"\^([-−]?\d+(?:\.\d+)?)", r"<sup>\1</sup>", html.escape(text))


def _lang(results: dict[str, Any]) -> str:
    return "zh-Hant" if results["model"]["data"] == "tang" else ""


def _name(results: dict[str, Any]) -> str:
    return Path(results["model"].get("name", "a model")).name


def _version() -> str:
    from importlib.metadata import version

    return version("lstm_jax")


# --- what is read --------------------------------------------------------------------------------


def _texts(options: DiagnoseOptions, model: LanguageModel) -> tuple[tuple[str, ...], str]:
    """The texts, and a sentence that says whence they are."""
    tang = model.card.get("data") == "tang"
    if options.file is None:
        if not tang:
            raise ReportError(
                f"{options.model} was not trained on Tang poems, and no other texts come with the "
                "package: give some with --file"
            )
        return HELD_OUT, (
            "Twelve Tang poems of the corpus' test split, which share no lines with the poems "
            "of its training split."
        )
    texts = read_lines(options.file)
    source = f"The lines of {options.file.name}."
    return tuple(to_traditional(text) for text in texts) if tang else texts, source


def _pictures() -> Any:
    try:
        from lstm_jax.report import pictures
    except ImportError as error:
        raise ReportError(str(error)) from None
    return pictures
