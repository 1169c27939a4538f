"""Turn a GGUF file into a folder that transformers loads fast.

Command: ``python -m pipelines.language.prepare GGUF FOLDER``.

The packed weights of a GGUF file are slow on a CPU, so they are dequantized once into dense safetensors. fp16
holds them best: a block's scales are fp16 already, and its three more bits of mantissa than bf16 keep the
values closer to what the file says; every dtype a loader may want is one cast away. Nothing from the file is
ever run.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.errors import DiptychError, DiskFull, ModelUnreadable, ModelUnsuitable
from pipelines.files import STALE_SECONDS, bytes_text, save_error
from pipelines.models.files.gguf_header import GgufHeader, read_header

if TYPE_CHECKING:
    import torch

Say = Callable[[str], None]

CARD: Final = "diptych.json"
MAX_BLOCKS: Final = 1_000

_DIGITS_APART: Final = frozenset({"smollm"})
"""Pre-tokenizers (``tokenizer.ggml.pre``) that cut digits one by one before anything else."""


def prepare(source: Path, target: Path, say: Say) -> Path:
    """Write the model of a GGUF file as a transformers folder.

    The folder appears under its name only when it is complete and was checked; an older one is replaced then.

    Args:
        source: the GGUF file.
        target: the folder to make.
        say: told in a few words what is being done.

    Returns:
        ``target``.

    Raises:
        FileMissing, ModelUnreadable: there is no such file, or its header, weights or vocabulary are broken.
        ModelUnsuitable: transformers has no loader for its architecture.
        DiskFull, SaveFailed: the folder can't be written.
    """
    started = time.monotonic()
    header = read_header(source)
    check_sizes(header, source.name)
    say(f"{source.name}: {header.elements / 1e6:.0f} million parameters, {bytes_text(header.file_bytes)}")
    needed = header.elements * 2 + 2**24
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        free = shutil.disk_usage(target.parent).free
        if free < needed:
            raise DiskFull(path=str(target), needed=bytes_text(needed), free=bytes_text(free))
        with tempfile.TemporaryDirectory(
            prefix=f".{target.name}.", suffix=".partial", dir=target.parent, ignore_cleanup_errors=True
        ) as temporary:
            folder = Path(temporary) / target.name
            folder.mkdir()
            _convert(source, header, folder, say)
            _sync(folder)
            _publish(folder, target, Path(temporary))
    except OSError as error:
        raise save_error(error, target, needed) from error
    size = sum(file.stat().st_size for file in target.iterdir())
    say(f"{target.name} is ready: {bytes_text(size)} in {time.monotonic() - started:.0f} s")
    return target


def check_sizes(header: GgufHeader, name: str) -> None:
    """Refuse a header whose settings and tensors contradict each other, before a model is built from them.

    Raises:
        ModelUnreadable: with the contradiction.
    """
    blocks = {key.split(".")[1] for key in header.tensors if key.startswith("blk.")}
    embedding = header.tensors.get("token_embd.weight")
    claims = {
        "blocks": (header.number("block_count"), len(blocks)),
        "embedding length": (header.number("embedding_length"), embedding.shape[0] if embedding else 0),
        "vocabulary": (
            header.values.get("tokenizer.ggml.tokens", 0),
            embedding.shape[-1] if embedding else 0,
        ),
    }
    for what, (claimed, found) in claims.items():
        if claimed != found or not found:
            reason = f"Its settings claim {what} of {claimed}, its tensors have {found}."
            raise ModelUnreadable(model=name, reason=reason)
    if len(blocks) > MAX_BLOCKS:
        reason = f"It has {len(blocks):,} blocks; at most {MAX_BLOCKS:,} are read."
        raise ModelUnreadable(model=name, reason=reason)


def _convert(source: Path, header: GgufHeader, folder: Path, say: Say) -> None:
    # A folder with nothing else in it: transformers also reads configs that lie beside the file.
    with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as alone:
        file = Path(alone) / "model.gguf"
        try:
            os.link(source, file)
        except OSError:
            shutil.copyfile(source, file)
        say("reading the vocabulary")
        tokenizer = read_tokenizer(file, header, source.name)
        say("dequantizing the weights")
        model = _read_model(file, header, source.name)
    say("writing")
    _write_model(model, folder)
    tokenizer.save_pretrained(folder, save_jinja_files=False)
    (folder / CARD).write_text(json.dumps(card(header, source.name), indent=2) + "\n", encoding="utf-8")
    say("checking")
    _verify(folder, header, source.name)


def read_tokenizer(file: Path, header: GgufHeader, name: str) -> Any:
    """The tokenizer of a GGUF file that is alone in its folder.

    Raises:
        ModelUnreadable: its vocabulary can't be used.
    """
    from tokenizers import pre_tokenizers
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, local_files_only=True)
    except (ValueError, KeyError, IndexError, TypeError, OSError, NotImplementedError) as error:
        reason = f"Its vocabulary can't be used ({str(error)[:300]})."
        raise ModelUnreadable(model=name, reason=reason) from error
    if header.values.get("tokenizer.ggml.pre") in _DIGITS_APART:
        # transformers knows only the byte level here: it would cut "  1" as "␣", "␣1" where the model was
        # trained on "␣␣", "1".
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
    tokenizer.model_max_length = header.number("context_length") or tokenizer.model_max_length
    return tokenizer


def _read_model(file: Path, header: GgufHeader, name: str) -> Any:
    """The dense model in fp32, with exactly the numbers the file has."""
    import torch
    import transformers

    where = {"gguf_file": file.name, "local_files_only": True}
    config_class = getattr(transformers, "GgufConfig", None)  # older releases always dequantize
    options = {"quantization_config": config_class(dequantize=True)} if config_class else {}
    try:
        config = transformers.AutoConfig.from_pretrained(file.parent, **where)
        with torch.device("meta"):  # no memory: a setting may claim a model of any size
            planned = transformers.AutoModelForCausalLM.from_config(config)
        numbers = sum(parameter.numel() for parameter in planned.parameters())
        if numbers != header.elements:
            reason = f"It has {header.elements:,} numbers, the model it describes {numbers:,}."
            raise ModelUnreadable(model=name, reason=reason)
        model, report = transformers.AutoModelForCausalLM.from_pretrained(
            file.parent, config=config, dtype=torch.float32, output_loading_info=True, **where, **options
        )
    except (ValueError, KeyError, NotImplementedError) as error:
        raise ModelUnsuitable(model=name, reason=f"{str(error)[:300]}", task="writing text") from error
    except (RuntimeError, TypeError, IndexError) as error:
        raise ModelUnreadable(model=name, reason=f"Its weights don't fit ({str(error)[:300]}).") from error
    missing = sorted(set(report["missing_keys"]) - {"lm_head.weight"})
    if missing:
        raise ModelUnreadable(model=name, reason=f"It lacks weights: {', '.join(missing[:3])}.")
    return model


def _write_model(model: Any, folder: Path) -> None:
    from safetensors.torch import save_file
    from transformers import GenerationConfig

    config = model.config
    tied = set(model.all_tied_weights_keys) if config.tie_word_embeddings else set()
    weights = {name: tensor for name, tensor in model.state_dict().items() if name not in tied}
    dtype = _dense_dtype(weights)
    config.architectures = [type(model).__name__]
    config.dtype = dtype
    for leftover in ("quantization_config", "_name_or_path"):
        if hasattr(config, leftover):
            delattr(config, leftover)
    config.save_pretrained(folder)
    GenerationConfig(
        bos_token_id=config.bos_token_id, eos_token_id=config.eos_token_id, pad_token_id=config.pad_token_id
    ).save_pretrained(folder)
    dense = {name: tensor.to(dtype).contiguous() for name, tensor in weights.items()}
    save_file(dense, folder / "model.safetensors", metadata={"format": "pt"})


def _dense_dtype(weights: dict[str, torch.Tensor]) -> torch.dtype:
    """fp16, unless a weight is beyond its range (65,504)."""
    import torch

    largest = max(float(tensor.abs().max()) for tensor in weights.values())
    return torch.float16 if largest < torch.finfo(torch.float16).max else torch.bfloat16


def card(header: GgufHeader, name: str) -> dict[str, Any]:
    """What the studio shows of the model, from what the file says of itself."""
    values = header.values
    millions = header.elements / 1e6
    size = f"{millions:.0f} million" if millions < 1000 else f"{millions / 1000:.1f} billion"
    kind = "follows instructions" if values.get("tokenizer.chat_template") else "continues a text"
    by = values.get("general.organization")
    sentences = [f"A text model with {size} parameters that {kind}."]
    if millions < 500:
        sentences.append("It is small: quick on any computer, good for short phrases, not for facts.")
    if by:
        sentences.append(f"Made by {by}.")
    sentences.append(f"Dequantized once from {name}.")
    license_name = _license(str(values.get("general.license", "")))
    if license_name:
        sentences.append(f"Licence: {license_name}.")
    return {
        "license": license_name,
        "source": name,
        "text": " ".join(sentences),
        "title": name.removesuffix(".gguf").rsplit(".", 1)[0],
    }


def _license(identifier: str) -> str:
    return {"apache-2.0": "Apache-2.0", "mit": "MIT"}.get(identifier.lower(), identifier)


def _verify(folder: Path, header: GgufHeader, name: str) -> None:
    """Load what was written as any model is loaded, and see that it reads and writes.

    Raises:
        ModelUnreadable: a text doesn't survive the tokenizer, a special token is missing, or the logits are
            no numbers.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    sample = "A small white fox, 1234 times;  two spaces\nand a new line."
    ids = tokenizer.encode(sample, add_special_tokens=False)
    if tokenizer.decode(ids, skip_special_tokens=True).strip() != sample:
        raise ModelUnreadable(model=name, reason="Its vocabulary doesn't give a text back as it was.")
    for role in ("bos", "eos"):
        expected = header.values.get(f"tokenizer.ggml.{role}_token_id")
        token = getattr(tokenizer, f"{role}_token")
        if expected is not None and tokenizer.encode(token or "", add_special_tokens=False) != [expected]:
            raise ModelUnreadable(model=name, reason=f"Its {role} token is not a token of its own.")
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids])).logits
    del model
    gc.collect()  # Windows renames no folder while one of its files is mapped
    if not bool(logits.isfinite().all()):
        raise ModelUnreadable(model=name, reason="Its weights give values that are no numbers.")


def _publish(folder: Path, target: Path, aside: Path) -> None:
    """Give the finished folder its name; one that stood there before is removed with ``aside``."""
    if target.exists():
        target.rename(aside / "old")
        try:
            folder.rename(target)
        except OSError:
            (aside / "old").rename(target)
            raise
    else:
        folder.rename(target)


def _sync(folder: Path) -> None:
    mode = (folder / CARD).stat().st_mode
    for file in folder.iterdir():
        file.chmod(mode)  # safetensors makes its file private, whatever the user's umask
        with file.open("rb+") as handle:
            os.fsync(handle.fileno())


def _sweep(target: Path) -> None:
    """Remove what a killed run left, an hour or more ago."""
    for left in target.parent.glob(f".{target.name}.*.partial"):
        if time.time() - left.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0, or 1 if it failed; what it does goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.language.prepare", description=__doc__)
    parser.add_argument("gguf", type=Path, help="the GGUF file")
    parser.add_argument("folder", type=Path, help="the folder to make")
    options = parser.parse_args(arguments)
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TQDM_DISABLE"] = "1"

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    try:
        prepare(options.gguf, options.folder.absolute(), say)
    except DiptychError as error:
        say(error.info().text())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
