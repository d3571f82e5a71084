"""MLflow's tracking store gives the same answers on DuckDB as on SQLite."""

from __future__ import annotations

import math
from typing import Any

import pytest
from mlflow.entities import (
    ExperimentTag,
    LoggedModelParameter,
    LoggedModelTag,
    Metric,
    Param,
    RunStatus,
    RunTag,
    ViewType,
)
from mlflow.exceptions import MlflowException

from tests.contract.mlflow_stores import Stores, empty_file, stores

__all__ = ["empty_file", "stores"]


@pytest.fixture
def store(stores: Stores) -> Any:
    return stores.tracking


@pytest.fixture
def experiment(store: Any) -> str:
    return store.create_experiment("rainfall", tags=[ExperimentTag("team", "a")])


def run_in(store: Any, experiment: str, name: str = "run", start: int = 1) -> str:
    return store.create_run(experiment, "user", start, [RunTag("kind", "test")], name).info.run_id


def metric(key: str, value: float, timestamp: int = 1, step: int = 0) -> Metric:
    return Metric(key, value, timestamp, step)


def found(
    store: Any, experiment: str, filter_string: str, order_by: list[str] | None = None
) -> Any:
    runs = store.search_runs(
        [experiment], filter_string, ViewType.ACTIVE_ONLY, order_by=order_by or []
    )
    return [run.info.run_name for run in runs]


def test_default_experiment_has_id_0_and_new_ones_count_from_1(store: Any) -> None:
    assert store.get_experiment("0").name == "Default"
    assert [store.create_experiment(name) for name in "ab"] == ["1", "2"]


def test_experiment_names_are_unique(store: Any, experiment: str) -> None:
    with pytest.raises(MlflowException, match="already exists") as failure:
        store.create_experiment("rainfall")
    assert failure.value.error_code == "RESOURCE_ALREADY_EXISTS"


def test_experiments_are_searched_by_name_case_and_tag(store: Any, experiment: str) -> None:
    store.create_experiment("Rain")
    assert [e.name for e in store.search_experiments(filter_string="name LIKE 'rain%'")] == [
        "rainfall"
    ]
    assert len(store.search_experiments(filter_string="name ILIKE 'rain%'")) == 2
    assert [e.name for e in store.search_experiments(filter_string="tags.team = 'a'")] == [
        "rainfall"
    ]


def test_deleting_and_restoring_an_experiment_takes_its_runs_along(
    store: Any, experiment: str
) -> None:
    run = run_in(store, experiment)
    store.delete_experiment(experiment)
    assert store.get_run(run).info.lifecycle_stage == "deleted"
    store.restore_experiment(experiment)
    assert store.get_run(run).info.lifecycle_stage == "active"
    store.rename_experiment(experiment, "snow")
    assert store.get_experiment_by_name("snow").experiment_id == experiment


def test_hard_delete_of_an_experiment_leaves_no_row_of_it(store: Any, experiment: str) -> None:
    run = run_in(store, experiment)
    store.log_batch(run, [metric("m", 1)], [Param("p", "1")], [RunTag("t", "1")])
    model = store.create_logged_model(experiment, "model", run, [LoggedModelTag("t", "1")])
    store.log_metric(run, Metric("m", 1, 1, 0, model_id=model.model_id, run_id=run))
    store.delete_experiment(experiment)
    store._hard_delete_experiment(experiment)
    left = {table: count for table, count in row_counts(store).items() if count}
    assert left == {"alembic_version": 1, "experiments": 1, "workspaces": 1}


def test_hard_delete_of_a_run_deletes_its_model_metrics(store: Any, experiment: str) -> None:
    run = run_in(store, experiment)
    model = store.create_logged_model(experiment, "model", run)
    store.log_metric(run, Metric("m", 1, 1, 0, model_id=model.model_id, run_id=run))
    store._hard_delete_run(run)
    assert store.get_logged_model(model.model_id).metrics in (None, [])
    assert row_counts(store)["logged_model_metrics"] == 0


def row_counts(store: Any) -> dict[str, int]:
    import sqlalchemy

    with store.engine.connect() as connection:
        tables = sqlalchemy.inspect(connection).get_table_names()
        count = "SELECT count(*) FROM "
        return {t: connection.exec_driver_sql(count + t).scalar() or 0 for t in tables}


def test_a_run_keeps_what_was_logged(store: Any, experiment: str) -> None:
    run = run_in(store, experiment)
    store.log_param(run, Param("depth", "3"))
    store.log_metric(run, metric("loss", 0.5))
    store.set_tag(run, RunTag("note", "first"))
    store.set_tag(run, RunTag("note", "second"))
    store.set_tag(run, RunTag("mlflow.runName", "renamed"))
    store.update_run_info(run, RunStatus.FINISHED, 9, None)
    read = store.get_run(run)
    assert read.data.params == {"depth": "3"}
    assert read.data.metrics == {"loss": 0.5}
    assert read.data.tags == {"kind": "test", "note": "second", "mlflow.runName": "renamed"}
    assert (read.info.status, read.info.end_time, read.info.run_name) == ("FINISHED", 9, "renamed")
    store.delete_tag(run, "note")
    assert "note" not in store.get_run(run).data.tags


