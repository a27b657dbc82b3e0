"""Lengths of time, as people and batch systems write them."""

import pytest

from sgdsim.amounts import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45s", 45),
        ("90m", 5400),
        ("3h30m", 12600),
        ("1d12h", 129600),
        ("1d2h3m4s", 93784),
        ("03:30:00", 12600),
        ("0:00:07", 7),
        ("2-01:02:03", 176523),
        ("999999999d", 999999999 * 86400),
    ],
)
def test_a_length_of_time_is_read(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0s",
        "5",
        "-5s",
        "1.5h",
        "30m3h",
        "3 h",
        "3h\n",
        "1:00",
        "\u0663h",
        "9" * 10 + "d",
        "9" * 400 + "s",
        "9" * 9999,
    ],
)
def test_what_is_none_is_refused_in_a_short_line(text):
    with pytest.raises(ValueError, match="must be a length of time such as 3h30m") as caught:
        parse_duration(text)
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)
