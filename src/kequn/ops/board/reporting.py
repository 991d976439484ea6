"""The daily and weekly report of a branch: its figures, and in words what stands out; small samples are called small."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt
from typing import Any

from kequn.core.insight.tgi import familywise
from kequn.core.spec.base import Text
from kequn.core.stats.intervals import difference_interval, normal_quantile
from kequn.ops.audiences.contracts import Sheet
from kequn.ops.board.contracts import Board, Line, Pace, Signal
from kequn.ops.board.figures import FIGURES, PER, RATES, rate, title_in
from kequn.ops.board.models import BoardDay
from kequn.ops.board.periods import period_around
from kequn.ops.board.quality import FLOOR, KINDS, is_noted, signals_for
from kequn.ops.board.reading import boards_for
from kequn.ops.orgs.actor import Actor

KINDS_OF_REPORT = ("day", "week")
COLUMNS = ("assigned", "done", "contacts", "effective", "appointments", "deals", "sales", "sales_fen", "new_customers", "aum_fen",
           "aum_gain_fen", "overdue", "age_8")  # fmt: skip
PERCENT = 100


@dataclass(frozen=True, slots=True)
class Report:
    """One branch's report on a day or week."""

    board: Board
    before: Board
    """The period before, to compare with."""
    month: Board
    """The month so far, with its targets."""
    signals: tuple[Signal, ...]
    words: tuple[Text, ...]
    scope: str
    author: str


def report_for(
    actor: Actor, span: str, day: date, *, branch: str = "", kept: Mapping[date, BoardDay] | None = None
) -> Report:
    """Return the report of the day or week that a day lies in, within the actor's scope; ``kept`` as of ``boards_for``.

    Raises:
        NotAllowed: no right, or a branch outside her scope.
        Conflict: too many records for one report: a branch is to be chosen.
    """
    period = period_around(span if span in KINDS_OF_REPORT else "day", day)
    previous = period_around(period.span, period.first - timedelta(days=1))
    month_of = period_around("month", day)
    board, before, month = boards_for(actor, [period, previous, month_of], branch=branch, kept=kept)
    names = {line.key: line.name for line in board.lines if line.name != line.key}
    found = (
        tuple(s for s in signals_for(actor, period.first, period.last, branch=branch, names=names) if is_noted(s))
        if board.by == "staff"
        else ()
    )
    where, name = branch or actor.branch_code, board.branch_name or actor.branch_name
    words = tuple(stands_out(board, before, month, found))
    return Report(board, before, month, found, words, f"{where} {name}".strip(), actor.display_name)


def stands_out(board: Board, before: Board, month: Board, signals: Sequence[Signal]) -> Iterable[Text]:
    """Yield sentences on what is unusual, each with its numbers; differences that chance explains are not told."""
    if board.missing_days:
        yield Text(
            zh=f"有 {board.missing_days} 天的指标尚未计算，合计偏少。",
            en=f"The figures of {board.missing_days} days were not computed yet: sums are too small.",
        )
    yield from _against_before(board, before)
    yield from _reached(board.lines)
    yield from _waiting(board.lines)
    yield from _behind(month)
    for signal in signals:
        share = signal.share
        if share is not None:
            about = KINDS[signal.code]
            sure = f"{_percent(share.low)}–{_percent(share.high)}"
            zh = f"{signal.name}：{about.title.zh} {signal.found}/{signal.n}（{sure}），建议了解情况。"
            en = f"{signal.name}: {about.title.en.lower()} {signal.found} of {signal.n} ({sure}); worth asking."
            yield Text(zh=zh, en=en)
    if small := [line.name for line in board.lines if line.key and 0 < (line.figures["contacts"] or 0) < FLOOR]:
        names = "、".join(small[:8]) + ("…" if len(small) > 8 else "")
        yield Text(
            zh=f"样本太小，不作比较（不足 {FLOOR} 次联系）：{names}。",
            en=f"Sample too small to compare (fewer than {FLOOR} contacts): {names.replace('、', ', ')}.",
        )


def paces(board: Board, *, line: Line | None = None) -> list[Pace]:
    """Return the figures of the whole board, or of one line, against their targets and the working days that are over."""
    of = line or board.total
    return [Pace(code, of.figures[code], target, board.passed) for code, target in sorted(of.targets.items())]


