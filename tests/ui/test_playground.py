"""The playground: what is trained, and for how long."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nncli.config.read import parse
from nncli.data.table import Table
from nncli.experiment.predict import predictions
from nncli.model import Model
from nncli.ui.playground.endpoints import MOST_STEPS
from nncli.ui.playground.region import SIDE, SURE
from nncli.ui.playground.session import Session
from nncli.ui.playground.settings import Settings, planar

if TYPE_CHECKING:
    from starlette.testclient import TestClient

SMALL = {"samples": 10, "units": [4]}
NEVER = 1e9


def begin(client: TestClient, **settings: Any) -> Any:
    answer = client.post("/api/playground", json=SMALL | settings)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def session() -> Session:
    """Return a network of the spiral after twenty steps."""
    made = Session(Settings(samples=10, units=[8]))
    made.train(20, NEVER)
    return made


def test_datasets_are_those_with_two_inputs() -> None:
    assert set(planar()) == {"linear", "spiral", "two_ellipses", "xor"}


@pytest.mark.parametrize("dataset", sorted(planar()))
def test_every_dataset_trains(dataset: str) -> None:
    made = Session(Settings(dataset=dataset, samples=8, units=[], lr=0.01))
    before = made.state()
    after = made.train(3, NEVER)
    assert after["step"] == 3
    assert after["scores"]["train"]["loss"] != before["scores"]["train"]["loss"]
    assert len(base64.b64decode(after["region"])) == SIDE * SIDE


def test_steps_are_those_of_the_same_config_in_nncli() -> None:
    settings = Settings(samples=12, units=[6], batch_size=8, seed=4)
    made = Session(settings)
    shown = parse(made.description()["config"], "playground").value
    assert shown == settings.config()
    model = Model.from_config(shown, ["training.epochs=2"])
    last = model.fit().last
    scores = made.train(last["step"], NEVER)["scores"]
    assert scores == {part: last[part] for part in ("train", "validation")}


def test_training_goes_on_where_it_was(session: Session) -> None:
    whole, parts = (Session(Settings(samples=10, batch_size=8)) for _ in range(2))
    at_once = whole.train(7, NEVER)
    for steps in (1, 2, 4):
        in_parts = parts.train(steps, NEVER)
    assert at_once == in_parts


def test_region_says_what_the_network_does(session: Session) -> None:
    region = np.frombuffer(base64.b64decode(session.state()["region"]), np.uint8)
    about = session.description()
    place = (SIDE // 4, SIDE // 3)
    unit = about["size"] / SIDE
    x = about["low"][0] + (place[1] + 0.5) * unit
    y = about["low"][1] + (SIDE - place[0] - 0.5) * unit
    odds = predictions(session._experiment, Table(np.array([[x, y]])))[0]
    found = region.reshape(SIDE, SIDE)[place]
    assert found // (SURE + 1) == odds.argmax()
    assert found % (SURE + 1) == np.rint((odds.max() * 3 - 1) / 2 * SURE)


def test_training_ends_when_its_time_is_over(session: Session) -> None:
    before = session.state()["step"]
    assert session.train(10**9, 1e-9)["step"] == before + 1


def test_one_request_trains_so_far_at_most(client: TestClient) -> None:
    place = f"/api/playground/{begin(client)['id']}"
    asked = {"steps": 10**9, "seconds": 10**9}
    assert 0 < client.post(place, json=asked).json()["step"] <= MOST_STEPS
    for wrong in ({"steps": -1}, {"steps": "1"}, {"seconds": 0}, {"seconds": None}):
        assert client.post(place, json=wrong).status_code == 400


def test_divergence_is_told_and_ends_it() -> None:
    made = Session(Settings(dataset="linear", optimizer="sgd", lr=10.0, units=[]))
    state = made.train(5000, NEVER)
    assert "optimizer.lr" in state["diverged"]
    assert made.train(5, NEVER)["step"] == state["step"]


def test_page_trains_step_by_step(client: TestClient) -> None:
    choices = client.get("/api/playground").json()
    assert set(choices["datasets"]) == set(planar())
    made = begin(client)
    assert made["state"]["step"] == 0
    place = f"/api/playground/{made['id']}"
    assert client.post(place, json={"steps": 1}).json()["step"] == 1
    assert client.post(place, json={}).json()["step"] == 2
    assert [len(part["y"]) for part in made["points"].values()] == [22, 8]


def test_second_page_takes_the_playground(client: TestClient) -> None:
    first, second = begin(client), begin(client)
    assert client.post(f"/api/playground/{first['id']}", json={}).status_code == 410
    assert client.post(f"/api/playground/{second['id']}", json={}).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"dataset": "mnist"},
        {"dataset": "../spiral"},
        {"samples": 10**9},
        {"units": [65]},
        {"units": [1] * 6},
        {"activation": "softmax"},
        {"lr": -1},
        {"plugins": ["x.py"]},
        {"units": "x"},
    ],
)
def test_settings_beyond_bounds_are_refused(
    client: TestClient, wrong: dict[str, Any], folder: Path
) -> None:
    answer = client.post("/api/playground", json=SMALL | wrong)
    assert answer.status_code == 400
    assert next(iter(wrong)) in answer.json()["error"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 9000, b'{"steps": 1e3}'])
def test_body_that_is_no_mapping_is_refused(client: TestClient, body: bytes) -> None:
    made = begin(client)
    answer = client.post(
        f"/api/playground/{made['id']}",
        content=body,
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 400
