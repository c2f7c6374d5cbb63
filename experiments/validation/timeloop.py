"""Compare with one source:

python experiments/validation/timeloop.py [--data FOLDER] [--all] [--json]
"""

import sys

from accelsim.cli import main

if __name__ == "__main__":
    main(["validate", "timeloop", *sys.argv[1:]])
