"""Builds build/my_worker.wasm: python3 build.py

Runs the tests: python3 build.py test
"""

import os
import pathlib
import subprocess
import sys
import venv

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE / "build"
ENVIRONMENT = HERE / ".venv"
# Modules are called after interfaces; `types` would be said twice when wasi:http is imported, too.
WORLD = ["--wit-path", "wit", "--world", "plugin", "--import-interface-name", "stokehold:worker/types@0.1.0=types"]


def program(name):
    """A program of this project's own environment, which is made when it is missing."""
    programs = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
    if not (programs / "componentize-py").exists():
        venv.create(ENVIRONMENT, with_pip=True)
        run(programs / "python", "-m", "pip", "install", "--quiet", "--requirement", "requirements.txt")
    return programs / name


def run(*command, **environment):
    """Runs a command in this folder; ends with its exit code when it fails."""
    done = subprocess.run(command, cwd=HERE, env={**os.environ, **environment})
    if done.returncode != 0:
        sys.exit(done.returncode)


def build():
    """The component. It holds what is found in `src` and in the environment, as far as it is imported."""
    BUILD.mkdir(exist_ok=True)
    file = BUILD / "my_worker.wasm"
    command = ["componentize", "app", "--python-path", "src", "--output", file]
    run(program("componentize-py"), "--quiet", *WORLD, *command, VIRTUAL_ENV=str(ENVIRONMENT))
    print(file)


def test():
    """The tests run in this machine's Python: what the host would lend are stand-ins with the same names."""
    bindings = BUILD / "bindings"
    run(program("componentize-py"), "--quiet", *WORLD, "bindings", bindings)
    path = os.pathsep.join([str(HERE / "src"), str(bindings)])
    run(program("python"), "-m", "unittest", "discover", "--start-directory", "tests", PYTHONPATH=path)


if __name__ == "__main__":
    if sys.argv[1:] == ["test"]:
        test()
    elif not sys.argv[1:]:
        build()
    else:
        sys.exit(__doc__)
