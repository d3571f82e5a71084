"""What monitoring knows, as one HTML page that needs nothing else: no script, no other file; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape

from appliance import zone
from appliance.domain.drift import DriftReport, DriftScore, DriftVerdict, LossReport
from appliance.domain.forecast import Performance
from appliance.domain.monitoring import Monitoring
from appliance.domain.trial import LossEstimate, Trial, TwinAccount

Cells = Iterable[str]

_UNKNOWN = "–"
_MARKS = {
    DriftVerdict.STABLE: "● stable",
    DriftVerdict.WARNING: "▲ warning",
    DriftVerdict.DRIFTED: "✖ drifted",
    DriftVerdict.INSUFFICIENT: "◌ too few rows",
}
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #2a8a4a; --warn: #b7791f; --bad: #c53030; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; }
th, td { white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } td.words { text-align: left; white-space: normal; }
.scroll { overflow-x: auto; } .soft { opacity: .7; } svg { width: 100%; height: auto; }
.stable { color: var(--good); } .warning { color: var(--warn); } .drifted { color: var(--bad); }
dt { font-weight: 600; } dd { margin: 0 0 .5rem; }
"""
_WIDTH, _HEIGHT = 720, 150


def monitoring_page(known: Monitoring, now_at: datetime) -> str:
    """Return the page; parts of which nothing is known yet say so."""
    report = known.report
    version = f"version {report.model_version}" if report else "no report yet"
    parts = [
        f"<h1>{escape(known.project)} · monitoring</h1>",
        f'<p class="soft">{version} · made {_instant(now_at)}</p>',
        _section("Drift against what the model was trained on", _drift(report)),
        _section("Loss", _loss(report.loss if report else None)),
        _section("Expected and realised loss", _estimates(known.estimates)),
        _section("Realised performance", _performance(known.performances)),
        _section("Comparisons of versions", _trials(known.trials)),
        _section("Retraining", _retraining(known)),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(known.project)} monitoring</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _section(name: str, body: str) -> str:
    return f"<section><h2>{name}</h2>{body}</section>"


def _nothing(words: str) -> str:
    return f'<p class="soft">{words}</p>'


def _table(names: Cells, rows: Iterable[Cells]) -> str:
    head = "".join(f"<th>{name}</th>" for name in names)
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _cell(text: str, style: str = "") -> str:
    return f'<td class="{style}">{escape(text)}</td>' if style else f"<td>{escape(text)}</td>"


def _drift(report: DriftReport | None) -> str:
    if report is None:
        return _nothing("The first monitoring run writes a report.")
    span = f"{_instant(report.window_start_at)} to {_instant(report.window_end_at)}"
    words = f'<p><b class="{report.verdict}">{_MARKS[report.verdict]}</b>, window {span}</p>'
    names = (
        "feature",
        "verdict",
        "PSI",
        "KS",
        "p",
        "Wasserstein / σ",
        "outside",
        "missing",
        "effect",
        "rows",
    )
    return words + _table(names, (_score(score) for score in report.ranked))


def _score(score: DriftScore) -> list[str]:
    return [
        _cell(score.feature),
        _cell(_MARKS[score.verdict], score.verdict),
        _cell(_number(score.psi)),
        _cell(_number(score.ks)),
        _cell(_number(score.p_value, 5)),
        _cell(_number(score.wasserstein, 2)),
        _cell(_share(score.outside)),
        _cell(_share(score.missing_rate)),
        _cell(_share(score.effect)),
        _cell(f"{score.rows:,}"),
    ]


def _loss(loss: LossReport | None) -> str:
    if loss is None:
        return _nothing("The model does not say what its loss was at training.")
    verdict = f'<b class="{loss.verdict}">{_MARKS[loss.verdict]}</b> over {loss.rows:,} outcomes'
    names = ("measure", "now", "alarm above", "what it is")
    rows = [
        _measure("relative loss", loss.relative, loss.relative_high, "of the benchmark's interval"),
        _measure(
            "Page-Hinkley",
            loss.page_hinkley,
            loss.page_hinkley_limit,
            "growth of the loss for good",
        ),
        _measure(
            "expected loss, bp",
            _basis_points(loss.expected),
            _basis_points(loss.expected_high),
            "from the spread of forecasts that have not matured; above it a warning",
        ),
        _measure("realised loss, bp", _basis_points(loss.realised), None, "mean pinball loss"),
    ]
    why = _nothing(f"The loss cannot be judged: {loss.why}.") if loss.why else ""
    return f"<p>{verdict}</p>{why}{_table(names, rows)}"


def _measure(name: str, value: float | None, limit: float | None, words: str) -> list[str]:
    is_above = value is not None and limit is not None and value > limit
    style = "drifted" if is_above else ""
    cells = [_cell(name), _cell(_number(value), style), _cell(_number(limit))]
    return [*cells, _cell(words, "words")]


