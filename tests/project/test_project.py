"""The promises of the project itself: dependencies, lock, file sizes, rooms, wheel."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import osprey

ROOT = Path(__file__).resolve().parents[2]
LOCKS = [
    *("requirements.lock", "requirements-core.lock", "requirements-uv.lock"),
    *(f"deploy/requirements-{image}.lock" for image in ("serve", "serve-gpu", "train")),
]
MAX_SOURCE_LINES = 300
MAX_README_LINES = 250

# Written in pieces, so that this file does not hold what it looks for.
REGISTRIES = [
    "pypi" + r"\.org",
    "python" + r"hosted\.org",
    "ana" + r"conda\.(org|com)",
    "registry" + r"\.npmjs",
]
MACHINE_PATHS = [
    "/" + r"work/",
    "/" + r"tmp/w/",
    "/" + r"root/",
    "/" + r"home/\w+/",
    "/" + r"Users/\w+/",
]


@cache
def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def direct_requirements() -> list[Requirement]:
    lists = [project()["dependencies"], *project()["optional-dependencies"].values()]
    return [Requirement(line) for lines in lists for line in lines]


def locked(name: str) -> list[tuple[str, str, str]]:
    """Return name, version and the rest (markers, hashes) of each entry of a lock."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    lines = [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]
    entries = [re.fullmatch(r"([\w.-]+)==(\S+) (.*)", line) for line in lines]
    assert all(entries), f"{name} holds a line that is no pinned package"
    return [(canonicalize_name(m[1]), m[2], m[3]) for m in entries if m]


def repository_files() -> list[Path]:
    """Return the files that git tracks or would track."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout")
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for name in names.split("\0") if name and (path := ROOT / name).is_file()]


def tool(name: str) -> str:
    """Return the path of a command installed beside the Python that runs the tests."""
    return str(Path(sys.executable).parent / name)


# ------------------------------------------------------------------ metadata and dependencies


def test_version_is_the_same_everywhere() -> None:
    assert project()["version"] == osprey.__version__


def test_package_index_page_is_the_readme() -> None:
    if not (ROOT / "README.md").exists():
        pytest.skip("no README yet")
    assert project().get("readme") == "README.md"


def test_environment_yaml_names_python_and_this_project_alone() -> None:
    environment = yaml.safe_load((ROOT / "environment.yaml").read_text())
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    by_pip = [entry for entry in environment["dependencies"] if isinstance(entry, dict)]

    assert conda == ["python" + project()["requires-python"], "pip"]
    assert len(by_pip) == 1 and list(by_pip[0]) == ["pip"]
    assert len(by_pip[0]["pip"]) == 1, "dependencies belong in pyproject.toml"
    install = re.fullmatch(r"-e \.\[([\w,]+)\]", by_pip[0]["pip"][0])
    assert install, "the one thing to install is this project"
    assert set(install[1].split(",")) <= set(project()["optional-dependencies"])


def test_lock_holds_every_direct_dependency_at_an_allowed_version() -> None:
    versions: dict[str, list[str]] = {}
    for name, version, _ in locked("requirements.lock"):
        versions.setdefault(name, []).append(version)
    for requirement in direct_requirements():
        found = versions.get(canonicalize_name(requirement.name), [])
        assert found, f"{requirement.name} is not in the lock: run `make lock`"
        for version in found:
            assert requirement.specifier.contains(version), (
                f"{requirement} but locked {version}: run `make lock`"
            )


def test_build_requirements_are_installed_by_the_dev_extra() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert set(build) <= set(project()["optional-dependencies"]["dev"]), (
        "the install has no build isolation"
    )


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_is_hashed_throughout(lock: str) -> None:
    bare = [
        name for name, _, rest in locked(lock) if not re.search(r"--hash=sha256:[0-9a-f]{64}", rest)
    ]
    assert bare == []


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_no_host_and_no_option(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert set(re.findall(r"(?<!\S)--?[a-z][\w-]*", text)) == {"--hash"}


def test_the_core_s_lock_is_a_part_of_the_whole() -> None:
    """What `make demo` installs are the versions that `make test` tests, without extras."""
    core = {(name, version) for name, version, _ in locked("requirements-core.lock")}
    assert core <= {(name, version) for name, version, _ in locked("requirements.lock")}
    names = {name for name, _ in core}
    assert {"torch", "hydra-core", "hatchling"} <= names
    assert not names & {"transformers", "tensorboard", "av", "pyarrow", "pytest", "mypy", "ruff"}


# ------------------------------------------------------------------ files


def test_source_files_are_short() -> None:
    files = sorted((ROOT / "src").rglob("*.py"))
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    assert {name: count for name, count in lines.items() if count > MAX_SOURCE_LINES} == {}


# What renames files or names them after the process, and where that is not a file being written.
RENAMES = {"os.replace", "os.rename", "os.renames", "os.getpid", "path.rename"}
NO_WRITES = {
    ("config/compose.py", "os.getpid"),  # a forked process tells itself from the one it left
    ("data/cache.py", "os.getpid"),  # the name under which /proc shows an open file
    ("data/harbour/generate.py", "path.rename"),  # a folder, unless another made it meanwhile
}


def renames(tree: ast.AST) -> Iterator[str]:
    """Names of the calls in a file that rename one, or ask for the process's number."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            module = getattr(node.func.value, "id", "")
            yield f"{module}.{node.func.attr}"
            if node.func.attr == "rename" and module != "os" and node.args:  # pandas names its own
                yield "path.rename"


