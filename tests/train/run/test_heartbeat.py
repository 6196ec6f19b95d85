import io

import pytest
from rich.console import Console

from lstm_jax.train.run.heartbeat import Heartbeat, duration


def test_a_line_is_printed_where_a_minute_went_by():
    said, now = io.StringIO(), [100.0]
    heart = Heartbeat(Console(file=said, width=200), first=10, total=1_010, clock=lambda: now[0])
    for step, at in ((11, 101), (20, 159), (30, 160), (40, 170), (130, 220)):
        now[0] = float(at)
        heart.beat(step, f"loss {step}")
    assert said.getvalue().splitlines() == [
        "step 30 of 1,010: loss 30, 49 min left",  # 20 steps took a minute, 980 are left
        "step 130 of 1,010: loss 130, 15 min left",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "0 s"), (99, "99 s"), (100, "2 min"), (5_900, "98 min"), (12_000, "3 h 20 min")],
)
def test_a_duration_is_as_exact_as_one_wants_it(seconds, said):
    assert duration(seconds) == said