@pytest.mark.parametrize("batch", [False, True])
def test_latest_metric_is_the_newest_by_step_then_time_then_value(
    store: Any, experiment: str, batch: bool
) -> None:
    run = run_in(store, experiment)
    values = [
        metric("m", 1, 5, 1),
        metric("m", 2, 1, 2),
        metric("m", 9, 9, 1),
        metric("m", 3, 1, 2),
        metric("m", 2.5, 1, 2),
    ]
    log(store, run, values, batch)
    assert store.get_run(run).data.metrics == {"m": 3}
    log(store, run, [metric("m", 100, 9, 1)], batch)
    assert store.get_run(run).data.metrics == {"m": 3}
    assert len(store.get_metric_history(run, "m")) == 6


def log(store: Any, run: str, values: list[Metric], batch: bool) -> None:
    if batch:
        store.log_batch(run, values, [], [])
    else:
        for value in values:
            store.log_metric(run, value)


@pytest.mark.parametrize("batch", [False, True])
def test_a_metric_logged_again_counts_once(store: Any, experiment: str, batch: bool) -> None:
    run = run_in(store, experiment)
    log(store, run, [metric("m", 1, 1, 1)], batch)
    log(store, run, [metric("m", 1, 1, 1), metric("m", 2, 2, 2), metric("m", 2, 2, 2)], batch)
    assert [(m.value, m.step) for m in store.get_metric_history(run, "m")] == [(1, 1), (2, 2)]


@pytest.mark.parametrize("batch", [False, True])
def test_nan_and_infinity_survive(store: Any, experiment: str, batch: bool) -> None:
    run = run_in(store, experiment)
    log(
        store,
        run,
        [
            metric("n", math.nan),
            metric("n", math.nan),
            metric("i", math.inf),
            metric("j", -math.inf),
        ],
        batch,
    )
    metrics = store.get_run(run).data.metrics
    assert math.isnan(metrics["n"])
    assert (metrics["i"], metrics["j"]) == (1.7976931348623157e308, -1.7976931348623157e308)
    assert len(store.get_metric_history(run, "n")) == 1


@pytest.mark.parametrize("batch", [False, True])
def test_params_do_not_change(store: Any, experiment: str, batch: bool) -> None:
    def log_params(*params: Param) -> None:
        if batch:
            store.log_batch(run, [], list(params), [])
        else:
            for param in params:
                store.log_param(run, param)

    run = run_in(store, experiment)
    log_params(Param("p", "1"), Param("q", "x" * 6000))
    log_params(Param("p", "1"), Param("r", "3"))
    with pytest.raises(MlflowException, match="Changing param values is not allowed") as failure:
        log_params(Param("p", "2"))
    assert failure.value.error_code == "INVALID_PARAMETER_VALUE"
    assert {k: len(v) for k, v in store.get_run(run).data.params.items()} == {
        "p": 1,
        "q": 6000,
        "r": 1,
    }


def test_a_batch_refused_for_its_params_logs_nothing(store: Any, experiment: str) -> None:
    run = run_in(store, experiment)
    store.log_batch(run, [], [Param("p", "1")], [])
    with pytest.raises(MlflowException, match="Changing param values"):
        store.log_batch(run, [metric("m", 1)], [Param("p", "2")], [RunTag("t", "1")])
    data = store.get_run(run).data
    assert (data.metrics, data.params) == ({}, {"p": "1"})
    assert "t" not in data.tags


def test_a_batch_sets_tags_the_last_of_a_key_winning(store: Any, experiment: str) -> None:
    run = run_in(store, experiment)
    store.set_tag(run, RunTag("a", "old"))
    tags = [RunTag("a", "new"), RunTag("b", "1"), RunTag("b", "2"), RunTag("mlflow.runName", "n")]
    store.log_batch(run, [], [], tags)
    read = store.get_run(run)
    assert read.data.tags == {"kind": "test", "a": "new", "b": "2", "mlflow.runName": "n"}
    assert read.info.run_name == "n"


def test_a_large_batch_is_stored_whole(store: Any, experiment: str) -> None:
    run = run_in(store, experiment)
    metrics = [metric(f"m{i % 7}", i, i, i) for i in range(800)]
    params = [Param(f"p{i}", str(i)) for i in range(100)]
    store.log_batch(run, metrics, params, [RunTag(f"t{i}", str(i)) for i in range(100)])
    data = store.get_run(run).data
    assert (len(data.params), len(data.tags)) == (100, 102)
    assert data.metrics == {f"m{i % 7}": float(i) for i in range(793, 800)}
    assert sum(len(store.get_metric_history(run, f"m{i}")) for i in range(7)) == 800


