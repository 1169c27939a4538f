"""What a file or a folder is, from its tensors or its index and never from its name (``probe``,
``folders``); how it is put together (``single_file``), what has no effect with it (``limits``), and which
additions go with which model (``lora_families``, ``embedding_families``). No torch import here.
"""
