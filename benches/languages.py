"""The languages beside Rust: the same preview read through each border, calls, events, what is loaded.

benches/run --only 'language-*' measures them all. Each program is run where border.rs was right before, prints one JSON object as its
last line, and names its figures by its language.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cases import Outcome, Yard
from metastore import measure


def beside(name: str, title: str, program: Callable[[Yard, Path], tuple[list, list, list, Path]]) -> Callable[[Yard], Outcome]:
    """The case of a language. Its program is built first: the command that measures, those that begin it with the library and
    without, and the library."""

    def case(yard: Yard) -> Outcome:
        changes = yard.scale["100k"][0]
        outcome = Outcome(f"{title} beside Rust: the {changes:,} changes of a preview, calls and events", "warm")
        root = yard.fresh("languages")
        try:
            command, loaded, bare, library = program(yard, yard.root / name)
            measure(yard, outcome, "border", [str(root), "--changes", str(changes)], "portbook-ffi")
            if not outcome.figures:
                return outcome
            said = json.loads(step([*command, root]).strip().splitlines()[-1])
            loads = started(loaded) - started(bare)
            mib = stripped(library, yard.root / "stripped") / (1 << 20)
        except Failed as reason:
            # Half of them would be read as all.
            outcome.figures.clear()
            outcome.notes.append(f"Failed: {reason}")
            return outcome
        outcome.figures.update({figure: float(value) for figure, value in said.items()})
        outcome.figures[f"{name}_times_rust"] = outcome.figures["rust_changes_per_s"] / outcome.figures[f"{name}_changes_per_s"]
        outcome.figures[f"{name}_load_ms"] = loads
        outcome.figures[f"{name}_library_mib"] = mib
        return outcome

    return case


def c(yard: Yard, into: Path) -> tuple[list, list, list, Path]:
    """The shared library as people get it, and a program in C that was compiled with -O2."""
    into.mkdir(parents=True, exist_ok=True)
    step(["cargo", "build", "-q", "--release", "-p", "portbook-ffi"], yard.repository)
    library = built(yard) / ("libportbook_ffi.dylib" if platform.system() == "Darwin" else "libportbook_ffi.so")
    # By the name that it is loaded by.
    shutil.copy(library, into / "libportbook.so.0")
    source, header = yard.repository / "benches/border.c", yard.repository / "include"
    step(["cc", "-std=c11", "-O2", "-o", into / "border", source, f"-I{header}", into / "libportbook.so.0", f"-Wl,-rpath,{into}"])
    return [into / "border"], [into / "border"], ["true"], library


def python(yard: Yard, into: Path) -> tuple[list, list, list, Path]:
    """A wheel of a release build of this tree, in an environment of its own; PORTBOOK_WHEEL names another one."""
    interpreter = environment(into, wheel(yard, into))
    library = next((into / "clean").glob("lib/python*/site-packages/portbook/_portbook*.so"))
    return [interpreter, yard.repository / "benches/border.py"], [interpreter, "-c", "import portbook"], [interpreter, "-c", "pass"], library


def wheel(yard: Yard, into: Path) -> Path:
    if named := os.environ.get("PORTBOOK_WHEEL"):
        return Path(named)
    tools = into / "tools"
    step([sys.executable, "-m", "venv", tools])
    step([tools / "bin/pip", "-q", "install", "maturin>=1.16,<2"])
    manifest = yard.repository / "bindings/python/Cargo.toml"
    step([tools / "bin/maturin", "build", "-q", "--release", "-m", manifest, "--auditwheel", "skip", "-o", into / "wheels"])
    return next((into / "wheels").glob("*.whl"))


def environment(into: Path, of: Path) -> Path:
    clean = into / "clean"
    shutil.rmtree(clean, ignore_errors=True)
    step([sys.executable, "-m", "venv", clean])
    step([clean / "bin/pip", "-q", "install", of])
    return clean / "bin/python"


def node(yard: Yard, into: Path) -> tuple[list, list, list, Path]:
    """The package of a release build of this tree; PORTBOOK_NODE_PACKAGE names a directory with another one."""
    package = Path(os.environ.get("PORTBOOK_NODE_PACKAGE", into / "package")).resolve()
    if "PORTBOOK_NODE_PACKAGE" not in os.environ:
        source, tools = yard.repository / "bindings/node", into / "tools"
        tools.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, tools / name)
        step(["npm", "install", "--prefix", tools, "--ignore-scripts", "--no-audit", "--no-fund"])
        step(["node", source / "build.mjs", package, "--release"], yard.repository, {"NODE_PATH": str(tools / "node_modules")})
    library = next(package.glob("*.node"))
    command = ["node", yard.repository / "benches/border.mjs", package]
    return command, ["node", "-e", f"require({json.dumps(str(package))})"], ["node", "-e", ""], library


def kotlin(yard: Yard, into: Path) -> tuple[list, list, list, Path]:
    """The jar of a release build of this tree, with what it depends on; what measures is compiled with its tests."""
    into.mkdir(parents=True, exist_ok=True)
    project, target, paths = yard.repository / "bindings/kotlin", built(yard).parent, into / "classpath"
    maven = ["mvn", "--batch-mode", "-q", "-f", project, f"-Dcargo.target={target}", "-DskipTests"]
    step([*maven, "package", "dependency:build-classpath", f"-Dmdep.outputFile={paths}"])
    made = target / "kotlin/maven"
    jar = next(path for path in made.glob("portbook-*.jar") if "sources" not in path.name)
    java = ["java", "-cp", f"{jar}:{made / 'test-classes'}:{paths.read_text()}", "dev.portbook.benches.BorderKt"]
    library = next((target / "kotlin/native").glob("*/*portbook_uniffi.*"))
    return java, [*java, "--version"], [*java, "--nothing"], library


class Failed(Exception):
    pass


def step(command: list, at: Path | None = None, more: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run([str(part) for part in command], cwd=at, env={**os.environ, **(more or {})}, capture_output=True, text=True)
    except FileNotFoundError:
        raise Failed(f"there is no {command[0]}") from None
    if done.returncode != 0:
        raise Failed((done.stderr or done.stdout).strip()[-500:])
    return done.stdout


def built(yard: Yard) -> Path:
    return Path(os.environ.get("CARGO_TARGET_DIR", yard.repository / "target")).resolve() / "release"


def started(command: list) -> float:
    """Milliseconds that a program takes to begin and end, the fastest of ten."""
    taken = []
    for _ in range(10):
        begun = time.perf_counter()
        step(command)
        taken.append(time.perf_counter() - begun)
    return min(taken) * 1e3


def stripped(library: Path, into: Path) -> int:
    """Bytes of a library without what only debuggers read."""
    step(["strip", "-S" if platform.system() == "Darwin" else "--strip-unneeded", "-o", into, library])
    return into.stat().st_size


# Another language is another line here and in report.LANGUAGES.
CASES = {
    "language-c": beside("c", "C", c),
    "language-python": beside("python", f"Python {platform.python_version()}", python),
    "language-node": beside("node", "Node", node),
    "language-kotlin": beside("kotlin", "Kotlin", kotlin),
}
