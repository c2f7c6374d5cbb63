"""Compare with one source:

python experiments/validation/maestro.py [--data FOLDER] [--all] [--json]
"""

import sys

from accelsim.cli import main

if __name__ == "__main__":
    main(["validate", "maestro", *sys.argv[1:]])
