"""What the machine is, read from files and programs that a test can forge."""

import os
import platform
import subprocess
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from tpukit import host

CPUINFO = {
    "x86": ("processor\t: 0\nvendor_id\t: Acme\nmodel name\t: Acme 9 @ 3.0GHz\nflags\t\t: fpu\n", "Acme 9 @ 3.0GHz"),
    "several": ("model name\t: first\n\nmodel name\t: second\n", "first"),
    "raspberry": (
        "processor\t: 0\nBogoMIPS\t: 108.00\n\nRevision\t: c03111\nModel\t\t: Pi 4: rev 1.1\n",
        "Pi 4: rev 1.1",
    ),
    "mips": ("system type\t: x\ncpu model\t: MIPS 24K\n", "MIPS 24K"),
    "bytes": (b"model name\t: caf\xe9\n", "caf�"),
}


@pytest.fixture
def cpuinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    host._cpu_model.cache_clear()
    monkeypatch.setattr(host, "_CPUINFO", tmp_path / "cpuinfo")
    yield tmp_path / "cpuinfo"
    host._cpu_model.cache_clear()


@pytest.mark.parametrize("kind", CPUINFO)
def test_the_processor_is_named_as_the_system_names_it(kind: str, cpuinfo: Path) -> None:
    content, name = CPUINFO[kind]
    cpuinfo.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert host.describe().cpu == name


@pytest.mark.parametrize("content", [None, "processor\t: 0\n"])
def test_the_processor_has_some_name_even_where_the_system_shows_none(content: str | None, cpuinfo: Path) -> None:
    if content:
        cpuinfo.write_text(content)
    assert host.describe().cpu == (platform.processor() or platform.machine())


def test_the_governor_is_read_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "scaling_governor"
    monkeypatch.setattr(host, "_GOVERNOR", file)
    assert host.describe().governor is None
    file.write_text("performance\n")
    assert host.describe().governor == "performance"


def test_the_machine_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 3, 5}, raising=False)
    found = host.describe()
    assert found.cores == 3
    assert found.memory_bytes == psutil.virtual_memory().total
    assert found.os.startswith(platform.system())
    assert found.name


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000"}, 8),
        ({"cpu.max": "250000 100000"}, 3),
        ({"cpu.max": "1000000 100000"}, 8),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"}, 2),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
    ],
)
def test_a_containers_quota_bounds_the_cores(
    files: dict[str, str], cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(host, "_CGROUP", tmp_path)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{content}\n")
    assert host.cores() == cores
    assert host.thread_counts()[-1] == cores


def test_cores_are_counted_where_there_is_no_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert host.cores() == 7


def test_the_load_average_is_that_of_the_last_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "getloadavg", lambda: (1.5, 2.5, 3.5))
    assert host.load_average() == 1.5


def test_cpu_use_only_grows() -> None:
    uses = []
    for _ in range(5):
        uses.append(host.cpu_use())
        sum(range(200_000))
    assert all(a.all_s <= b.all_s and a.own_s <= b.own_s for a, b in pairwise(uses))
    assert uses[0].all_s > 0


def test_cpu_use_does_not_go_back_by_its_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    times = psutil.cpu_times()._replace(**dict.fromkeys(psutil.cpu_times()._fields, 0.1))
    found = []
    for hundredths in range(2000):
        now = times._replace(user=6783.76, system=1049.67, idle=5666.18 + hundredths / 100)
        monkeypatch.setattr(psutil, "cpu_times", lambda percpu, now=now: [now] * 64)
        found.append(host.cpu_use().all_s)
    assert len(set(found)) == 1


def test_cpu_use_leaves_out_idle_and_counts_guests_once(monkeypatch: pytest.MonkeyPatch) -> None:
    times = psutil.cpu_times()._replace(**dict.fromkeys(psutil.cpu_times()._fields, 0.0))
    times = times._replace(user=10.0, system=5.0, idle=100.0)
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: [times, times])
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1}, raising=False)
    monkeypatch.setattr(os, "times", lambda: os.times_result((1.0, 0.5, 9.0, 9.0, 9.0)))
    assert host.cpu_use() == host.CpuUse(all_s=15.0, own_s=1.5)
    if "guest" in times._fields:
        times = times._replace(iowait=50.0, guest=4.0, guest_nice=1.0)
        # guest time stands within user time as well
        assert host.cpu_use().all_s == 15.0


def test_cpu_use_counts_only_the_processors_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    zero = psutil.cpu_times()._replace(**dict.fromkeys(psutil.cpu_times()._fields, 0.0))
    monkeypatch.setattr(
        psutil, "cpu_times", lambda percpu: [zero._replace(user=seconds) for seconds in (1.0, 2.0, 4.0)]
    )
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 2}, raising=False)
    assert host.cpu_use().all_s == 5.0


def test_versions_are_those_installed_and_no_others() -> None:
    found = host.versions(["numpy", "a-library-that-is-not-there"])
    assert found == {"python": platform.python_version(), "numpy": version("numpy")}


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "repository").mkdir()
    return tmp_path / "repository"


def test_a_folder_without_a_repository_or_a_commit_has_no_revision(repository: Path) -> None:
    assert host.git_revision(repository) is None
    git(repository, "init", "-q")
    assert host.git_revision(repository) is None
    assert host.git_revision(repository / "absent") is None


def test_a_revision_says_whether_there_are_changes(repository: Path) -> None:
    (repository / "deep").mkdir()
    (repository / "deep" / "file").write_text("one")
    git(repository, "init", "-q")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "one")
    revision = git(repository, "rev-parse", "HEAD")
    assert host.git_revision(repository) == host.git_revision(repository / "deep") == revision
    (repository / "deep" / "file").write_text("two")
    assert host.git_revision(repository) == f"{revision}+"


def test_without_git_or_with_a_git_that_hangs_there_is_no_revision(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*arguments: object, **options: object) -> None:
        raise subprocess.TimeoutExpired("git", 5)

    monkeypatch.setattr(subprocess, "run", hang)
    assert host.git_revision(repository) is None
    monkeypatch.setattr(host.shutil, "which", lambda name: None)
    monkeypatch.setattr(subprocess, "run", None)
    assert host.git_revision(repository) is None
