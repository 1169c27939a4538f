"""The bottom line: what is going on, how many problems there are, and what draws."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from pipelines.engine.protocol import Device
from studio.engine.phases import fraction_of, hue_of, memory_text
from studio.engine.runs import RunTracker
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.progress_bar import SegmentBar

REFRESH_MS = 33
NOTE_MS = 6_000


class StatusBar(QFrame):
    """Left: progress and phase. Middle: problems. Right: the forecast; model, device, free memory."""

    problems_requested = Signal()
    queue_requested = Signal()

    def __init__(self, tracker: RunTracker, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "statusbar")
        self._tracker = tracker
        self._note = self._hint = self._task = ""
        self._part: float | None = None
        self._engine = tr("starting the engine")
        self.bar = SegmentBar()
        self.text = QLabel()
        self.text.setFont(current_theme().font("number"))
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.text.setMinimumWidth(120)
        self.waiting = self._button("queue", tr("Show the queue"))
        self.waiting.clicked.connect(self.queue_requested)
        self.problems = self._button("warning", tr("Show the problems"))
        self.problems.clicked.connect(self.problems_requested)
        self.forecast = self._button("info", "")
        self.forecast.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.forecast.hide()
        self.right = QLabel()
        self.right.setProperty("role", "body2")
        self.right.setAccessibleName(tr("Model and device"))
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 0, 12, 0)
        row.setSpacing(10)
        row.addWidget(self.bar)
        row.addWidget(self.text, 1)
        row.addWidget(self.waiting)
        row.addWidget(self.problems)
        row.addSpacing(12)
        row.addWidget(self.forecast)
        row.addWidget(self.right)
        self.setFixedHeight(current_theme().px(28))
        self._model, self._device = "", Device(device="", name="", dtype="")
        self._soon = self._timer(REFRESH_MS, self.refresh)
        self._forget = self._timer(NOTE_MS, self._clear_note)
        tracker.changed.connect(self._changed)
        current_theme().changed.connect(self._restyle)
        self.set_problems(0)
        self.refresh()

    def _timer(self, interval: int, slot: object) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(interval)
        timer.timeout.connect(slot)
        return timer

    def _button(self, icon: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setProperty("role", "quiet")
        button.setIcon(current_theme().icon(icon))
        button.setIconSize(QSize(14, 14))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setToolTip(tip)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    @Slot()
    def _restyle(self) -> None:
        self.setFixedHeight(current_theme().px(28))
        self.text.setFont(current_theme().font("number"))

    @Slot()
    def _changed(self) -> None:
        if not self._soon.isActive():
            self._soon.start()

    @Slot()
    def _clear_note(self) -> None:
        self._note = ""
        self.refresh()

    # --- what is shown ---------------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """A few words for a few seconds (“Copied”), when nothing runs."""
        self._note = text
        self._forget.start()
        self.refresh()

    @Slot(str)
    def set_hint(self, text: str) -> None:
        """What to do next (“Draw a stroke across the wires”), before all else until it is empty again."""
        self._hint = text
        self.refresh()

    def set_task(self, text: str, fraction: float | None = None) -> None:
        """What goes on beside runs (“Making hashes”), and the part of it that is done; empty for nothing."""
        if (text, fraction) != (self._task, self._part):
            self._task, self._part = text, fraction
            self.refresh()

    def set_engine(self, text: str) -> None:
        """What the engine is doing while no run is shown (“starting the engine”); empty when it is ready."""
        self._engine = text
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the current run."""
        run = self._tracker.current
        self.waiting.setVisible(self._tracker.waiting > 0)
        self.waiting.setText(tr("{count} waiting", count=self._tracker.waiting))
        if run is None:
            if self._part is not None and not self._engine:
                self.bar.set_fraction(self._part, "brass")
            elif self._engine or self._task:
                self.bar.set_busy()
            else:
                self.bar.stop()
            self.bar.setVisible(bool(self._engine or self._task))
            self.text.setText(self._hint or self._note or self._engine or self._task or tr("ready"))
            return
        self.bar.show()
        fraction = fraction_of(run.progress) if run.progress is not None else None
        if fraction is None or run.progress is None:
            self.bar.set_busy()
        else:
            self.bar.set_fraction(fraction, hue_of(run.progress))
        self.text.setText(self._hint or self._tracker.phase())

    def set_problems(self, count: int) -> None:
        """How many problems the graph has."""
        self.problems.setVisible(count > 0)
        self.problems.setIcon(current_theme().icon("warning", "warn"))
        self.problems.setText(tr("1 problem") if count == 1 else tr("{count} problems", count=count))

    def set_model(self, title: str) -> None:
        """The model that draws."""
        self._model = title
        self._show_right()

    def set_device(self, device: Device) -> None:
        """The device that draws, and its free memory."""
        self._device = device
        self._show_right()

    def set_forecast(self, text: str, icon: tuple[str, str] = ("info", "text2"), facts: str = "") -> None:
        """What the next run will need and take (“fits · about 12–20 s”); empty if nothing is known.

        Args:
            icon: its name and hue.
            facts: the details, in lines.
        """
        self.forecast.setVisible(bool(text))
        self.forecast.setText(text)
        self.forecast.setIcon(current_theme().icon(*icon))
        self.forecast.setToolTip(facts)
        self.forecast.setAccessibleName(tr("The next run: {forecast}", forecast=text) if text else "")

    def _show_right(self) -> None:
        device = self._device
        kind = device.device.split(":")[0].upper() if device.device else ""
        parts = [self._model, " ".join(part for part in (kind, device.dtype) if part)]
        if device.free_bytes:
            parts.append(tr("{memory} free", memory=memory_text(device.free_bytes)))
        self.right.setText(" · ".join(part for part in parts if part))
        self.right.setToolTip(
            "\n".join(
                part
                for part in (
                    device.name,
                    tr("{memory} in all", memory=memory_text(device.total_bytes))
                    if device.total_bytes
                    else "",
                    tr("{memory} used by Diptych", memory=memory_text(device.used_bytes))
                    if device.used_bytes
                    else "",
                )
                if part
            )
        )
