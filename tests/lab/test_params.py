"""Parameters: both sides agree in name and type, or one sentence says where they do not."""

import pytest

from avatarlab.core.errors import InputError, nearest
from avatarlab.core.files import read_yaml
from avatarlab.lab.params import check, section

WANTED = {"seed": 7, "rate": 0.5, "name": "a", "on": True, "sizes": [1, 2], "limit": None, "out": "x"}
GIVEN = {"seed": 1, "rate": 1, "name": "b", "on": False, "sizes": [3], "limit": 2}


def test_agreeing_sides_pass_and_numbers_take_the_notebooks_type():
    values = check(GIVEN, WANTED, "toy")
    assert values == GIVEN and isinstance(values["rate"], float)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seeed": 1}, "`seeed` is not a parameter of the notebook (did you mean `seed`?)"),
        ({"out": "models"}, "`out` is not a parameter of the notebook"),
        ({"seed": "7"}, "`toy.seed`: got '7' (text), expected a integer such as 7"),
        ({"seed": 1.5}, "`toy.seed`: got 1.5 (number), expected a integer such as 7"),
        ({"seed": True}, "`toy.seed`: got True (truth value)"),
        ({"rate": float("nan")}, "`toy.rate`: got nan, expected a finite number"),
        ({"rate": float("inf")}, "`toy.rate`: got inf"),
        ({"rate": None}, "`toy.rate`: got None (nothing)"),
        ({"name": 3}, "`toy.name`: got 3 (integer), expected a text"),
        ({"on": 1}, "`toy.on`: got 1 (integer), expected a truth value"),
        ({"sizes": [1, "2"]}, "`toy.sizes[1]`: got '2' (text)"),
        ({"sizes": 3}, "`toy.sizes`: got 3 (integer), expected a list"),
        ({"limit": {"a": float("nan")}}, "`toy.limit.a`: got nan"),
    ],
)
def test_what_disagrees_is_named(change, words):
    with pytest.raises(InputError) as error:
        check(GIVEN | change, WANTED, "toy")
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_missing_parameter_is_named():
    with pytest.raises(InputError, match="`seed` is missing in params.yaml"):
        check({k: v for k, v in GIVEN.items() if k != "seed"}, WANTED, "toy")


def test_section_is_what_is_wanted_of_base_overlaid_with_the_whole_of_the_stages_own():
    params = {"base": {"a": 1, "b": 2, "c": 3}, "toy": {"b": 3, "d": 4}}
    assert section(params, "toy", {"a": 0, "b": 0}) == {"a": 1, "b": 3, "d": 4}
    assert section({"base": None, "toy": None}, "toy", {"a": 0}) == {}


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"base": {}, "toi": {}}, "section `toy` is missing (did you mean `toi`?)"),
        ({"toy": {}}, "section `base` is missing"),
        ({"base": {}, "toy": 3}, "section `toy` must hold `name: value` lines, got 3"),
    ],
)
def test_bad_sections_are_refused(params, words):
    with pytest.raises(InputError) as error:
        section(params, "toy", {})
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"base:\n  a: [1, 2\n", "not valid YAML at line"),
        (b"base:\n  a: 1\n  a: 2\n", "not valid YAML at line 3"),
        (b"just words\n", "expected sections"),
        (b"", "expected sections"),
        (b"\xff\xfe\x00", "not valid YAML"),
        (b"base: !!python/object/apply:os.system ['true']\n", "not valid YAML"),
    ],
)
def test_broken_yaml_is_one_sentence(tmp_path, content, words):
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_yaml(path)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_missing_yaml_and_yaml_1_2_numbers(tmp_path):
    with pytest.raises(InputError, match="params.yaml: no such file"):
        read_yaml(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("base: {rate: 1e-3, on: yes}\n")
    assert read_yaml(tmp_path / "params.yaml") == {"base": {"rate": 0.001, "on": "yes"}}  # as DVC reads them


def test_nearest():
    assert nearest("seeed", ["seed", "rate"]) == " (did you mean `seed`?)" and nearest("xyz", ["seed"]) == ""
