"""Compare with one source:

python experiments/validation/nvdla.py [--data FOLDER] [--all] [--json]
"""

import sys

from accelsim.cli import main

if __name__ == "__main__":
    main(["validate", "nvdla", *sys.argv[1:]])
