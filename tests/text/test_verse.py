from lstm_jax.text import verse


def test_lines_are_runs_between_punctuation():
    assert verse.lines("一一，二！？三、。") == ["一一", "二", "三"]
    assert verse.lines("，。") == verse.lines("") == []


def test_the_last_whole_line_ends_after_its_punctuation():
    assert verse.end_of_lines("一，二。三四") == 4
    assert [verse.end_of_lines(f"一{mark}二") for mark in "。！？，；：、"] == [2] * 7
    assert verse.end_of_lines("一二") == verse.end_of_lines("") == 0


def test_lines_break_after_full_stops_alone():
    assert verse.break_lines("一，二。三！？四；") == "一，二。\n三！\n？\n四；"
    assert verse.break_lines("no verse.") == "no verse."
