"""The bare server of deploy/cloud-init.yaml: its words, its units, and what its scripts do."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import environment
from dockerfiles import DEPLOY

CONFIG = yaml.safe_load((DEPLOY / "cloud-init.yaml").read_text())
FILES = {file["path"]: file["content"] for file in CONFIG["write_files"]}


def test_a_cloud_takes_it() -> None:
    text = (DEPLOY / "cloud-init.yaml").read_bytes()
    assert text.startswith(b"#cloud-config\n")
    assert len(text) < 16 * 1024  # AWS's limit


def test_cloud_init_knows_every_word() -> None:
    if shutil.which("cloud-init") is None:
        pytest.skip("cloud-init is not at hand")
    check = ["cloud-init", "schema", "--config-file", str(DEPLOY / "cloud-init.yaml")]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_units_start_scripts_that_are_written_and_are_enabled() -> None:
    scripts = {path for path, content in FILES.items() if content.startswith("#!/bin/sh\n")}
    for path in scripts:
        subprocess.run(["sh", "-n"], input=FILES[path], text=True, check=True)
    started = set(re.findall(r"^ExecStart=(/usr/local/\S+)", "\n".join(FILES.values()), re.M))
    assert started | {"/usr/local/sbin/osprey-setup"} == scripts
    units = {Path(path).name for path in FILES if path.startswith("/etc/systemd/system/")}
    installed = {name for name in units if "[Install]" in FILES[f"/etc/systemd/system/{name}"]}
    enable, start = (line.split() for line in CONFIG["runcmd"] if " osprey.service" in line)
    assert set(enable[2:]) == set(start[start.index("--no-block") + 1 :]) == installed


# Stand-ins for what a server has; `docker run` in the foreground ends with $CODE.
STUBS = {
    "docker": 'echo "docker $*" >> "$LOG"; [ "$1" != run ] || [ "$2" = --detach ] || exit "$CODE"',
    "install": 'for word; do case $word in /*) mkdir -p "$word" ;; esac; done',
    "nvidia-smi": 'exit "$NO_GPU"',
    "sleep": ":",
    "systemctl": 'echo "systemctl $*" >> "$LOG"',
}


class Server:
    """Runs cloud-init's scripts with these settings, in a folder in place of /."""

    def __init__(self, root: Path, settings: str, gpu: bool = False) -> None:
        self.root, self.gpu = root, gpu
        (root / "bin").mkdir()
        (root / "etc/osprey").mkdir(parents=True)
        for name, body in STUBS.items():
            (root / "bin" / name).write_text(f"#!/bin/sh\n{body}\n")
            (root / "bin" / name).chmod(0o755)
        (root / "etc/osprey/settings").write_text(FILES["/etc/osprey/settings"] + settings)

    def run(self, script: str, code: int = 0) -> tuple[int, list[str]]:
        """The script's exit code, and what it had the system do."""
        log = self.root / "log"
        log.write_text("")
        text = FILES[f"/usr/local/sbin/{script}"]
        text = re.sub(r"(?<![:\w])/(etc|run|srv)/osprey", rf"{self.root}/\1/osprey", text)
        variables = {"LOG": str(log), "NO_GPU": str(int(not self.gpu)), "CODE": str(code)}
        variables["PATH"] = f"{self.root}/bin:/usr/bin:/bin"
        done = subprocess.run(["sh", "-c", text], env=variables, capture_output=True, text=True)
        return done.returncode, log.read_text().replace(str(self.root), "").splitlines()


@pytest.mark.parametrize("gpu", [False, True])
def test_a_server_answers(tmp_path: Path, gpu: bool) -> None:
    settings = f"IMAGE=here/osprey\nMODEL=boats@3\nFETCH='touch {tmp_path}/fetched'\n"
    server = Server(tmp_path, settings, gpu)
    code, (_, started) = server.run("osprey-run", code=3)
    assert code == 3  # systemd starts it again
    assert (tmp_path / "fetched").exists() and (tmp_path / "srv/osprey/registry").is_dir()
    words = shlex.split(started)
    assert "--read-only" in words and "/srv/osprey/registry:/registry:ro" in words
    assert words[-3:] == [f"here/osprey:{'gpu' if gpu else 'cpu'}", "--model", "boats@3"]
    assert ("--gpus" in words) == gpu


def test_a_server_waits_with_a_notebook(tmp_path: Path) -> None:
    code, (_, board, notebook) = Server(tmp_path, "ROLE=train\n").run("osprey-run")
    image = "registry.example.org/osprey:train-cpu"
    assert code == 0 and "127.0.0.1:6006:6006" in board and f"{image} tensorboard --logdir" in board
    assert notebook.endswith(f" {image}") and "127.0.0.1:8888:8888" in notebook
    assert "--shm-size 8g" in notebook and "--read-only" in notebook


TRAIN = 'osprey train data=folder cost.on_end="touch /run/osprey/ended"'


def test_a_server_trains_and_is_switched_off_if_that_was_asked_for(tmp_path: Path) -> None:
    server = Server(tmp_path, f"ROLE=train\nTRAIN='{TRAIN}'\nKEEP='touch {tmp_path}/kept'\n")
    ended = tmp_path / "run/osprey/ended"
    code, (*_, started) = server.run("osprey-run")
    assert code == 0 and started.endswith(f":train-cpu sh -c {TRAIN}")
    assert not ended.exists()  # it is Osprey that makes it, in the container
    code, _ = server.run("osprey-run", code=137)
    assert code == 0 and ended.exists()  # killed before it could
    code, done = server.run("osprey-end")
    assert code == 0 and (tmp_path / "kept").exists()
    assert done == ["docker stop --time 60 osprey", "systemctl poweroff"]


def test_a_failed_training_leaves_the_server_on_unless_it_was_asked_to_end(tmp_path: Path) -> None:
    server = Server(tmp_path, "ROLE=train\nTRAIN='osprey train data=folder'\n")
    assert server.run("osprey-run", code=2)[0] == 0
    assert not (tmp_path / "run/osprey/ended").exists()


def test_what_cannot_be_kept_is_tried_five_times(tmp_path: Path) -> None:
    server = Server(tmp_path, f"KEEP='echo . >> {tmp_path}/tries; false'\n")
    assert server.run("osprey-end")[1][-1] == "systemctl poweroff"
    assert (tmp_path / "tries").read_text().count(".") == 5


def test_the_command_of_the_settings_ends_what_osprey_trains(here: Path) -> None:
    """As the container's shell reads it, however the training goes: here it has no photos."""
    (line,) = re.findall(r"^# TRAIN='(.*)'$", FILES["/etc/osprey/settings"], re.M)
    command = line.replace("/run/osprey", str(here)).replace("/photos", str(here / "none"))
    code = "import sys; from osprey.commands import main; sys.exit(main())"
    program = f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}"
    done = subprocess.run(
        ["sh", "-c", command.replace("osprey train", f"{program} train", 1)],
        cwd=here,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "none" in done.stderr
    assert (here / "ended").exists()
