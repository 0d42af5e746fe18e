"""The page that answers which endpoint to take."""

from pathlib import Path

import pytest
from drawn import HOSTILE, PAGES, open_page, said, two_endpoints
from published import attempt, make_run, manifest, score

from harness.store.index import publish

DECIDE = PAGES[0]


def test_the_answer_is_a_text_to_read_aloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above everything stands which endpoint is best inside the limits and by the weights, and how sure that is."""
    two_endpoints(tmp_path)
    app = open_page(tmp_path, DECIDE, monkeypatch)
    text = said(app)
    assert "For chat with TTFT within 800 ms p/m is best: 100 % [61–100] of 6 requests were inside." in text
    assert "Not told apart from it: b/m (86 % [49–97])." in text
    assert "By your weights" in text
    assert "This was one sitting from one machine, at c1" in text


def test_limits_weights_and_volumes_are_read_from_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link with other wishes shows the page for them."""
    two_endpoints(tmp_path)
    wishes = {"max_ttft": "50", "requests": "1000", "input": "1000", "output": "0", "weigh_quality": "0"}
    app = open_page(tmp_path, DECIDE, monkeypatch, **wishes)
    assert app.slider(key="max_ttft").value == 50
    assert app.slider(key="weigh_quality").value == 0
    # 1,000 requests a day of 1,000 tokens at 1 USD per million, on 30.4375 days.
    assert "30.4" in said(app)
    assert "with TTFT within 50 ms" in said(app)
    assert "0 % [0–39] n=6" in said(app)


@pytest.mark.parametrize(
    "wishes",
    [
        {"max_ttft": "-5", "requests": "nan", "weigh_cost": "1e999", "peak": "x"},
        {"workload": HOSTILE, "level": HOSTILE, "tokens": HOSTILE, "share": "", "hourly": "inf"},
        {"cached": "101", "input": "-1", "output": "999999999999"},
    ],
)
def test_a_stale_link_falls_back_on_what_is_usual(
    wishes: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an address says that is no wish is as if it were not there."""
    two_endpoints(tmp_path)
    app = open_page(tmp_path, DECIDE, monkeypatch, **wishes)
    assert "For chat with TTFT within 800 ms p/m is best" in said(app)
    assert "10,000 requests a day of 1,000 tokens in and 300 out" in said(app)


def test_one_level_can_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link to a level shows the shares and the routing of that level."""
    two_endpoints(tmp_path)
    app = open_page(tmp_path, DECIDE, monkeypatch, level="c1")
    assert app.selectbox(key="level").value == "load.chat@c1"
    assert "For chat at c1 with TTFT within 800 ms p/m is best" in said(app)
    assert "Over level `c1` of `chat`" in said(app)


def test_without_a_limit_what_is_answered_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every limit at 0 the share inside is that of requests that succeeded."""
    two_endpoints(tmp_path)
    app = open_page(tmp_path, DECIDE, monkeypatch, max_ttft="0")
    assert "For chat without any limit p/m is best: 100 % [61–100] of 6" in said(app)


def test_what_is_not_known_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a load, a price and a score each part says what it would take; nothing is drawn and nothing crashes."""
    marks = {"send0": 0, "tok1": 100, "tokn": 300, "eof": 302}
    row = attempt("q", kind="quality", stage="quality.sums", task="sums", sample="q", ms=marks)
    run = make_run(tmp_path, attempts=[row], scores=[score("q", 1.0)])
    priceless = [manifest(run)["endpoints"][0] | {"price": None}]
    run.write_manifest(manifest(run, loads=[], endpoints=priceless))
    publish(tmp_path)
    app = open_page(tmp_path, DECIDE, monkeypatch)
    told = [block.value.split(":")[0] for block in app.info]
    assert told == ["Nothing to draw"] * 5 + ["Nothing to put together"]
    assert len(app.get("plotly_chart")) == 0
    assert "No load was run" in said(app)
    assert "no price of input and output tokens is stored with the run" in said(app)


def test_forty_endpoints_with_long_names_in_any_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are shortened in charts and counted in cards, and those written from right to left turn nothing round."""
    marks = {"send0": 0, "send1": 1, "tok1": 100, "tokn": 300, "eof": 302}
    names = [f"provider-{i}/" + ("نموذج " * 20 if i % 2 else "long-" * 30) + str(i) for i in range(40)]
    rows = [attempt(f"{name}{i}", sample=str(i), ms=marks, endpoint=name) for name in names for i in range(3)]
    run = make_run(tmp_path, attempts=rows)
    first = manifest(run)["endpoints"][0]
    run.write_manifest(manifest(run, endpoints=[first | {"id": name} for name in names]))
    publish(tmp_path)
    app = open_page(tmp_path, DECIDE, monkeypatch)
    assert "36 more" in said(app)
    assert len(app.get("plotly_chart")) >= 2


def test_the_price_of_an_own_server_gives_its_bill_and_break_even(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A local server without a price has an unknown bill until its hour is given; then vendors are set against it."""
    run = two_endpoints(tmp_path)
    own, vendor = manifest(run)["endpoints"][0], manifest(run)["endpoints"][0] | {"id": "b/m"}
    run.write_manifest(manifest(run, endpoints=[own | {"kind": "local", "price": None}, vendor]))
    publish(tmp_path)
    assert "Break-even volumes" not in said(open_page(tmp_path, DECIDE, monkeypatch))
    text = said(open_page(tmp_path, DECIDE, monkeypatch, hourly="0.1"))
    assert "Break-even volumes" in text
    # 0.1 USD x 24 h over 0.0016 USD a request.
    assert "1,500" in text


def test_routing_is_set_beside_each_endpoint_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table has both endpoints and the two together, with what it assumes."""
    two_endpoints(tmp_path)
    text = said(open_page(tmp_path, DECIDE, monkeypatch))
    assert "first, then second" in text
    assert "Nothing was sent for this" in text
