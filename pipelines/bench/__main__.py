"""``python -m pipelines.bench [NAME…]``."""

import sys

from pipelines.cli.main import main

sys.exit(main(["bench", *sys.argv[1:]]))
