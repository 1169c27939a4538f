"""The only door for pickled models (``.pth``, ``.ckpt``, ``.bin``): read without being run, written as
safetensors beside the original. ``conversion`` is called, ``worker`` is the process that reads; ``machine``
and ``names`` know opcodes, ``archive`` and ``torch_file`` formats, ``state_dict`` what of it is the model.
"""
