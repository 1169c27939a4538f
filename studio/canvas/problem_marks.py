"""What validation found, at the nodes of the scene: badges and red fields."""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.errors import ErrorInfo
from studio.canvas.item_scene import ItemScene
from studio.canvas.run_state import RunState, local
from studio.translate import tr


class ProblemMarks:
    """The errors of each node that is shown."""

    def __init__(self, scene: ItemScene, run: RunState) -> None:
        self._scene, self._run = scene, run
        self._known: dict[str, list[ErrorInfo]] = {}

    def show(self, problems: Iterable[ErrorInfo]) -> None:
        """Mark these, and no others."""
        found: dict[str, list[ErrorInfo]] = {}
        for problem in problems:
            if problem.node is not None and problem.severity == "error":
                found.setdefault(local(problem.node, self._run.prefix), []).append(problem)
        before, self._known = self._known, found
        for node in {**before, **found}:
            item, mine = self._scene.nodes.get(node), found.get(node, [])
            if item is not None and (mine != before.get(node) or item.marks.problem_count != len(mine)):
                texts = {problem.port or "": problem.text(tr) for problem in mine}
                item.set_marks(problems=texts, problem_count=len(mine))

    def of(self, node: str) -> list[ErrorInfo]:
        """Those of one node."""
        return self._known.get(node, [])

    def forget(self) -> None:
        """The items are others: what they show is shown anew."""
        self._known = {}
