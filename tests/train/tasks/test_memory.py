"""Verdicts by the papers' rules; a run ends when it has solved its problem, and resumes whole."""

import io
import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from programs import share
from rich.console import Console

from lstm_jax.models import storage
from lstm_jax.models.sequence_model import SequenceModel, SequenceModelConfig
from lstm_jax.train import loop
from lstm_jax.train.batch import Batch
from lstm_jax.train.config import ConfigError, OptimizerConfig
from lstm_jax.train.problems import make_task
from lstm_jax.train.run import checkpoints
from lstm_jax.train.run.state import make_optimizer, make_state
from lstm_jax.train.tasks.memory import task as memory_tasks
from lstm_jax.train.tasks.memory.config import MemoryConfig
from lstm_jax.train.tasks.memory.task import HELD_OUT, MemoryTask, held_out, judge, verdict
from lstm_jax.train.tasks.text.config import TextConfig

CONFIG = MemoryConfig(
    problem="adding",
    steps=24,
    batch=4,
    sequences=12,
    stop_wrong=None,
    model=SequenceModelConfig(hidden_features=3, max_timescale=24.0),
    optimizer=OptimizerConfig(
        learning_rate=1e-2, warmup_steps=0, final_fraction=1.0, weight_decay=0.0, b2=0.999
    ),
    epochs=3,
    log_every=2,
    health_every=2,
    checkpoint_every=2,
)
PER_EPOCH, TOTAL = 3, 9


# The verdict


class Says:
    """A model that gives the same output whatever it reads."""

    def __init__(self, ys):
        self.ys = jnp.asarray(ys, jnp.float32)

    def __call__(self, inputs, *, lengths):
        return (), self.ys

    last = __call__


def batch_of(targets):
    targets = np.asarray(targets)
    lengths = np.ones(len(targets), np.int32)
    return Batch(np.zeros((len(targets), 1, 1)), targets, lengths=lengths)


def test_adding_is_right_within_four_hundredths():
    ys = [[0.5399], [0.4601], [0.5401], [0.4599]]
    losses, right = judge("adding", Says(ys), batch_of(np.full(4, 0.5, np.float32)))
    assert right.tolist() == [True, True, False, False]
    np.testing.assert_allclose(losses, np.square(np.subtract(ys, 0.5))[:, 0], rtol=1e-3)


def test_order_is_right_where_every_probability_is_within_three_tenths():
    probabilities = np.array(
        [[0.71, 0.29, 1e-9, 1e-9], [0.69, 0.31, 1e-9, 1e-9], [0.71, 0.29, 0, 0]]
    )
    ys = np.log(probabilities + 1e-12)
    losses, right = judge("order", Says(ys), batch_of(np.array([0, 0, 1])))
    assert right.tolist() == [True, False, False]
    np.testing.assert_allclose(losses, -np.log([0.71, 0.69, 0.29]), rtol=1e-5)


def test_copy_is_right_where_all_ten_symbols_are():
    targets = np.concatenate([np.zeros((3, 5), int), np.arange(30).reshape(3, 10) % 8 + 1], 1)
    ys = 4.0 * np.eye(9)[targets]
    ys[1, 2] = 4.0 * np.eye(9)[3]  # a wrong blank costs, and is not held against it
    ys[2, 5] = 4.0 * np.eye(9)[0]  # the first of the ten is wrong
    losses, right = judge("copy", Says(ys), batch_of(targets))
    assert right.tolist() == [True, True, False]
    p = np.exp(ys) / np.exp(ys).sum(-1, keepdims=True)
    nats = -np.log(np.take_along_axis(p, targets[..., None], -1))[..., 0]
    np.testing.assert_allclose(losses, nats.mean(1), rtol=1e-5)


