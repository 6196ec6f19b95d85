"""`lstm-jax sample`: its texts and their script, and how they grow on a terminal."""

import json
import shutil

import pytest
from poets import save_poet

from lstm_jax.text import command as sampling
from lstm_jax.text import verse
from lstm_jax.text.language import load

pytestmark = pytest.mark.usefixtures("compile_fast")


def sampled(call, *arguments):
    code, out, err = call("sample", *arguments, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert set(found) == {"seed", "texts"}
    return found


def test_sample_prints_json(model, call):
    found = sampled(call, "ab", "--model", model, "--num", 3, "--seed", 5, "--max-length", 20)
    assert found["seed"] == 5
    assert len(found["texts"]) == 3
    assert len(set(found["texts"])) > 1
    for text in found["texts"]:
        assert text.startswith("ab")
        assert len(text) <= 22
        assert set(text) <= set("abcdefgh")
    again = sampled(call, "ab", "--model", model, "--num", 3, "--seed", 5, "--max-length", 20)
    assert again == found
    fewer = sampled(call, "ab", "--model", model, "--seed", 5, "--max-length", 20)
    assert fewer["texts"] == found["texts"][:1]


def test_a_seed_is_drawn_and_told(model, call):
    arguments = ["--model", model, "--num", 3, "--max-length", 20]
    found = sampled(call, *arguments)
    assert sampled(call, *arguments, "--seed", found["seed"]) == found
    assert sampled(call, *arguments)["seed"] != found["seed"]


def test_greedy_texts_do_not_depend_on_the_seed(model, call):
    arguments = ["--model", model, "--temperature", 0, "--max-length", 20]
    found = [sampled(call, *arguments, "--seed", seed)["texts"] for seed in (1, 2)]
    assert found[0] == found[1] == load(model).generate(temperature=0, max_length=20)
    # The most probable character is also the only one of the one most probable.
    assert sampled(call, *arguments[:2], *arguments[4:], "--top-k", 1)["texts"] == found[0]


def test_sample_prints_texts_with_a_line_between(model, call):
    arguments = ["a", "--model", model, "--num", 3, "--seed", 3, "--max-length", 20]
    code, out, err = call("sample", *arguments)
    assert (code, err) == (0, "")
    assert out == "\n\n".join(sampled(call, *arguments)["texts"]) + "\n"


def test_lines_break_after_full_stops(poet, call):
    arguments = ["看山。看水。", "--model", poet, "--seed", 1, "--max-length", 30]
    code, out, err = call("sample", *arguments)
    (text,) = sampled(call, *arguments)["texts"]
    assert text.startswith("看山。看水。")
    assert (code, err) == (0, "")
    assert out == text.replace("。", "。\n").removesuffix("\n") + "\n"


def test_simplified_in_and_out(poet, call):
    arguments = ["--model", poet, "--seed", 1, "--max-length", 30]
    found = sampled(call, "东飞鸟语", *arguments)
    assert found["texts"][0].startswith("東飛鳥語")
    assert found == sampled(call, "東飛鳥語", *arguments)
    shown = sampled(call, "东飞鸟语", *arguments, "--simplified")
    assert shown["texts"][0].startswith("东飞鸟语")
    assert not set(shown["texts"][0]) & set("東飛鳥語雲風馬車門見長學")


def test_a_model_of_any_texts_is_asked_in_the_script_that_it_knows(call, refused, tmp_path):
    folder = save_poet(tmp_path, "東飛", "verses")
    assert sampled(call, "东", "--model", folder, "--seed", 1)["texts"][0].startswith("東")
    assert "'学'" in refused("sample", "学", "--model", folder)


def test_a_model_may_stand_before_the_prompt(model, call, tmp_path, monkeypatch):
    settings = ["--seed", 5, "--max-length", 20]
    expected = sampled(call, "ab", "--model", model, *settings)
    assert sampled(call, model, "ab", *settings) == expected
    assert sampled(call, model, *settings) == sampled(call, "--model", model, *settings)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(model, tmp_path / "runs" / "mine")
    assert sampled(call, "mine", "ab", *settings) == expected


def test_a_word_alone_is_a_prompt_where_it_is_no_folder(model, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(model, tmp_path / "runs" / "mine")
    assert "the model does not know 'mine', in the prompt 'mine'" in refused("sample", "mine")
    assert "Unrecognized options: b" in refused("sample", "a", "b")
    assert "Unrecognized options: b" in refused("sample", model, "a", "b")


def test_lines_are_broken_as_the_text_of_ones_own_breaks_them(call, tmp_path):
    characters = "ab。\n"
    for data, broken in (("own", False), ("tang", True)):
        folder = save_poet(tmp_path / data, characters, data)
        arguments = ["a。b", "--model", folder, "--seed", 1, "--max-length", 20]
        (text,) = sampled(call, *arguments)["texts"]
        _, out, _ = call("sample", *arguments)
        assert (out == text.rstrip("\n") + "\n") is not broken


def test_an_ordered_poem_keeps_its_form_and_tells_its_cost(poet, call):
    order = ["--form", "3x4", "--acrostic", "东看山"]
    code, out, err = call("sample", "東", "--model", poet, "--seed", 1, "--json", *order)
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert set(found) == {"seed", "texts", "log_probabilities", "form_costs"}
    (text,) = found["texts"]
    assert [len(line) for line in verse.lines(text)] == [3] * 4
    assert [line[0] for line in verse.lines(text)[:3]] == ["東", "看", "山"]
    model = load(poet)
    costs = model.cost(text, prompt="東", form="3x4", acrostic="東看山")
    assert found["form_costs"] == [pytest.approx(costs.sum(), abs=1e-3)]
    assert found["log_probabilities"] == [pytest.approx(model.score(text)[1:].sum(), abs=1e-3)]


def test_a_report_is_on_poems(model, refused):
    said = refused("sample", "--model", model, "--report")
    assert "the report is for models trained on Tang poems, but" in said
    assert "was trained on verses" in said


def test_the_best_of_several_come_first(poet, call):
    arguments = ["--model", poet, "--seed", 1, "--max-length", 20]
    five = sampled(call, *arguments, "--num", 5)["texts"]
    best = sampled(call, *arguments, "--num", 2, "--best-of", 5)["texts"]
    model = load(poet)
    assert best == sorted(five, key=lambda text: -model.score(text).mean())[:2]


@pytest.mark.parametrize("more", [[], ["--num", 2], ["--simplified"], ["--simplified", "--num", 2]])
def test_a_terminal_sees_the_same_text_as_it_grows(more, poet, call, on_a_terminal, monkeypatch):
    # 乾坤 stays, 乾 alone is simplified: written character by character, it would come out wrong.
    arguments = ["看山。乾坤", "--model", poet, "--seed", 4, "--max-length", 40, *more]
    _, expected, _ = call("sample", *arguments)
    writes = []
    on_a_terminal()
    write = sampling._write
    monkeypatch.setattr(sampling, "_write", lambda text: (writes.append(text), write(text)))
    code, out, err = call("sample", *arguments)
    assert (code, err) == (0, "")
    assert out == "".join(writes) == expected
    assert "乾坤" in out
    assert len([text for text in writes if text]) >= 3, "it must grow"


@pytest.mark.parametrize("prompt", ["乾", "", "看山。"])
def test_a_terminal_sees_phrases_over_the_end_of_the_prompt(
    prompt, poet, call, on_a_terminal, monkeypatch
):
    class Fake:
        card = {"data": "tang"}  # noqa: RUF012

        def stream(self, prompts, **options):
            yield from ([c] for c in "坤，乾坤。看乾")

    monkeypatch.setattr("lstm_jax.text.language.load", lambda name: Fake())
    arguments = ["sample", prompt, "--simplified"]
    _, expected, _ = call(*arguments)
    on_a_terminal()
    assert call(*arguments) == (0, expected, "")
