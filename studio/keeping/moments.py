"""Moments in words: 09:41 for today, else with the day, as the user's language writes them."""

from __future__ import annotations

import time

from PySide6.QtCore import QDateTime, QLocale

from studio.translate import tr


def moment_text(moment: float, now: float = 0.0) -> str:
    """``moment`` in seconds since 1970; ``now`` is the clock's unless given."""
    then, today = (QDateTime.fromSecsSinceEpoch(round(value)) for value in (moment, now or time.time()))
    hours = QLocale().toString(then.time(), QLocale.FormatType.ShortFormat)
    days = then.daysTo(today)
    if days == 0:
        return hours
    if days == 1:
        return tr("yesterday, {time}", time=hours)
    return f"{QLocale().toString(then.date(), QLocale.FormatType.ShortFormat)}, {hours}"
