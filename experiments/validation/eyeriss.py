"""Compare with one source:

python experiments/validation/eyeriss.py [--data FOLDER] [--all] [--json]
"""

import sys

from accelsim.cli import main

if __name__ == "__main__":
    main(["validate", "eyeriss", *sys.argv[1:]])
