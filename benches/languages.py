"""The languages beside Rust: the same preview read through each border."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from cases import Outcome, Yard
from metastore import measure


def python(yard: Yard) -> Outcome:
    """Python. The wheel is a release build of this tree; PORTBOOK_WHEEL names another one."""
    changes = yard.scale["100k"][0]
    outcome = Outcome(f"Python beside Rust: the {changes:,} changes of a preview, calls and events", "warm")
    root = yard.fresh("languages")
    measure(yard, outcome, "border", [str(root), "--changes", str(changes)])
    if not outcome.figures:
        return outcome
    try:
        into = yard.root / "python"
        interpreter = environment(into, wheel(yard, into))
        done = step([interpreter, yard.repository / "benches/border.py", root])
    except Failed as reason:
        outcome.notes.append(f"Failed: {reason}")
        return outcome
    outcome.figures.update({name: float(value) for name, value in json.loads(done.strip().splitlines()[-1]).items()})
    outcome.figures["python_times_rust"] = outcome.figures["rust_changes_per_s"] / outcome.figures["python_changes_per_s"]
    outcome.notes.append(f"Python {sys.version.split()[0]}; the goal for reading changes is at most 4 times Rust.")
    return outcome


def kotlin(yard: Yard) -> Outcome:
    """Kotlin. The jar is a release build of this tree."""
    changes = yard.scale["100k"][0]
    outcome = Outcome(f"Kotlin beside Rust: the {changes:,} changes of a preview, calls and events", "warm")
    root = yard.fresh("languages")
    measure(yard, outcome, "border", [str(root), "--changes", str(changes)])
    if not outcome.figures:
        return outcome
    try:
        project, paths = yard.repository / "bindings/kotlin", yard.root / "classpath"
        maven = ["mvn", "--batch-mode", "-q", "-f", project, "-DskipTests"]
        step([*maven, "package", "dependency:build-classpath", f"-Dmdep.outputFile={paths}"])
        built = yard.repository / "target/kotlin/maven"
        jar = next(path for path in built.glob("portbook-*.jar") if "sources" not in path.name)
        classes = f"{jar}:{built / 'test-classes'}:{paths.read_text()}"
        done = step(["java", "-cp", classes, "dev.portbook.benches.BorderKt", root, jar])
    except Failed as reason:
        outcome.notes.append(f"Failed: {reason}")
        return outcome
    outcome.figures.update({name: float(value) for name, value in json.loads(done.strip().splitlines()[-1]).items()})
    outcome.figures["kotlin_times_rust"] = outcome.figures["rust_changes_per_s"] / outcome.figures["kotlin_changes_per_s"]
    return outcome


class Failed(Exception):
    pass


def step(command: list) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(done.stderr.strip()[-500:])
    return done.stdout


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


CASES = {"language-python": python, "language-kotlin": kotlin}
