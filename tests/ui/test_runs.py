"""What the pages of runs get to know."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nncli.core import files
from nncli.runs import rows
from nncli.ui.place import RunsFolder
from nncli.ui.watch import Watch
from tests.runs.made import leave_test, make_run, row_of

if TYPE_CHECKING:
    from starlette.testclient import TestClient


def test_list_has_what_the_command_has(client: TestClient, folder: Path) -> None:
    run = make_run(folder, overrides=["seed=1"])
    leave_test(run, loss=0.25)
    (folder / "notes.txt").write_text("")
    found = client.get("/api/runs").json()
    (told,) = found["runs"]
    assert told["name"] == "a-1"
    assert told["state"] == "done"
    assert told["validation"]["loss"] == 0.6
    assert (told["test"], told["test_is_of_best"]) == ({"loss": 0.25}, True)
    assert found["others"] == {"notes.txt": "it is no directory"}


def test_list_takes_conditions(client: TestClient, folder: Path) -> None:
    make_run(folder, "a-1", config={"optimizer": {"type": "adam", "lr": 0.1}})
    make_run(folder, "a-2", config={"optimizer": {"type": "adam", "lr": 0.001}})
    found = client.get("/api/runs", params={"where": "optimizer.lr<0.01"}).json()
    assert [run["name"] for run in found["runs"]] == ["a-2"]
    assert found["total"] == 2
    wrong = client.get("/api/runs", params={"where": "nonsense"})
    assert (wrong.status_code, "KEY=VALUE" in wrong.json()["error"]) == (400, True)


def test_list_that_did_not_change_is_not_sent_again(
    client: TestClient, folder: Path
) -> None:
    run = make_run(folder)
    tag = client.get("/api/runs").headers["etag"]
    again = client.get("/api/runs", headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
    (run.path / "tags.json").write_text('["good"]')
    assert client.get("/api/runs", headers={"if-none-match": tag}).status_code == 200


def test_unchanged_run_is_not_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(folder)
    watch = Watch(RunsFolder(folder))
    before = watch.listing().runs
    monkeypatch.setattr("nncli.ui.watch.entry_of", None)
    assert watch.listing().runs == before
    leave_test(run)
    with pytest.raises(TypeError):
        watch.listing()


def test_live_run_is_followed_by_the_end_of_its_log(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(folder, status=None)
    size = rows.TAIL
    while run.metrics.stat().st_size < 3 * size:
        with run.metrics.open("a") as file:
            file.writelines(json.dumps(row_of(n, 1.0)) + "\n" for n in range(100, 200))
    watch = Watch(RunsFolder(folder))
    watch.listing()
    read: list[int] = []
    opened = files.open_file

    def counting(path: Path) -> Any:
        file = opened(path)
        if path == run.metrics:
            read.append(file.seek(0, os.SEEK_END) - size)
        return file

    run.append_row(row_of(500, 0.3))
    monkeypatch.setattr(rows, "open_file", counting)
    (found,) = watch.listing().runs
    # Once for the last row; the best one was found before.
    assert len(read) == 1
    assert (found.steps, found.best_step, found.train["loss"]) == (500, 20, 0.5)


def test_run_tells_config_and_what_it_was_made_with(
    client: TestClient, folder: Path
) -> None:
    run = make_run(folder, command=["nncli", "train", "a b"], seed=3)
    run.config.write_text("name: a\n# <b>\n")
    found = client.get("/api/run?name=a-1").json()
    assert found["config"] == "name: a\n# <b>\n"
    assert found["made"] == {
        "command": "nncli train 'a b'", "seed": "3", "numpy": "2.4.6"
    }  # fmt: skip


def test_rows_come_from_a_place_on(client: TestClient, folder: Path) -> None:
    run = make_run(folder)
    first = client.get("/api/rows?name=a-1").json()
    assert first["columns"]["step"] == [10, 20, 30]
    run.append_row(row_of(40, 0.1))
    more = {"name": "a-1", "from": first["place"]}
    assert client.get("/api/rows", params=more).json()["columns"]["step"] == [40]
    for wrong in ({"from": "x"}, {"log": "config.yaml"}, {"log": "../a"}):
        params = {"name": "a-1"} | wrong
        assert client.get("/api/rows", params=params).status_code == 400


def test_comparison_has_what_the_command_has(client: TestClient, folder: Path) -> None:
    make_run(folder, "a-1", config={"seed": 1}, losses=(0.9, 0.5))
    make_run(folder, "a-2", config={"seed": 2}, losses=(0.9, 0.4))
    make_run(folder, "a-3", config={"seed": 1}, losses=(0.9, 0.5), numpy="1.0")
    query = {"run": ["a-1", "a-2", "a-3"]}
    found = client.get("/api/compare", params=query).json()
    assert found["config"] == {"seed": {"a-1": "1", "a-2": "2", "a-3": "1"}}
    assert found["environment"]["numpy"]["a-3"] == "1.0"
    first, second = found["parting"]
    assert (first["run"], first["same"], first["step"]) == ("a-2", 10, 20)
    assert first["differs"]["train.loss"] == [0.5, 0.4]
    assert (second["run"], second["step"]) == ("a-3", None)


def test_damaged_checkpoint_leaves_the_rest_of_a_comparison(
    client: TestClient, folder: Path
) -> None:
    make_run(folder, "a-1", config={"seed": 1})
    make_run(folder, "a-2").last.write_bytes(b"")
    query = {"run": ["a-1", "a-2"]}
    found = client.get("/api/compare", params=query).json()
    assert "checkpoint" in found["problems"][0]
    assert len(found["runs"]) == 2


def test_facts_of_many_levels_are_none(client: TestClient, folder: Path) -> None:
    for name in ("a-1", "a-2"):
        make_run(
            folder, name, seed={"a": [name]}, threads=json.loads("[" * 400 + "]" * 400)
        )
    assert "seed" not in client.get("/api/run?name=a-1").json()["made"]
    found = client.get("/api/compare", params={"run": ["a-1", "a-2"]}).json()
    assert found["environment"] == {}
    assert "more than 100 levels" in found["runs"][0]["problems"][0]


def test_names_stay_text(client: TestClient, folder: Path) -> None:
    name = "<script>alert(1)<script>-1"
    make_run(folder, name, overrides=["name=</script>"])
    answer = client.get("/api/run", params={"name": name})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.json()["run"]["name"] == name


def test_name_that_is_no_text_is_told(client: TestClient, folder: Path) -> None:
    make_run(folder, os.fsdecode(b"\xff-1"))
    (why,) = client.get("/api/runs").json()["others"].values()
    assert "UTF-8" in why


def test_folds_of_a_cross_validation_are_runs(client: TestClient, folder: Path) -> None:
    make_run(folder / "x-cv-1", "fold-1")
    (folder / "x-cv-1" / "config.yaml").write_text("")
    (folder / "x-cv-1" / "cv.json").write_text('{"runs": []}')
    (listed,) = client.get("/api/runs").json()["runs"]
    assert listed["kind"] == "cross-validation"
    folds = client.get("/api/run?name=x-cv-1").json()["folds"]
    assert [fold["name"] for fold in folds] == ["fold-1"]
    assert client.get("/api/run?name=x-cv-1/fold-1").json()["run"]["state"] == "done"
    assert client.get("/api/rows?name=x-cv-1").status_code == 404


def test_pictures_of_a_run_are_shown_and_no_other_file(
    client: TestClient, folder: Path
) -> None:
    run = make_run(folder)
    assert client.get("/api/run?name=a-1").json()["pictures"] == []
    run.plots.mkdir()
    run.picture("roc").write_bytes(b"png")
    run.picture("curves").write_bytes(b"these are drawn as they grow")
    (run.plots / "mine.png").write_bytes(b"mine")
    (told,) = client.get("/api/run?name=a-1").json()["pictures"]
    assert (told["kind"], told["title"]) == ("roc", "ROC")
    assert told["alt"]
    found = client.get("/api/picture?name=a-1&kind=roc")
    assert (found.content, found.headers["content-type"]) == (b"png", "image/png")
    for kind in ("mine", "confusion", "curves", "../plots/roc", "", "roc\0"):
        params = {"name": "a-1", "kind": kind}
        assert client.get("/api/picture", params=params).status_code == 404
    # What leads out of the directory is no run any more.
    run.picture("roc").unlink()
    run.picture("roc").symlink_to("/etc/hostname")
    assert client.get("/api/picture?name=a-1&kind=roc").status_code == 404
