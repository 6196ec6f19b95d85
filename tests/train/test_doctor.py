"""The self-check passes on this machine, and reports a failure."""

import math

import pytest

from lstm_jax.train import doctor


@pytest.mark.parametrize("name", doctor.CHECKS)
def test_this_machine_is_well(name):
    assert doctor.Finding(name, *doctor.CHECKS[name]()).well


@pytest.mark.parametrize("off", [0.5, math.nan, math.inf])
def test_what_is_off_is_said(off, monkeypatch):
    monkeypatch.setattr(doctor, "CHECKS", {"forward": lambda: (off, 1e-5)})
    figures, said, well = doctor.examine()
    assert not well
    assert "WRONG  forward" in said
    assert "do not trust results computed here" in said
    assert figures["findings"][0]["well"] is False


def test_versions_that_are_known_to_be_wrong_are_named(monkeypatch):
    monkeypatch.setattr(doctor, "CHECKS", {"forward": lambda: (0.0, 1e-5)})
    monkeypatch.setattr(doctor, "version", lambda name: "0.10.2")
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_use_ynnpack=true")
    _, said, well = doctor.examine()
    assert well
    assert "jax#39103" in said
    assert "xla#49085" in said
