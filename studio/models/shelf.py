"""Which models are shown, in which order: search, filters and sorting over thousands. Plain data, no Qt.

What a search looks in, and each order, is made once for a list; a letter typed then costs a pass over short
texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pipelines.engine.protocol import ModelInfo
from studio.models.words import family_of

Order = Literal["name", "kind", "family", "size", "dtype", "fit", "modified", "used"]
FAVOURITES: Final = "favourites"
UNUSABLE: Final = "unusable"


@dataclass(frozen=True, slots=True)
class Query:
    """What to show: ``kind`` is one of a model's, :data:`FAVOURITES`, :data:`UNUSABLE`, or empty for all."""

    text: str = ""
    kind: str = ""
    family: str = ""
    order: Order = "name"
    reverse: bool = False


def searched_text(info: ModelInfo) -> str:
    """Everything of a model that a search looks in, in small letters."""
    parts = (
        info.title, info.id, info.family, info.base, info.variant, info.base_model, info.author,
        *info.tags, *info.user_tags, *info.trigger_words, info.notes, info.sha256[:10], info.autov3,
    )  # fmt: skip
    return "\n".join(parts).casefold()


class Shelf:
    """The models of a list, by their places in it. ``fit`` ranks a model by how well it fits (0 is best)."""

    def __init__(
        self, models: Iterable[ModelInfo] = (), fit: Callable[[ModelInfo], int] | None = None
    ) -> None:
        self.models = tuple(models)
        self._fit = fit or (lambda info: 0)
        self._texts = [searched_text(info) for info in self.models]
        self._families = [family_of(info) for info in self.models]
        self._by_path = {info.path: place for place, info in enumerate(self.models)}
        self._groups: dict[str, set[int]] = {FAVOURITES: set(), UNUSABLE: set()}
        for place, info in enumerate(self.models):
            self._groups.setdefault(info.kind, set()).add(place)
            if info.favourite:
                self._groups[FAVOURITES].add(place)
            if info.problem:
                self._groups[UNUSABLE].add(place)
        self._orders: dict[Order, list[int]] = {}

    def replaced(self, info: ModelInfo) -> bool:
        """Take over what is known of one model now; False if that moves it or it isn't here, so that the
        shelf has to be made anew."""
        place = self._by_path.get(info.path)
        if place is None:
            return False
        before = self.models[place]
        if (before.kind, before.title, before.problem, before.used) != (
            info.kind, info.title, info.problem, info.used,
        ):  # fmt: skip
            return False
        self.models = (*self.models[:place], info, *self.models[place + 1 :])
        self._texts[place] = searched_text(info)
        favourites = self._groups[FAVOURITES]
        (favourites.add if info.favourite else favourites.discard)(place)
        return True

    def place_of(self, path: str) -> int | None:
        """Where a model stands in the list."""
        return self._by_path.get(path)

    def ordered(self, order: Order) -> list[int]:
        """The places of all models in an order; equal ones by name."""
        if order not in self._orders:
            names = [(info.title.casefold(), info.id) for info in self.models]
            places = sorted(range(len(self.models)), key=names.__getitem__)
            if order != "name":
                keys = [self._key(info, order) for info in self.models]
                places.sort(key=keys.__getitem__)
            self._orders[order] = places
        return self._orders[order]

    def _key(self, info: ModelInfo, order: Order) -> Any:
        match order:
            case "size":
                return -info.bytes
            case "modified":
                return -info.modified
            case "used":
                return -info.used
            case "kind":
                return info.kind
            case "family":
                return family_of(info)
            case "dtype":
                return info.dtype
            case "fit":
                return self._fit(info)
        return info.title.casefold()

    def find(self, query: Query) -> list[int]:
        """The places of the models that a query shows, in its order."""
        found, texts, families = self.ordered(query.order), self._texts, self._families
        if query.kind:
            group = self._groups.get(query.kind, set())
            found = [place for place in found if place in group]
        if query.family:
            found = [place for place in found if families[place] == query.family]
        for word in query.text.casefold().split():
            found = [place for place in found if word in texts[place]]
        return found[::-1] if query.reverse else found

    def counts(self) -> Mapping[str, int]:
        """How many there are of each kind, of favourites, and of those that can't be used."""
        return {group: len(places) for group, places in self._groups.items()}

    def families(self) -> list[str]:
        """Every family there is a model of, or for, the most frequent first."""
        return [family for family, _ in Counter(filter(None, self._families)).most_common()]
