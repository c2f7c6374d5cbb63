"""Compare with one source:

python experiments/validation/scalesim.py [--data FOLDER] [--all] [--json]
"""

import sys

from accelsim.cli import main

if __name__ == "__main__":
    main(["validate", "scalesim", *sys.argv[1:]])
