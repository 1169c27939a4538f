"""What language nodes call: chat templates, seeded sampling, streamed generation, preparing a GGUF file.

Nothing is imported here, so that ``python -m pipelines.language.prepare`` reports at once; torch comes with
the modules that compute.
"""
