"""What a node asks of the model it draws with: how large, how often, beside what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pipelines.diffusion.sizes.any_size import plan_size
from pipelines.diffusion.sizes.size_limits import SizeLimits, limits_for
from pipelines.graph.planned import PlannedNode
from pipelines.models.catalogue.catalogue import Entry
from pipelines.models.device import BYTES
from pipelines.models.families.abilities import needs_reference, why_not
from pipelines.models.forecast.components import Component
from pipelines.models.forecast.graphs import Nodes, count_layers, number
from pipelines.models.forecast.opened import Opener
from pipelines.models.forecast.options import speed_of
from pipelines.models.forecast.verdict import Drawing
from pipelines.models.loaded import Stage

_ONE_STAGE: Final[Mapping[str, Stage]] = {
    "diffusion.encode_prompt": "encode", "diffusion.sample": "main", "diffusion.decode": "decode",
    "diffusion.encode_image": "decode",
}  # fmt: skip
"""Nodes that work with some networks of a model alone."""
_FROM_PICTURE: Final = frozenset({"diffusion.image_to_image", "diffusion.inpaint", "diffusion.outpaint"})
_TILED: Final = frozenset({"upscale.diffusion", "upscale.model", "upscale.diffusion_model"})
"""Nodes that draw in pieces of a size that they are told."""
_LOOKING: Final = frozenset({"flux-kontext", "qwen-image-edit", "flux2"})
"""Families whose transformers see pictures as more tokens, at about their native size."""
_SEVERAL: Final = frozenset({("qwen-image-edit", "plus"), ("flux2", "")})
_READ: Final[Mapping[tuple[str, str], int]] = {
    ("qwen-image-edit", ""): 1024**2 // 28**2, ("qwen-image-edit", "plus"): 384**2 // 28**2,
    ("kandinsky5-edit", ""): 512**2 // 28**2,
}  # fmt: skip
"""Tokens that a text encoder makes of each picture that it looks at: one of 28² px as it sees it."""
_SAMPLE: Final = 64
"""Latent pixels a side that an upscaler draws at once whose settings don't tell."""


def drawing_of(
    node: PlannedNode, nodes: Nodes, entry: Entry, parts: Sequence[Component], opener: Opener, dtype: str,
    changes: Sequence[PlannedNode],
) -> Drawing:  # fmt: skip
    """What a node asks of a model.

    Args:
        dtype: the precision of control models that state none.
        changes: nodes that change the model.

    Raises:
        DiptychError: what steers it can't be read.
    """
    info, literals = entry.info, node.literals
    stage = _ONE_STAGE.get(node.record.type)
    used = [part for part in parts if stage is None or part.stage == stage]
    pictures = max(number(literals.get("batch"), 1), 1)
    own = info.kind == "upscale" and not literals.get("guidance_scale")  # 0 is the model's own there
    scale = info.defaults.get("guidance_scale", 7.0)
    scale = scale if own else literals.get("guidance_scale", scale)
    guided = not isinstance(scale, int | float) or scale > 1
    looked = _looked(node, nodes, entry) if stage in (None, "main") else 0
    native = info.native_size or (512, 512)
    tokened = info.family in _LOOKING
    return Drawing(
        (*used, *opener.readers(node, nodes)), info.family, _pixels(node, nodes, entry, parts),
        number(literals.get("steps"), 0) or number(info.defaults.get("steps"), 20), pictures, pictures,
        guided and not why_not("negative", info.family, info.variant),
        tuple(
            (part, BYTES.get(precision, BYTES[dtype])) for part, precision in opener.controls(node, nodes)
        ),
        info.bytes, speed_of(node, nodes),
        regions=count_layers(node, nodes, "regions", "region"),
        looked=looked * native[0] * native[1] if tokened else 0,
        read=count_layers(node, nodes, "references", "reference") * opener.appended(node, nodes)
        + looked * _READ.get((info.family, info.variant), _READ.get((info.family, ""), 0)),
        loras=opener.loras(node, changes),
    )  # fmt: skip


def enlarges(node: PlannedNode, entry: Entry) -> bool:
    """Whether a node may enlarge what it drew first, to draw it again."""
    if node.literals.get("sizes") == "exact":
        return False
    if node.record.type in _FROM_PICTURE:
        return True  # as large as a picture that isn't there yet
    width, height = _size(node, entry)
    return plan_size(width, height, _limits(entry)).mode == "two_pass"


def _size(node: PlannedNode, entry: Entry) -> tuple[int, int]:
    native = entry.info.native_size or (512, 512)
    return number(node.literals.get("width"), native[0]), number(node.literals.get("height"), native[1])


def _limits(entry: Entry) -> SizeLimits:
    info = entry.info
    native = info.native_size or (512, 512)
    return limits_for({"family": info.family, "native_size": native, "size_multiple": info.size_multiple})


def _pixels(node: PlannedNode, nodes: Nodes, entry: Entry, parts: Sequence[Component]) -> int:
    """Pixels that are drawn, or decoded, at once."""
    native = entry.info.native_size or (512, 512)
    tile = number(node.literals.get("tile"), 0)
    if entry.info.kind == "upscale":
        side = next((part.config.get("sample_size") for part in parts if part.stage == "main"), None)
        side = tile or (side if isinstance(side, int) else _SAMPLE)
        factor = next((part.factor for part in parts if part.stage == "decode"), 8)
        return (side * factor) ** 2
    if node.record.type in _TILED:
        return tile**2 or min(native) ** 2
    if node.record.type == "diffusion.decode" and (link := node.links.get("latent")) is not None:
        source = nodes.get(link[0])
        node = source if source is not None and "width" in source.literals else node
    width, height = _size(node, entry)
    match node.literals.get("sizes", "exact"):
        case "auto":
            limits = _limits(entry)
            sizes = plan_size(width, height, limits)
            last = sizes.second or sizes.first  # the second pass is the larger one, drawn in pieces
            return max(sizes.first[0] * sizes.first[1], min(last[0] * last[1], limits.max_pixels))
        case "reference":
            return native[0] * native[1]
        case _:
            return width * height


def _looked(node: PlannedNode, nodes: Nodes, entry: Entry) -> int:
    """How many pictures a model looks at itself; the one that is edited is among them."""
    family, variant = entry.info.family, entry.info.variant
    if family not in _LOOKING and not needs_reference(family, variant):
        return 0
    several = family == "flux2" or (family, variant) in _SEVERAL
    count = count_layers(node, nodes, "references", "reference")
    if node.record.type in _FROM_PICTURE and needs_reference(family, variant) and (several or not count):
        count += 1
    return count
