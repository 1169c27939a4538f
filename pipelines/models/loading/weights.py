"""Networks of diffusers from weights by name, through the library's own conversion of their names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import ModelUnreadable
from pipelines.models.loading.folder import check_complete

if TYPE_CHECKING:
    import torch


def from_state(
    kind: Any, state: Mapping[str, Any], settings: Path, dtype: torch.dtype, model: str, part: str,
    **changes: Any,
) -> Any:  # fmt: skip
    """A network of diffusers from weights in the original layout or its own, by the library's own conversion.

    Args:
        settings: the folder with its settings; ``changes`` replace some of them, or are options of
            ``from_single_file``.

    Raises:
        ModelUnreadable: weights are missing, or of other shapes; nothing is ever filled with random numbers.
    """
    try:
        network = kind.from_single_file(
            dict(state), config=str(settings), local_files_only=True, dtype=dtype, **changes
        )
    except KeyError as error:  # the conversion takes the weights it knows out one by one
        reason = f"Its {part} lacks the weight {error.args[0] if error.args else ''}."
        raise ModelUnreadable(model=model, reason=reason) from error
    except NotImplementedError as error:  # torch's word for a weight that was given no value
        raise ModelUnreadable(model=model, reason=f"Some weights of its {part} are missing.") from error
    except ValueError as error:
        if "shape" not in str(error):
            raise
        reason = f"A weight of its {part} has another size than its kind has: {str(error)[:300]}"
        raise ModelUnreadable(model=model, reason=reason) from error
    missing = [key for key, tensor in network.state_dict().items() if tensor.is_meta]
    check_complete(model, part, missing)
    return network