def test_files_are_written_atomically_by_one_helper() -> None:
    source = ROOT / "src" / "osprey"
    found = {
        (path.relative_to(source).as_posix(), call)
        for path in source.rglob("*.py")
        for call in RENAMES.intersection(renames(ast.parse(path.read_text())))
    }
    helper = {("system/files.py", "os.replace"), ("system/files.py", "os.getpid")}
    assert found == NO_WRITES | helper


def test_readme_is_short() -> None:
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("no README yet")
    assert len(readme.read_text().splitlines()) <= MAX_README_LINES


def test_no_file_names_a_machine_path_or_a_registry() -> None:
    # A path starts a word: "src/work/" is none.
    forbidden = re.compile(
        "|".join([*REGISTRIES, *(r"(?<![\w./-])" + path for path in MACHINE_PATHS)])
    )
    found = []
    for path in repository_files():
        content = path.read_bytes()
        if b"\0" in content[:8192]:
            continue
        for number, line in enumerate(content.decode(errors="replace").splitlines(), start=1):
            if match := forbidden.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {match[0]}")
    assert found == []


@pytest.mark.parametrize(
    "source", ["src/osprey/data/a.py", "configs/data/a.yaml", "tests/data/a.py"]
)
def test_git_ignores_no_source_called_data(source: str) -> None:
    repository_files()  # skips outside git
    ignored = subprocess.run(["git", "check-ignore", "--no-index", "-q", source], cwd=ROOT)
    assert ignored.returncode == 1


# ------------------------------------------------------------------ tools


def test_rooms_import_only_what_they_may() -> None:
    lint = subprocess.run(
        [tool("lint-imports"), "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True
    )
    assert lint.returncode == 0, lint.stdout + lint.stderr


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
@pytest.mark.parametrize("arguments", [[], ["help"]])
def test_make_lists_its_targets(arguments: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    make = ["make", "--no-print-directory", *arguments]
    shown = subprocess.run(
        make, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    ).stdout
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    assert phony[1].split() == re.findall(r"^  make ([\w-]+) +\S", shown, re.MULTILINE)


def test_ci_runs_make_test() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "exec make test" in script.read_text()


@pytest.mark.slow
def test_wheel_is_whole(tmp_path: Path) -> None:
    build = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(tmp_path),
        str(ROOT),
    ]
    made = subprocess.run(build, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    assert {"osprey/__init__.py", "osprey/py.typed", "osprey/configs/train.yaml"} <= names
    sources = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src").rglob("*.py")}
    configs = {f"osprey/{path.relative_to(ROOT)}" for path in (ROOT / "configs").rglob("*.yaml")}
    data = [ROOT / "src" / "osprey" / room / "page" for room in ("reports", "sweeping")]
    data += [ROOT / "src" / "osprey" / "commands" / "new_package"]
    files = [path for folder in data for path in folder.rglob("*") if path.is_file()]
    others = {str(path.relative_to(ROOT / "src")) for path in files}
    assert others and sources | configs | others <= names
    others = {name.split("/")[0] for name in names} - {"osprey", "hydra_plugins"}
    assert others == {f"osprey_vision-{osprey.__version__}.dist-info"}, (
        "the wheel holds tests or other strays"
    )
