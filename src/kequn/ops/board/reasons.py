"""Why a figure of the board is not shown, in words."""

from __future__ import annotations

from kequn.core.spec.base import Text
from kequn.core.stats.intervals import Interval, proportion_interval
from kequn.ops.board.contracts import Board, Line, Signal
from kequn.ops.board.figures import FIGURES
from kequn.ops.board.quality import FLOOR

NEEDS: dict[str, Text] = {
    "aum": Text(zh="持有数据", en="holdings"),
    "gain": Text(zh="上月末的持有数据", en="holdings of the last month's end"),
    "matured": Text(zh="到期与其后 7 天的交易数据", en="what matured and the transactions of 7 days after"),
    "customer": Text(zh="客户开户日期", en="the days on which customers joined"),
}
"""The part of the bank's data that a figure needs."""


def reached(line: Line) -> tuple[str, Interval | None]:
    """Return effective contacts over contacts as counts, and the rate where the sample is large enough for one."""
    above, below = line.figures["effective"], line.figures["contacts"]
    if above is None or below is None:
        return "", None
    return f"{above}/{below}", proportion_interval(above, below) if below >= FLOOR else None


def reasons_for(board: Board) -> list[Text]:
    """Return why cells of a board have no figure: a part of the data that was not there, or a sample that is too small."""
    lines = (*board.lines, board.total)
    said = []
    if any(0 < (line.figures["contacts"] or 0) < FLOOR for line in lines):
        said.append(
            Text(
                zh=f"接通率：不足 {FLOOR} 次联系的样本太小，只写“接通/联系”次数，不算比率",
                en=f"Reached: fewer than {FLOOR} contacts are too small a sample, so the counts alone and no rate",
            )
        )
    unknown = [f for code, f in FIGURES.items() if any(line.figures[code] is None for line in lines)]
    for figure in unknown:
        if board.is_live or not figure.needs:
            zh, en = "这一期还没有算出", "not computed for this period yet"
        else:
            zh, en = (
                f"数据未提供：缺{NEEDS[figure.needs].zh}",
                f"the data do not tell: {NEEDS[figure.needs].en} missing",
            )
        said.append(Text(zh=f"{figure.title.zh}“–”：{zh}，不写 0", en=f"{figure.title.en} “–”: {en}, which is not 0"))
    if board.missing_days:
        days = board.missing_days
        said.append(Text(zh=f"有 {days} 天没有计算，合计偏小", en=f"{days} days were not computed: sums are too small"))
    return said


def reason_of(signal: Signal) -> Text | None:
    """Return why nothing is said of a quality signal; ``None`` where something is."""
    if signal.why_not is not None:
        return signal.why_not
    if signal.is_small:
        return Text(
            zh=f"样本太小：只有 {signal.n} 条，满 {signal.floor} 条才判断",
            en=f"Sample too small: {signal.n} records, and {signal.floor} are needed to say anything",
        )
    return None
