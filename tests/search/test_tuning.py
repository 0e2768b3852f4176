import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.music.error import InvalidInputError, NotFoundError
from motet.search.tuning import FILE, LOG_PROBABILITY, Line, Look, Tuning

WEIGHTS = {"text": 0.4, "harmony": 0.6}


def line(slope: float, *, mean: float = 0.5, feature: str = "text", center: float = 0.4) -> Line:
    return Line(mean=mean, slopes={feature: slope}, means={feature: center})


def tuning() -> Tuning:
    return Tuning(
        model="default@0123456789ab",
        looks=(
            Look(share=0.25, terms={"text": line(0.5)}),
            Look(share=0.5, terms={"text": line(1.0)}),
        ),
        strategies={"population": {"keep_early": 0.5}},
        measured={"when": "today"},
    )


def values(
    share: float, text: float, one: Tuning | None = None, *, harmony: float = np.nan, nats: float = -1.0
) -> float:
    terms = {"text": np.array([text]), "harmony": np.array([harmony])}
    return float((one or tuning()).values(np.array([share]), terms, np.array([nats]), WEIGHTS)[0])


def test_a_look_foretells_the_end() -> None:
    assert values(0.25, 0.6) == pytest.approx(0.5 + 0.5 * 0.2)
    assert values(0.5, 0.6) == pytest.approx(0.5 + 1.0 * 0.2)


def test_between_looks_it_is_interpolated_and_the_end_is_what_was_heard() -> None:
    assert values(0.375, 0.6) == pytest.approx(0.65)
    assert values(0.75, 0.9) == pytest.approx((1.0 + 0.9) / 2)
    assert values(1.0, 0.9) == pytest.approx(0.9)
    assert values(0.01, 0.6) == values(0.25, 0.6)


def test_a_term_that_was_not_measured_is_taken_as_it_is() -> None:
    assert values(0.25, 0.6, harmony=0.9) == pytest.approx(0.4 * 0.6 + 0.6 * 0.9)


def test_a_term_that_does_not_judge_is_left_out_and_nothing_is_half() -> None:
    assert values(0.25, 0.6) == pytest.approx(0.6)
    assert values(0.25, np.nan) == 0.5
    assert not np.isnan(values(0.9, np.nan, harmony=0.3))


def test_other_terms_and_the_log_probability_may_tell_of_a_term() -> None:
    look = Look(
        share=0.5,
        terms={
            "text": Line(
                mean=0.5, slopes={LOG_PROBABILITY: 0.1, "harmony": 0.2}, means={LOG_PROBABILITY: -1.0, "harmony": 0.5}
            )
        },
    )
    one = Tuning(model="m@v", looks=(look,))
    assert values(0.5, 0.9, one, nats=-2.0) == pytest.approx(0.4)
    harmonious = one.values(
        np.array([0.5]), {"text": np.array([0.9]), "harmony": np.array([1.0])}, np.array([-1.0]), {"text": 1.0}
    )
    assert harmonious[0] == pytest.approx(0.6)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=6))
def test_a_row_is_valued_alike_in_any_company(rows: list[tuple[float, float, float]]) -> None:
    share, text, harmony = (np.array(column) for column in zip(*rows, strict=True))
    together = tuning().values(share, {"text": text, "harmony": harmony}, np.full(len(rows), -1.0), WEIGHTS)
    alone = [values(*row[:2], harmony=row[2]) for row in rows]
    np.testing.assert_allclose(together, alone, atol=1e-12)


def test_it_comes_back_from_its_file(tmp_path: Path) -> None:
    tuning().save(tmp_path / FILE)
    assert Tuning.load(tmp_path) == Tuning.load(tmp_path / FILE) == tuning()
    assert tuning().version == "0123456789ab"
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_no_file_is_told_apart_from_a_broken_one(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"tuning: no file .*search.json"):
        Tuning.load(tmp_path / FILE)


def broken(change: str) -> Any:
    tuning_file = {
        "format": 1,
        "model": "m@v",
        "looks": [{"share": 0.5, "terms": {"text": {"mean": 0.5, "slopes": {"text": 1.0}, "means": {"text": 0.5}}}}],
        "strategies": {"population": {"wide": 2.0}},
    }
    look: Any = tuning_file["looks"][0]  # type: ignore[index]
    match change:
        case "list":
            return []
        case "format":
            tuning_file["format"] = 2
        case "model":
            tuning_file["model"] = "m"
        case "looks":
            tuning_file["looks"] = []
        case "share":
            look["share"] = 1.5
        case "number":
            look["terms"]["text"]["mean"] = "high"
        case "means":
            look["terms"]["text"]["means"] = {}
        case "nan":
            look["terms"]["text"]["slopes"] = {"text": float("nan")}
        case "setting":
            tuning_file["strategies"] = {"population": {"wide": "very"}}
    return tuning_file


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("list", "file: must be an object"),
        ("format", "format: must be 1"),
        ("model", "model: must be NAME@VERSION"),
        ("looks", "looks: must have ascending shares"),
        ("share", "looks: must have ascending shares"),
        ("number", r"looks\[0\].terms.text.mean: must be a finite number"),
        ("means", r"looks\[0\].terms.text.means: must be of text"),
        ("nan", r"looks\[0\].terms.text.slopes.text: must be a finite number"),
        ("setting", "strategies.population.wide: must be a finite number"),
    ],
)
def test_a_broken_file_is_answered_with_one_line(change: str, message: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps(broken(change)))
    with pytest.raises(InvalidInputError, match=message) as error:
        Tuning.load(tmp_path / FILE)
    assert "\n" not in str(error.value)
    assert FILE in str(error.value)


def test_a_file_that_is_no_json_is_answered_with_one_line(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{")
    with pytest.raises(InvalidInputError, match="tuning: must be a file of JSON"):
        Tuning.load(tmp_path)