def _estimates(estimates: Sequence[LossEstimate]) -> str:
    if not estimates:
        return _nothing("No estimate yet: one is written before its forecasts mature.")
    expected = [_basis_points(each.expected) for each in estimates]
    realised = [_basis_points(each.realised) for each in estimates]
    known = [(each.expected, each.realised) for each in estimates if each.realised is not None]
    track = "None has matured yet."
    if known:
        hits = sum(abs(e - r) <= 0.25 * r for e, r in known)
        bias = sum(e for e, _ in known) / max(sum(r for _, r in known), 1e-300) - 1.0
        track = f"{hits} of {len(known)} matured ones came within 25 %, bias {_percent(bias)}."
    first, last = estimates[0].window_start_at, estimates[-1].window_end_at
    words = f"{_instant(first)} to {_instant(last)}, mean pinball loss in basis points. {track}"
    return f"<p>{words}</p>{_chart([('expected', expected), ('realised', realised)])}"


def _chart(lines: Sequence[tuple[str, Sequence[float | None]]]) -> str:
    """Return series over equal steps as an SVG; None leaves a break."""
    values = [value for _, series in lines for value in series if value is not None]
    top, count = max(values, default=1.0) or 1.0, max(len(series) for _, series in lines)
    step = _WIDTH / max(count - 1, 1)
    shapes, names = [], []
    for number, (name, series) in enumerate(lines):
        dash = ' stroke-dasharray="5 4"' if number == 0 else ""
        color = "var(--warn)" if number == 0 else "var(--good)"
        points = [
            (i * step, _HEIGHT * (1.0 - v / top)) for i, v in enumerate(series) if v is not None
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        shapes.append(
            f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"{dash}/>'
        )
        names.append(f'<span style="color:{color}">{"- -" if number == 0 else "—"} {name}</span>')
    frame = f'<path d="M0 {_HEIGHT}H{_WIDTH}M0 0H{_WIDTH}" stroke="var(--line)"/>'
    label = f'<text x="2" y="14" font-size="12" fill="currentColor">{top:.2f}</text>'
    svg = f'<svg viewBox="-2 -2 {_WIDTH + 4} {_HEIGHT + 4}" role="img">{frame}{label}{"".join(shapes)}</svg>'
    return f"{svg}<p>{' '.join(names)}</p>"


def _performance(performances: Sequence[Performance]) -> str:
    if not performances:
        return _nothing("No forecast has matured yet.")
    names = (
        "window until",
        "version",
        "market",
        "loss, bp",
        "over EWMA",
        "over static",
        "inside 80 %",
    )
    rows = (
        [
            _cell(_instant(p.window_end_at)),
            _cell(str(p.model_version)),
            _cell(f"{p.market} {p.unit}m"),
            _cell(_number(_basis_points(p.pinball), 2)),
            _cell(_percent(p.skill_ewma)),
            _cell(_percent(p.skill_static)),
            _cell(_share(p.coverage)),
            _cell(f"{p.rows:,} ({p.live_rows:,} live)"),
        ]
        for p in reversed(performances[-12:])
    )
    return _table((*names, "rows"), rows)


def _trials(trials: Sequence[Trial]) -> str:
    if not trials:
        return _nothing("No version has been compared with the champion yet.")
    rows = (
        [
            _cell(f"version {trial.challenger} against {trial.champion}"),
            _cell(trial.purpose),
            _cell(trial.state),
            _cell(trial.words or "no common row yet", "words"),
        ]
        for trial in reversed(trials)
    )
    return _table(("comparison", "purpose", "state", "evidence"), rows)


def _retraining(known: Monitoring) -> str:
    decision, parked = known.decision, known.parked
    facts = [
        ("Decision", f"{decision.summary} ({_instant(decision.at)})" if decision else "none yet"),
        (
            "Parked",
            f"since {_instant(parked.parked_at)}: {'; '.join(parked.reasons)}"
            if parked
            else "nothing",
        ),
        ("Retraining against a model left alone", _account(known.account)),
    ]
    items = "".join(f"<dt>{name}</dt><dd>{escape(words)}</dd>" for name, words in facts)
    return f"<dl>{items}</dl>"


def _account(account: TwinAccount | None) -> str:
    if account is None:
        return "not measured yet: there has been no retrain, or no common row"
    return (
        f"{account.verdict}: loss {_percent(account.gain)} lower than that of version"
        f" {account.model_version}, frozen, over {account.rows:,} candles"
    )


def _basis_points(value: float | None) -> float | None:
    return None if value is None else 1e4 * value


def _number(value: float | None, decimals: int = 3) -> str:
    return _UNKNOWN if value is None else f"{value:.{decimals}f}"


def _percent(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{100.0 * value:+.1f} %"


def _share(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{100.0 * value:.1f} %"


def _instant(at: datetime) -> str:
    return zone.stamp_with_name(at, seconds=False)