def test_a_flip_flop_is_right_where_every_bit_of_every_step_is_within_a_half():
    targets = np.array([1.0, -1, 1, -1, 1, 1]).reshape(1, 2, 3).repeat(2, 0)
    ys = targets + np.array([0.49, -0.49, 0, 0, 0.3, 0]).reshape(2, 3)
    ys[1, 1, 2] = 0.49
    losses, right = judge("flipflop", Says(ys), batch_of(targets.astype(np.float32)))
    assert right.tolist() == [True, False]
    np.testing.assert_allclose(losses, ((ys - targets) ** 2).mean((1, 2)), rtol=1e-5)


def test_the_loss_of_a_step_is_the_mean_over_its_sequences():
    model, batch = Says([[0.5], [0.7]]), batch_of(np.array([0.4, 0.4], np.float32))
    total, count, carry = MemoryTask(CONFIG).loss(model, (), batch, None)
    assert (count, carry) == (2, ())
    assert float(total / count) == pytest.approx((0.1**2 + 0.3**2) / 2, rel=1e-5)


def test_padding_does_not_count():
    task = MemoryTask(CONFIG)
    model, batch = task.model(nnx.Rngs(0)), task.epoch(0)[0]
    spoilt = batch.inputs.copy()
    behind = np.arange(spoilt.shape[1]) >= batch.lengths[:, None]
    assert behind.any()
    spoilt[behind] = np.nan
    for one, other in zip(
        judge("adding", model, batch),
        judge("adding", model, batch._replace(inputs=spoilt)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_batches_are_a_function_of_seed_and_step_alone():
    task = MemoryTask(CONFIG)
    seen = [task.epoch(n)[i].inputs.tobytes() for n in range(2) for i in range(PER_EPOCH)]
    assert len(set(seen)) == 2 * PER_EPOCH
    assert MemoryTask(CONFIG).epoch(1)[2].inputs.tobytes() == seen[-1]
    # Longer epochs hold the same sequences in the same order: only the judging is rarer.
    longer = MemoryTask(replace(CONFIG, sequences=24)).epoch(0)
    assert [batch.inputs.tobytes() for batch in longer] == seen
    assert MemoryTask(replace(CONFIG, seed=1)).epoch(0)[0].inputs.tobytes() != seen[0]
    with pytest.raises(IndexError):
        longer[6]


def test_sequences_that_judge_are_kept_apart():
    streams = {split: held_out(CONFIG, split) for split in HELD_OUT}
    for batches in streams.values():
        assert sum(len(batch.inputs) for batch in batches) == 2560
    rows = [row.tobytes() for batches in streams.values() for b in batches for row in b.inputs]
    rows += [row.tobytes() for batch in MemoryTask(CONFIG).epoch(0) for row in batch.inputs]
    assert len(set(rows)) == len(rows)


def test_a_verdict_is_over_all_sequences():
    batches = [batch_of(np.zeros(n)) for n in (3, 5)]
    found = iter([(6.0, 1), (2.0, 4)])
    assert verdict(lambda params, batch: next(found), None, batches) == (1.0, 5)


# Runs


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """The programs, which all runs of this process share."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        places = (loop, "make_update"), (loop, "make_health"), (memory_tasks, "make_judge")
        yield share(monkeypatch, *places)


def run(folder, config=CONFIG, *, resume=False):
    said = io.StringIO()
    config = loop.prepare(folder, config, resume=resume, overwrite=False)
    result = loop.train(config, folder, console=Console(file=said))
    return result, said.getvalue()


def template(config=CONFIG):
    task = make_task(config)
    model = task.model(nnx.Rngs(0))
    return make_state(model, make_optimizer(config.optimizer, TOTAL)[0], task.carry(model))


def lines(folder, name="metrics.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(compiled, tmp_path_factory):
    """The run that never stopped; nobody writes to its folder."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return folder, *run(folder)


def assert_same_run(folder, other):
    like = template()
    (one, facts), (two, other_facts) = (
        checkpoints.load(f / "checkpoints" / "latest", like) for f in (folder, other)
    )
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
    assert facts == other_facts
    for name in ("model.safetensors", "model.json"):
        assert (folder / name).read_bytes() == (other / name).read_bytes()
    # But for the share of steps since the last line, which a resumed run counts from its start.
    health = [lines(f, "health.jsonl") for f in (folder, other)]
    for line in (line for found in health for line in found):
        del line["clipped_share"]
    assert health[0] == health[1]


def test_a_whole_run(whole, compiled):
    folder, result, said = whole
    assert result == loop.Result(TOTAL, True, result.best_valid_loss)
    assert said.startswith("adding, T = 24, 76 parameters, 3 steps per epoch, 9 steps in total\n")
    assert said.count(" of 2,560 held-out sequences wrong, loss ") == 3
    assert "after 36 sequences\n" in said
    assert {name: program._cache_size() for name, program in compiled.items()} == dict.fromkeys(
        compiled, 1
    )
    metrics = lines(folder)
    training = {"step", "loss", "grad_norm", "learning_rate", "sequences_per_second"}
    judged = {"step", "valid_loss", "valid_wrong", "sequences"}
    assert {frozenset(line) for line in metrics} == {frozenset(training), frozenset(judged)}
    assert {line["learning_rate"] for line in metrics if "loss" in line} == {np.float32(0.01)}
    assert [line["sequences"] for line in metrics if "valid_loss" in line] == [12, 24, 36]
    assert [line["step"] for line in lines(folder, "health.jsonl")] == [2, 4, 6, 8]


def test_the_exported_model_is_the_best_one_and_loads(whole):
    folder, result, _ = whole
    stored = storage.load(folder)
    assert isinstance(stored.network, SequenceModel)
    assert stored.network.config == CONFIG.model
    batches = held_out(CONFIG, "valid")
    judge_batch = memory_tasks.make_judge("adding", stored.network)
    loss, wrong = verdict(judge_batch, nnx.state(stored.network, nnx.Param), batches)
    assert loss == pytest.approx(result.best_valid_loss, rel=1e-6)
    assert wrong == stored.card["valid_wrong"]
    assert stored.card["data"] == "adding"
    assert stored.card["config"] == {**stored.card["config"], "kind": "memory", "steps": 24}
    assert loss == min(line["valid_loss"] for line in lines(folder) if "valid_loss" in line)


@pytest.mark.parametrize("stop", [2, 5])
def test_max_steps_and_a_resume_give_the_same_bytes(stop, whole, tmp_path):
    folder = tmp_path / "run"
    result, _ = run(folder, replace(CONFIG, max_steps=stop))
    assert result == loop.Result(stop, False, result.best_valid_loss)
    result, said = run(folder, resume=True)
    assert f"resuming from step {stop}" in said
    assert result == whole[1]
    assert_same_run(folder, whole[0])


class Killed(BaseException):
    pass


def test_a_killed_run_goes_on_to_the_same_bytes(whole, compiled, tmp_path, monkeypatch):
    folder, update = tmp_path / "run", compiled["make_update"]
    made = []

    def dying(state, batch):
        made.append(state)
        if len(made) == 6:
            raise Killed
        return update(state, batch)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "make_update", lambda *_: dying)
        with pytest.raises(Killed):
            run(folder)
    with (folder / "health.jsonl").open("a") as log:
        log.write('{"step": 6, "clipped_share": 1.0}\n{"step": 8, "cli')  # too far, and half a line
    result, said = run(folder, resume=True)
    assert "resuming from step 4" in said
    assert result == whole[1]
    assert_same_run(folder, whole[0])


def test_a_run_ends_when_it_has_solved_its_problem(tmp_path):
    folder, config = tmp_path / "run", replace(CONFIG, stop_wrong=2560)
    result, said = run(folder, config)
    assert result == loop.Result(PER_EPOCH, True, result.best_valid_loss)
    assert said.endswith(", after 12 sequences: solved\n")
    assert storage.load(folder).card["sequences"] == 12
    assert checkpoints.read_metadata(folder / "checkpoints" / "latest")["solved"] is True
    before = lines(folder)
    again, said = run(folder, replace(config, epochs=7), resume=True)
    assert again == result, "a solved run that is taken up has nothing to do"
    assert lines(folder) == before


def test_the_model_that_solved_is_kept_even_if_its_loss_is_not_the_least(tmp_path, monkeypatch):
    verdicts = iter([(0.1, 4), (0.2, 3)])
    monkeypatch.setattr(memory_tasks, "verdict", lambda *_: next(verdicts))
    result, _ = run(tmp_path / "run", replace(CONFIG, stop_wrong=3))
    assert result == loop.Result(2 * PER_EPOCH, True, 0.2)
    assert storage.load(tmp_path / "run").card["valid_wrong"] == 3


PATIENT = replace(CONFIG, epochs=6, patience=2)
VERDICTS = [(0.3, 9), (0.2, 9), (0.2, 9), (0.21, 9), (0.1, 9), (0.1, 9)]


def test_a_run_ends_when_its_patience_does(tmp_path, monkeypatch):
    verdicts = iter(VERDICTS)
    monkeypatch.setattr(memory_tasks, "verdict", lambda *_: next(verdicts))
    folder = tmp_path / "run"
    result, said = run(folder, PATIENT)
    assert result == loop.Result(4 * PER_EPOCH, True, 0.2), "as good as the best is not better"
    assert said.endswith("no improvement in 2 validations; the run ends\n")
    assert storage.load(folder).card["steps"] == 2 * PER_EPOCH
    before = lines(folder)
    assert run(folder, PATIENT, resume=True)[0] == result
    assert lines(folder) == before
    # Patience, like the number of epochs, may be another when a run is taken up.
    result, _ = run(folder, replace(PATIENT, patience=None), resume=True)
    assert result == loop.Result(6 * PER_EPOCH, True, 0.1)


@pytest.mark.parametrize("stop", [3 * PER_EPOCH, 3 * PER_EPOCH + 1, 4 * PER_EPOCH - 1])
def test_patience_outlives_a_stop(stop, tmp_path, monkeypatch):
    verdicts = iter(2 * VERDICTS[:4])
    monkeypatch.setattr(memory_tasks, "verdict", lambda *_: next(verdicts))
    whole, _ = run(tmp_path / "whole", PATIENT)
    folder = tmp_path / "run"
    assert not run(folder, replace(PATIENT, max_steps=stop))[0].finished
    assert checkpoints.read_metadata(folder / "checkpoints" / "latest")["waited"] == 1
    assert run(folder, PATIENT, resume=True)[0] == whole
    # The card says how long its run was to be, when it was written: before the stop.
    card = folder / "model.json"
    description = json.loads(card.read_text())
    description["card"]["config"]["max_steps"] = None
    description["digest"] = storage._digest(description)
    card.write_text(json.dumps(description, ensure_ascii=False, indent=1) + "\n")
    assert_same_run(folder, tmp_path / "whole")


def test_a_checkpoint_of_before_there_was_patience_has_waited_for_nothing(tmp_path, monkeypatch):
    verdicts = iter(VERDICTS)
    monkeypatch.setattr(memory_tasks, "verdict", lambda *_: next(verdicts))
    folder = tmp_path / "run"
    run(folder, replace(PATIENT, max_steps=3 * PER_EPOCH))
    latest = folder / "checkpoints" / "latest"
    state, metadata = checkpoints.load(latest, template())
    del metadata["waited"]
    checkpoints.save(latest, state, metadata=metadata)
    result, _ = run(folder, PATIENT, resume=True)
    assert result == loop.Result(6 * PER_EPOCH, True, 0.1)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("kind", TextConfig()),
        ("problem", replace(CONFIG, problem="order")),
        ("steps", replace(CONFIG, steps=30)),
        ("stop_wrong", replace(CONFIG, stop_wrong=3)),
        ("model.cell", replace(CONFIG, model=SequenceModelConfig("gru", 3))),
    ],
)
def test_a_resume_with_another_configuration_names_the_field(name, changed, whole):
    with pytest.raises(ConfigError, match=f"has {name} ") as caught:
        loop.prepare(whole[0], changed, resume=True, overwrite=False)
    assert "\n" not in str(caught.value)
