"""The canonical form of notebooks and the parameters cell."""

import copy
import json

import nbformat
import pytest
from toy import CELLS, make_notebook

from avatarlab.core.errors import InputError
from avatarlab.lab import notebook


def used(nb: dict) -> dict:
    """Return ``nb`` as an editor leaves it after a run."""
    nb = copy.deepcopy(nb)
    nb["metadata"] = {
        "kernelspec": {"name": "conda"},
        "language_info": {"version": "3.11"},
        "widgets": {"state": 1},
    }
    nb["cells"][2] |= {"execution_count": 3, "outputs": [{"output_type": "stream", "name": "stdout", "text": "x"}]}
    nb["cells"][2]["metadata"] = {"execution": {"iopub.status": "now"}, "collapsed": True}
    nb["cells"][2]["id"] = "d00dfeed"
    return nb


def test_traces_of_use_do_not_reach_the_file():
    nb = make_notebook(*CELLS)
    assert notebook.text(used(nb)) == notebook.text(nb)


def test_text_is_what_nbformat_writes_and_valid():
    text = notebook.text(make_notebook(*CELLS, "print('ü')"))
    nb = nbformat.reads(text, as_version=4)
    nbformat.validate(nb)
    assert nbformat.writes(nb) + "\n" == text


def test_attachments_and_tags_are_kept():
    nb = make_notebook(*CELLS)
    nb["cells"][0]["attachments"] = {"a.png": {"image/png": "AAAA"}}
    kept = notebook.canonical(nb)["cells"]
    assert kept[0]["attachments"] and kept[1]["metadata"] == {"tags": ["parameters"]}


def test_save_hook_cleans_notebooks_only():
    model = {"type": "notebook", "content": used(make_notebook(*CELLS))}
    notebook.save_hook(model, path="x", contents_manager=None)
    assert model["content"] == notebook.canonical(make_notebook(*CELLS))
    for other in ({"type": "file", "content": "text"}, {"type": "notebook", "content": {"nbformat": 3}}):
        before = copy.deepcopy(other)
        notebook.save_hook(other)
        assert other == before


def test_parameters_and_their_comments():
    nb = make_notebook(*CELLS)
    assert notebook.parameters(nb) == {
        "seed": 7,
        "points": 200,
        "size_m": 1.0,
        "label": "toy",
        "out": ".run/scratch/toy",
    }
    assert notebook.comments(nb)["size_m"] == "edge of the cube (m)"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("a = 2\nb = a * 2", "may hold `name = literal` only, got `b = a * 2`"),
        ("import os", "got `import os`"),
        ("a = b = 1", "got `a = b = 1`"),
        ("a += 1", "got `a += 1`"),
        ("x.y = 1", "got `x.y = 1`"),
        ("a = (", "the parameters cell is not Python"),
    ],
)
def test_parameters_cell_holds_literals_only(code, words):
    with pytest.raises(InputError) as error:
        notebook.parameters(make_notebook("# T", code), "10_toy.ipynb")
    assert words in str(error.value)


def test_parameters_cell_must_be_one():
    with pytest.raises(InputError, match="expected one cell tagged 'parameters', got 0"):
        notebook.parameters(make_notebook("# T"))


@pytest.mark.parametrize("content", ["", "[]", '{"nbformat": 3, "worksheets": []}', "text"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "a.ipynb"
    path.write_text(content)
    with pytest.raises(InputError, match="not a notebook"):
        notebook.read(path)
    with pytest.raises(InputError, match="no such notebook"):
        notebook.read(tmp_path)


def test_tidy_and_check_commands(tmp_path, caplog):
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(used(make_notebook(*CELLS))))
    caplog.set_level("INFO")
    assert notebook.main(["check", str(path)]) == 1
    assert "a.ipynb: not canonical; run `tidy` on it" in caplog.text
    assert notebook.main(["tidy", str(path)]) == 0
    assert path.read_text() == notebook.text(make_notebook(*CELLS))
    assert notebook.main(["check", str(path)]) == 0
    assert notebook.main(["check", str(tmp_path / "none.ipynb")]) == 1
