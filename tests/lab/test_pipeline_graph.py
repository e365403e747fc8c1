"""The picture of the pipeline: the stages of dvc.yaml, arrows that are right, nothing over anything else."""

import re
import xml.etree.ElementTree as ET

import pytest

from avatarlab import ROOT
from avatarlab.lab import pipeline_graph
from avatarlab.lab.pipeline_graph import Mark, Stage

CHAIN = [
    Stage("10_body", "a"),
    Stage("11_people", "b", ("10_body",)),
    Stage("20_train", "c", ("10_body", "11_people")),
    Stage("40_measure", "d", ("11_people", "20_train")),
    Stage("50_export", "e", ("10_body",)),
]
DRAWN = {"wide": pipeline_graph.wide, "tall": pipeline_graph.tall}


def svg(kind: str, stages: list[Stage]) -> ET.Element:
    return ET.fromstring(DRAWN[kind](stages, {s.name: Mark("free", "no <target>") for s in stages}))


def test_stages_and_needs_are_those_of_dvc_yaml():
    stages = {stage.name: stage for stage in pipeline_graph.read_stages(ROOT)}
    assert stages["40_measure"].needs == ("10_body", "30_fit_photo")
    assert stages["10_body"].needs == () and stages["10_body"].words.startswith("The open body")
    assert {"41_benchmark", "50_export"} <= set(stages["90_summary"].needs)


def test_arrows_that_follow_from_others_are_left_out():
    assert pipeline_graph.shortest(CHAIN) == [
        ("10_body", "11_people"),
        ("11_people", "20_train"),
        ("20_train", "40_measure"),
        ("10_body", "50_export"),
    ]


@pytest.mark.parametrize("kind", DRAWN)
def test_every_stage_is_a_link_and_every_arrow_a_line(kind):
    stages = pipeline_graph.read_stages(ROOT)
    drawn = svg(kind, stages)
    assert [a.get("href") for a in drawn.iter("a")] == [f"{stage.name}.html" for stage in stages]
    lines = [path for path in drawn.iter("path") if path.get("class") == "arrow"]
    assert len(lines) == len(pipeline_graph.shortest(stages))


@pytest.mark.parametrize("kind", DRAWN)
def test_boxes_lie_within_the_picture_and_apart(kind):
    drawn = svg(kind, pipeline_graph.read_stages(ROOT))
    left, top, width, height = map(float, drawn.get("viewBox").split())
    boxes = [[float(rect.get(key)) for key in ("x", "y", "width", "height")] for rect in drawn.iter("rect")]
    for x, y, w, h in boxes:
        assert left <= x and x + w <= left + width and top <= y and y + h <= top + height
    for k, (x, y, w, h) in enumerate(boxes):
        for u, v, *_ in boxes[:k]:
            assert abs(x - u) >= w or abs(y - v) >= h


def test_long_arrows_pass_columns_in_lanes_between_the_boxes():
    drawn = svg("wide", CHAIN)
    rects = [(float(r.get("x")), float(r.get("y"))) for r in drawn.iter("rect")]
    long = [p.get("d") for p in drawn.iter("path") if p.get("class") == "arrow" and "H" in p.get("d")]
    assert len(long) == 1 and long[0].count("H") == 2  # body to export passes two columns, all others go straight
    for y, x in re.findall(r"([\d.]+)H([\d.]+)", long[0]):
        column = [v for u, v in rects if u + pipeline_graph.NODE[0] == float(x)]
        assert column and not any(v - 2 < float(y) < v + pipeline_graph.NODE[1] + 2 for v in column)


def test_names_without_the_verb_of_their_column():
    assert (
        Stage("21_train_codebooks", "").short == "21 codebooks"
        and Stage("41_benchmark", "").short == "41 benchmark"
    )
