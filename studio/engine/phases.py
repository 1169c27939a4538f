"""What is going on, in a few plain words, made from progress messages. Pure functions."""

from __future__ import annotations

from pipelines.engine.protocol import NodeProgress
from studio.translate import tr


def bytes_text(done: int, total: int) -> str:
    """``3.2 of 6.6 GB``: both numbers in the larger one's unit (powers of 1000)."""
    size, unit = float(max(total, done)), "bytes"
    factor = 1.0
    for name in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, factor, unit = size / 1000, factor * 1000, name
    digits = 0 if unit == "bytes" or size >= 100 else 1
    return tr(
        "{done} of {total} {unit}", done=f"{done / factor:.{digits}f}", total=f"{size:.{digits}f}", unit=unit
    )


def memory_text(count: int) -> str:
    """``3.1 GB``, ``35 MB``; what is less than a megabyte as ``34 kB``."""
    if 0 < count < 1e6:
        return f"{max(1, round(count / 1e3))} kB"
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def duration_text(seconds: float) -> str:
    """``1 s``, ``2 min 5 s``, ``1 h 10 min``; never less than a second."""
    whole = max(1, round(seconds))
    if whole < 60:
        return tr("{seconds} s", seconds=whole)
    if whole < 3600:
        return tr("{minutes} min {seconds} s", minutes=whole // 60, seconds=whole % 60)
    return tr("{hours} h {minutes} min", hours=whole // 3600, minutes=whole % 3600 // 60)


def rate_text(rate: float, unit: str) -> str:
    """``9.2 it/s``; a slow one as seconds per step."""
    units = {"step": tr("it/s"), "token": tr("tokens/s"), "tile": tr("tiles/s")}
    name = units.get(unit, tr("it/s"))
    if unit == "byte":
        return tr("{rate} MB/s", rate=f"{rate / 1e6:.0f}")
    return (
        f"{rate:.1f} {name}" if rate >= 0.1 else tr("{seconds} s each", seconds=f"{1 / max(rate, 1e-6):.0f}")
    )


def progress_text(progress: NodeProgress) -> str:
    """``step 7 of 16 · 9.2 it/s · 1 s left`` and its likes."""
    parts = [_phase(progress)]
    if progress.items > 1:
        parts.insert(0, _item(progress))
    if progress.rate:
        parts.append(rate_text(progress.rate, progress.unit))
    if progress.seconds_left is not None and progress.seconds_left > 0:
        parts.append(tr("{time} left", time=duration_text(progress.seconds_left)))
    if progress.moved_bytes:
        parts.append(tr("{size} moved a step", size=memory_text(progress.moved_bytes)))
    return " · ".join(parts)


def _item(progress: NodeProgress) -> str:
    """Which one of a list it is: a picture, a text, or whatever a node makes that tells no steps."""
    item, items = progress.item + 1, progress.items
    if progress.phase == "writing":
        return tr("text {item} of {items}", item=item, items=items)
    if not progress.total:
        return tr("item {item} of {items}", item=item, items=items)
    return tr("picture {item} of {items}", item=item, items=items)


def _phase(progress: NodeProgress) -> str:
    step, total = progress.step, progress.total
    match progress.phase:
        case "reading":
            if progress.unit == "byte" and total > 0:
                return tr("reading model {size}", size=bytes_text(step, total))
            return tr("reading model")
        case "encoding":
            return tr("encoding the prompt")
        case "compiling":
            return tr("compiling; the first step waits for it")
        case "decoding":
            return tr("decoding")
        case "writing":
            return tr("writing, {count} tokens", count=step)
        case "upscaling":
            return (
                tr("upscaling, tile {step} of {total}", step=step, total=total)
                if total > 1
                else tr("upscaling")
            )
        case "enlarging":
            return tr("enlarging")
        case "drawing detail":
            return tr("drawing detail, step {step} of {total}", step=step, total=total)
        case "refining":
            return tr("refining, step {step} of {total}", step=step, total=total)
        case "finding the depth":
            return tr("finding the depth")
        case "finding the pose":
            return tr("finding the pose")
        case "reading the reference":
            return tr("reading the reference")
        case composing if composing.startswith("composing "):
            size = composing.partition(" ")[2]
            return tr("composing at {size}, step {step} of {total}", size=size, step=step, total=total)
        case "saving":
            return tr("saving")
        case "denoising" | "":
            return _steps(step, total, progress.asked) if total else tr("at work")
        case other:
            word = tr(other)
            return f"{word} {step}/{total}" if total > 1 else word


def _steps(step: int, total: int, asked: int | None) -> str:
    """``step 5 of 12``; where a strength leaves out some of the steps asked for, also of how many."""
    if asked is None or asked == total:
        return tr("step {step} of {total}", step=step, total=total)
    return tr("step {step} of {total} ({total} of {asked} run)", step=step, total=total, asked=asked)


def fraction_of(progress: NodeProgress) -> float | None:
    """The part that is done, all items together; ``None`` if the length is not known."""
    if progress.total <= 0 or (progress.phase in ("encoding", "decoding") and progress.total <= 1):
        return progress.item / progress.items if progress.items > 1 else None
    part = min(1.0, progress.step / progress.total)
    return (progress.item + part) / max(1, progress.items)


def hue_of(progress: NodeProgress) -> str:
    """Iris while a language model writes, ember otherwise."""
    return "iris" if progress.phase == "writing" else "ember"
