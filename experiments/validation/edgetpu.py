"""Compare with one source:

python experiments/validation/edgetpu.py [--data FOLDER] [--all] [--json]
"""

import sys

from accelsim.cli import main

if __name__ == "__main__":
    main(["validate", "edgetpu", *sys.argv[1:]])
