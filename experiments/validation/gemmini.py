"""Compare with one source:

python experiments/validation/gemmini.py [--data FOLDER] [--all] [--json]
"""

import sys

from accelsim.cli import main

if __name__ == "__main__":
    main(["validate", "gemmini", *sys.argv[1:]])
