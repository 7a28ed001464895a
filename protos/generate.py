"""Generate the Python code from the .proto files, or check that the committed code is not stale.

``python protos/generate.py`` needs the packages of ``generator-requirements.txt`` (``make protos``
makes an environment of its own for them). ``--check`` needs nothing: it compares the recorded
hashes of sources and outputs.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
V1 = ROOT / "trimtab_protos" / "v1"
MANIFEST = V1 / "generated.json"


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        return _check()
    if arguments:
        print("usage: generate.py [--check]", file=sys.stderr)
        return 2
    _generate()
    MANIFEST.write_text(json.dumps(_hashes(), indent=2) + "\n")
    return 0


def _generate() -> None:
    import grpc_tools  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from grpc_tools import protoc  # type: ignore[import-not-found,import-untyped,unused-ignore]

    well_known = Path(grpc_tools.__file__).parent / "_proto"
    common = subprocess.run(
        [sys.executable, "-c", "import google.rpc, sys; print(list(google.rpc.__path__)[0])"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    outputs = ("python_out", "grpc_python_out", "mypy_out", "mypy_grpc_out")
    command = [
        "protoc",
        f"-I{ROOT}",
        f"-I{well_known}",
        f"-I{Path(common).parent.parent}",
        *(f"--{name}={ROOT}" for name in outputs),
        *(str(path) for path in sorted(V1.glob("*.proto"))),
    ]
    if protoc.main(command):
        raise SystemExit("protoc failed")


def _check() -> int:
    if MANIFEST.exists() and json.loads(MANIFEST.read_text()) == _hashes():
        return 0
    print("the generated code is stale: run `make protos` and commit the result", file=sys.stderr)
    return 1


def _hashes() -> dict[str, str]:
    files = [path for path in sorted(V1.iterdir()) if path.suffix in {".proto", ".py", ".pyi"}]
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.name != "__init__.py"
    }


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
