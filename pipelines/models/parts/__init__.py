"""Text encoders, VAEs and tokenizers in files of their own: which a model needs (:mod:`.needed`), where they
are on this computer (:mod:`.search`), and those that were chosen instead of its own (:mod:`.choice`).
"""
