"""What layers, and the kinds they are of, are called."""

from __future__ import annotations

from studio.mask.layers import Layer, LayerKind
from studio.translate import tr


def kind_title(kind: LayerKind) -> str:
    """What a kind of layer is called."""
    return {
        LayerKind.IMAGE: tr("Picture"),
        LayerKind.PAINT: tr("Paint"),
        LayerKind.MASK: tr("Mask"),
        LayerKind.CONTROL: tr("Control"),
        LayerKind.REGION: tr("Region"),
        LayerKind.REFERENCE: tr("Reference"),
    }[kind]


def control_titles() -> dict[str, str]:
    """What a control layer can hold, by value."""
    return {
        "lineart": tr("Line art"),
        "scribble": tr("Scribble"),
        "canny": tr("Edges (Canny)"),
        "depth": tr("Depth"),
        "normal": tr("Normals"),
        "pose": tr("Pose"),
    }


def leads_titles() -> dict[str, str]:
    """What a drawing takes over from a reference, by value."""
    return {"all": tr("Everything"), "style": tr("Style"), "composition": tr("Composition")}


def summary(layer: Layer) -> str:
    """The line below a layer's name: its kind, what it holds, and whether it is left out."""
    words = [kind_title(layer.kind)]
    if layer.kind is LayerKind.CONTROL:
        words.append(control_titles().get(layer.control, layer.control))
    elif layer.kind is LayerKind.REFERENCE:
        words.append(leads_titles().get(layer.leads, layer.leads))
    elif layer.kind is LayerKind.REGION:
        words.append(" ".join(layer.prompt.split()) or tr("no prompt yet"))
    if not layer.counts:
        words.insert(1, tr("not used"))
    return " · ".join(words)


def spoken(layer: Layer, reason: str = "") -> str:
    """A layer's state for those who hear it."""
    shown = tr("shown") if layer.visible else tr("hidden")
    used = tr("used for generation") if layer.counts else tr("not used for generation")
    return ", ".join([kind_title(layer.kind), shown, used, *([reason] if reason else [])])