@pytest.mark.parametrize(
    "call",
    [
        lambda store, run: store.log_metric(run, metric("m", 1)),
        lambda store, run: store.log_batch(run, [metric("m", 1)], [], []),
        lambda store, run: store.log_param(run, Param("p", "1")),
        lambda store, run: store.set_tag(run, RunTag("t", "1")),
    ],
)
def test_a_deleted_or_unknown_run_takes_nothing(store: Any, experiment: str, call: Any) -> None:
    run = run_in(store, experiment)
    store.delete_run(run)
    with pytest.raises(MlflowException, match="must be in the 'active' state"):
        call(store, run)
    with pytest.raises(MlflowException, match="not found") as failure:
        call(store, "0" * 32)
    assert failure.value.error_code == "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.parametrize(
    ("metrics", "params", "tags"),
    [
        ([metric("a/../b", 1)], [], []),
        ([Metric("m", "x", 1, 0)], [], []),
        ([], [Param("p", "1"), Param("p", "2")], []),
    ],
)
def test_a_bad_batch_is_refused(
    store: Any, experiment: str, metrics: Any, params: Any, tags: Any
) -> None:
    run = run_in(store, experiment)
    with pytest.raises(MlflowException) as failure:
        store.log_batch(run, metrics, params, tags)
    assert failure.value.error_code == "INVALID_PARAMETER_VALUE"


def test_runs_are_searched_by_metric_param_tag_and_attribute(store: Any, experiment: str) -> None:
    for i, name in enumerate(["one", "Two", "three"]):
        run = run_in(store, experiment, name, start=i)
        params = [Param("p", str(i)), Param("word", name)]
        store.log_batch(run, [metric("m", i)], params, [RunTag("odd", str(i % 2))])
    assert found(store, experiment, "metrics.m >= 1", ["metrics.m DESC"]) == ["three", "Two"]
    assert found(store, experiment, "params.p != '0' and tags.odd = '0'") == ["three"]
    assert found(store, experiment, "params.word LIKE 't%'") == ["three"]
    assert found(store, experiment, "params.word ILIKE 't%'") == ["three", "Two"]
    assert found(store, experiment, "attributes.run_name = 'one'") == ["one"]
    assert found(store, experiment, "params.absent IS NULL and metrics.m < 1") == ["one"]
    assert found(store, experiment, "", ["params.word ASC"]) == ["Two", "one", "three"]


def test_search_order_puts_nan_and_missing_last(store: Any, experiment: str) -> None:
    for name, value in [("nan", math.nan), ("low", -1), ("none", None), ("high", math.inf)]:
        run = run_in(store, experiment, name)
        if value is not None:
            store.log_metric(run, metric("m", value))
    assert found(store, experiment, "", ["metrics.m"]) == ["low", "high", "nan", "none"]
    assert found(store, experiment, "", ["metrics.m DESC"]) == ["high", "low", "nan", "none"]


def test_search_pages_through_all_runs_once(store: Any, experiment: str) -> None:
    names = {f"r{i}" for i in range(7)}
    for i, name in enumerate(sorted(names)):
        run_in(store, experiment, name, i)
    seen, token = [], None
    while True:
        page = store.search_runs([experiment], "", ViewType.ALL, 3, [], token)
        seen += [run.info.run_name for run in page]
        token = page.token
        if not token:
            break
    assert len(seen) == 7
    assert set(seen) == names


def test_metric_history_is_ordered_and_paged(store: Any, experiment: str) -> None:
    run = run_in(store, experiment)
    store.log_batch(run, [metric("m", i % 3, 10 - i, i) for i in range(10)], [], [])
    history = store.get_metric_history(run, "m")
    assert [m.timestamp for m in history] == list(range(1, 11))
    page = store.get_metric_history(run, "m", max_results=4)
    rest = store.get_metric_history(run, "m", max_results=10, page_token=page.token)
    assert [*page, *rest] == list(history)


def test_logged_models_are_searched_tagged_and_deleted(store: Any, experiment: str) -> None:
    run = run_in(store, experiment)
    tags, params = [LoggedModelTag("t", "1")], [LoggedModelParameter("p", "2")]
    model = store.create_logged_model(experiment, "model", run, tags, params)
    value = Metric("auc", 0.9, 1, 0, model_id=model.model_id, run_id=run)
    store.log_batch(run, [value], [], [])
    store.set_logged_model_tags(model.model_id, [LoggedModelTag("t", "3")])
    page = store.search_logged_models([experiment], "metrics.auc > 0.5 AND tags.t = '3'")
    assert [m.model_id for m in page] == [model.model_id]
    assert page[0].params == {"p": "2"}
    store.delete_logged_model(model.model_id)
    with pytest.raises(MlflowException, match="not found"):
        store.get_logged_model(model.model_id)


def test_a_model_of_an_unknown_experiment_is_refused(store: Any) -> None:
    with pytest.raises(MlflowException):
        store.create_logged_model("999", "model")


def test_the_overview_of_an_experiment_sums_costs_by_day(store: Any, experiment: str) -> None:
    from mlflow.entities.trace_metrics import AggregationType, MetricAggregation, MetricViewType

    day = 86_400
    found = store.query_trace_metrics(
        experiment_ids=[experiment],
        view_type=MetricViewType.SPANS,
        metric_name="total_cost",
        aggregations=[MetricAggregation(AggregationType.SUM)],
        dimensions=["span_model_name"],
        time_interval_seconds=day,
        start_time_ms=0,
        end_time_ms=day * 1000,
    )
    assert list(found) == []
