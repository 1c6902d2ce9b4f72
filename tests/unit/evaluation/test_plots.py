import xml.etree.ElementTree as ElementTree

from kosparse.evaluation.plots import bar, line_chart, training_curves


def test_a_bar_is_as_long_as_its_share_and_its_interval_lies_over_it():
    svg = ElementTree.fromstring(bar(0.3, 0.6, (0.24, 0.36), "ours"))
    assert svg.find("rect").get("width") == "50.00%"
    line = svg.find("line")
    assert (line.get("x1"), line.get("x2")) == ("40.00%", "60.00%")


def test_bars_stay_inside_their_place():
    assert 'width="100.00%"' in bar(5, 2) and 'width="0%"' in bar(5, 0)


def test_a_chart_runs_from_the_first_point_to_the_last():
    svg = ElementTree.fromstring(line_chart([(0, 2.0), (100, 1.0), (200, 4.0)]))
    points = [tuple(map(float, point.split(","))) for point in svg.find("polyline").get("points").split()]
    assert points[0][0] == 44 and points[-1][0] == 312  # left and right margin
    assert points[-1][1] == 8 and points[1][1] == 128  # the highest value at the top, the lowest at the bottom


def test_every_number_followed_over_steps_gets_a_curve_even_where_some_rows_lack_it():
    history = [
        {"step": 1, "seconds": 1, "loss": 2.0, "note": "x", "validation": None},
        {"step": 2, "seconds": 2, "loss": float("nan"), "validation": 0.5},
        {"step": 3, "seconds": 3, "loss": 1.0, "validation": 0.6},
    ]
    assert [name for name, _ in training_curves(history)] == ["loss", "validation"]
    assert training_curves(history[:1]) == [] == training_curves([])
