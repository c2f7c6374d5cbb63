"""Compare with one source:

python experiments/validation/tpu.py [--data FOLDER] [--all] [--json]
"""

import sys

from accelsim.cli import main

if __name__ == "__main__":
    main(["validate", "tpu", *sys.argv[1:]])