def report_sheets(actor: Actor, params: dict[str, Any]) -> Sequence[Sheet]:
    """Build the sheets of a report: what it is, its words, the figures by line, the signals."""
    day = date.fromisoformat(params["day"])
    found = report_for(actor, params.get("kind", "day"), day, branch=params.get("branch", ""))
    board = found.board
    data_on = board.data_on.isoformat() if board.data_on else "无数据 / none"
    about = [
        ("报告 / report", f"{params.get('kind', 'day')} {board.period.first} – {board.period.last}"), ("范围 / scope", found.scope),
        ("截至 / until", board.until.isoformat()), ("数据日期 / data date", data_on),
        ("制表人 / author", found.author), *(("要点 / what stands out", f"{w.zh} {w.en}") for w in found.words),
    ]  # fmt: skip
    heads = [
        "机构 Branch" if board.by == "branch" else "客户经理 RM",
        *(f"{title.zh} {title.en}" for title in (title_in(c, board.period.span) for c in (*COLUMNS, *RATES, *PER))),
    ]
    rows = [
        (
            line.name,
            *(_plain(line, c) for c in COLUMNS),
            *(rate(line.figures, c) for c in RATES),
            *(_yuan(line.per(c)) for c in PER),
        )
        for line in (*board.lines, board.total)
    ]
    signals = [(s.name, KINDS[s.code].title.zh, s.found, s.n, s.share.low if s.share else None) for s in found.signals]
    return [
        Sheet("说明 about", ("", ""), about), Sheet("指标 figures", heads, rows),
        Sheet("质量信号 signals", ("客户经理 RM", "信号 signal", "条数 found", "样本 of", "95% 下限 low"), signals),
    ]  # fmt: skip


def _against_before(board: Board, before: Board) -> Iterable[Text]:
    """Two counts differ by more than chance when |a − b| > z √(a + b), both taken for Poisson counts."""
    if before.computed_at is None or before.missing_days or board.missing_days:
        return
    for code in ("contacts", "effective", "sales"):
        now, then = board.total.figures[code], before.total.figures[code]
        if now is None or then is None or now + then < FLOOR or board.period.days != before.period.days:
            continue
        if abs(now - then) > normal_quantile(0.95) * sqrt(now + then):
            title = FIGURES[code].title
            zh = f"{title.zh} {now:,}，上一期 {then:,}，{'明显增加' if now > then else '明显减少'}。"
            yield Text(
                zh=zh, en=f"{title.en} {now:,} against {then:,} before: clearly {'more' if now > then else 'fewer'}."
            )


def _reached(lines: Sequence[Line]) -> Iterable[Text]:
    """Yield whose share of reached customers differs from her colleagues' by more than chance.

    Of many lines some differ much by chance: the 95 % are those of the whole report, not of each line.
    """
    k = sum(line.figures["effective"] or 0 for line in lines)
    n = sum(line.figures["contacts"] or 0 for line in lines)
    counts = [(line, line.figures["effective"] or 0, line.figures["contacts"] or 0) for line in lines if line.key]
    compared = [(line, mine, of) for line, mine, of in counts if of >= FLOOR and n - of >= FLOOR]
    level = familywise(0.95, len(compared))
    for line, mine, of in compared:
        gap = difference_interval(mine, of, k - mine, n - of, level)
        if gap.low > 0 or gap.high < 0:
            rest = (k - mine) / (n - of)
            zh = f"{line.name} 接通率 {_percent(mine / of)}（{mine}/{of}），其他人 {_percent(rest)}，差别超出偶然范围。"
            yield Text(
                zh=zh,
                en=f"{line.name} reached {_percent(mine / of)} ({mine} of {of}), the others {_percent(rest)}: more than chance.",
            )


def _waiting(lines: Sequence[Line]) -> Iterable[Text]:
    old = sorted(((line.figures["age_8"] or 0, line.name) for line in lines), reverse=True)[:3]
    if told := [f"{name} {n}" for n, name in old if n]:
        yield Text(
            zh=f"开着超过 7 天的任务：{'、'.join(told)}。", en=f"Tasks open for more than 7 days: {', '.join(told)}."
        )


def _behind(month: Board) -> Iterable[Text]:
    for pace in paces(month):
        if pace.grade == "far" and pace.share is not None:
            title = FIGURES[pace.code].title
            yield Text(
                zh=f"本月{title.zh}完成目标的 {_percent(pace.share)}，工作日已过 {_percent(pace.passed)}。",
                en=f"{title.en} this month: {_percent(pace.share)} of the target with {_percent(pace.passed)} of the working days gone.",
            )


def _plain(line: Line, code: str) -> Any:
    value = line.figures[code]
    return _yuan(value) if FIGURES[code].money else value


def _yuan(fen: int | None) -> float | None:
    return None if fen is None else fen / 100


def _percent(share: float) -> str:
    return f"{PERCENT * share:.0f}%"
