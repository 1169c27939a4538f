"""The bar above the canvas: what is shown, what is wrong with it, and a few tools."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QToolButton, QWidget

from pipelines.errors import ErrorInfo
from studio.canvas.command import CanvasCommand
from studio.theme import current_theme
from studio.translate import tr

MAX_LISTED = 30


class GraphBar(QFrame):
    """``problem_chosen(node)`` when the user picks a problem from the list."""

    problem_chosen = Signal(str)

    def __init__(self, command: Callable[[str], CanvasCommand], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "topbar")
        self._tools: list[tuple[QToolButton, CanvasCommand]] = []
        self.count = QLabel()
        self.count.setProperty("role", "hint")
        self.problems = QToolButton()
        self.problems.setProperty("role", "quiet")
        self.problems.setIconSize(QSize(14, 14))
        self.problems.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.problems.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.problems.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.menu = QMenu(self.problems)
        self.problems.setMenu(self.menu)
        self.zoom = self._tool(command("graph.actual_size"))
        self.zoom.setProperty("role", "quiet")
        self.zoom.setMinimumWidth(current_theme().px(48))
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 4, 8, 4)
        row.setSpacing(2)
        row.addWidget(self.count)
        row.addStretch(1)
        row.addWidget(self.problems)
        for id in ("graph.add", "graph.run_to", "graph.times", "graph.arrange", "graph.frame_all"):
            row.addWidget(self._tool(command(id)))
        row.addWidget(self.zoom)

    def _tool(self, command: CanvasCommand) -> QToolButton:
        button = QToolButton()
        if command.icon and command.id != "graph.actual_size":
            button.setIcon(current_theme().icon(command.icon))
            button.setIconSize(QSize(18, 18))
        button.setAccessibleName(tr(command.title))
        self._tools.append((button, command))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda: command.callback() if command.enabled() else None)
        return button

    def show_keys(self, keys_text: Callable[[str], str]) -> None:
        """Name the keys of the tools, as ``keys_text`` has them by command."""
        for button, command in self._tools:
            keys, title = keys_text(command.id), tr(command.title)
            button.setToolTip(f"{title} ({keys})" if keys else title)

    def show_count(self, nodes: int, selected: int) -> None:
        """How many nodes there are, and how many are selected."""
        text = tr("1 node") if nodes == 1 else tr("{n} nodes", n=nodes)
        self.count.setText(f"{text}, {tr('{n} selected', n=selected)}" if selected else text)

    def show_zoom(self, zoom: float) -> None:
        self.zoom.setText(f"{zoom * 100:.0f} %")

    def show_problems(self, problems: Sequence[tuple[str, ErrorInfo]]) -> None:
        """List problems as (name of the node, problem)."""
        self.problems.setVisible(bool(problems))
        count = len(problems)
        self.problems.setText(tr("1 problem") if count == 1 else tr("{n} problems", n=count))
        self.problems.setIcon(current_theme().icon("error", "bad"))
        self.menu.clear()
        for name, problem in problems[:MAX_LISTED]:
            what = problem.sentences(tr)[0]
            action = self.menu.addAction(f"{name}: {what}" if name else what)
            action.setData(problem.node or "")
            node = problem.node or ""
            action.triggered.connect(lambda _=False, node=node: self.problem_chosen.emit(node))
