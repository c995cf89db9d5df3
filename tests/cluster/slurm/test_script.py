"""The text of a SLURM job, whole; and what the text does, run by bash with stand-ins for the programs."""

import os
import signal
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.cluster.slurm.script import Job, render_script
from hpo.cluster.slurm.site_profile import SiteProfile, load_site_profile
from hpo.config.study import Study
from hpo.errors import UserError
from hpo.storage.study_folder import StudyFolder
from hpo.workflows.validate import validate_file

GOLDEN = Path(__file__).parent / "golden"
PROGRAMS = Path("/opt/hpo/.venv/bin")
FULL = {
    "nodes": 2,
    "gpus": 4,
    "time": "06:00:00",
    "partition": "gpu",
    "account": "nlp-2026",
    "qos": "normal",
    "constraint": "a100&nvlink",
    "memory": "0",
    "modules": ["python/3.11", "cuda/12.4"],
    "setup": ['export HF_HOME="$HOME/models"'],
    "scratch": "/local/my scratch",
    "container": ["apptainer", "exec", "--nv", "/img/it's ner.sif"],
}
SCRIPTS = {
    "two-nodes": (("swedish-news",), FULL),
    "one-node": (("demo",), {"cpus": 8, "gpus": 1, "requeue": False}),
    "array": (("a", "b", "c"), {"gpus": 1, "partition": "gpu"}),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_render_script_text_equals_golden_file(name):
    """To change it on purpose: write `render_script`'s text to the golden file, and read the difference."""
    studies, site = SCRIPTS[name]
    text = render_script(Job(studies, PROGRAMS), load_site_profile(None, site))
    assert text == (GOLDEN / f"{name}.sh").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SCRIPTS)
def test_render_script_is_valid_bash(name):
    subprocess.run(["bash", "-n", GOLDEN / f"{name}.sh"], check=True)


HOSTILE = ("x\n#SBATCH --uid=0", "$(touch PWNED)", "`touch PWNED`", "a b", "a;touch PWNED")
HOSTILE += ("'", '"', "#", "\\", "")


@pytest.mark.parametrize("field", ["partition", "account", "qos", "constraint", "memory"])
@pytest.mark.parametrize("value", HOSTILE)
def test_site_profile_hostile_word_is_rejected(field, value):
    with pytest.raises(UserError) as refusal:
        load_site_profile(None, {field: value})
    assert field in str(refusal.value)


@pytest.mark.parametrize(
    "setting",
    [
        {"modules": ["cuda; touch PWNED"]},
        {"time": "1:00; touch PWNED"},
        {"time": "06:00:00\n#SBATCH --uid=0"},
        {"scratch": "relative"},
        {"scratch": "/tmp\ntouch PWNED"},
        {"setup": ["module load x\ntouch PWNED"]},
        {"container": ["apptainer\nexec"]},
        {"nodes": 0},
        {"gpus": -1},
        {"node": 2},
    ],
)
def test_site_profile_hostile_or_invalid_setting_is_rejected(setting):
    with pytest.raises(UserError):
        load_site_profile(None, setting)


def test_site_profile_file_reports_problems_with_lines(tmp_path):
    profile = tmp_path / "site.yaml"
    profile.write_text("partition: gpu\naccount: $(id)\nnodez: 2\n")
    with pytest.raises(UserError) as refusal:
        load_site_profile(profile, {})
    first, second = map(str, refusal.value.issues)
    assert first.startswith(f"{profile}:2: account")
    assert second.startswith(f"{profile}:3: nodez: unknown key")


def test_site_profile_options_override_file(tmp_path):
    profile = tmp_path / "site.yaml"
    profile.write_text("partition: gpu\nnodes: 4\ntime: 90\n")
    assert load_site_profile(profile, {"nodes": 2}) == SiteProfile(partition="gpu", nodes=2, time="90")


@pytest.mark.parametrize("name", ["../x", "x/../../y", "a b", "$(id)", "x\n", "", "-x"])
def test_render_script_invalid_study_name_is_rejected(name):
    with pytest.raises(UserError):
        render_script(Job((name,), PROGRAMS), SiteProfile())


HPO = """#!/usr/bin/env bash
printf '%s\\n' "$*" > called; env > environment; stat -c %a "$RAY_AUTH_TOKEN_PATH" > mode
trap '[ -n "${HPO_STUB_DEAF:-}" ] || { echo stopped > heard; exit 130; }' USR1
echo ready
for _ in $(seq "${HPO_STUB_S:-0}0"); do sleep 0.1; done
exit "${HPO_STUB_CODE:-0}"
"""
STUBS = {
    "hpo": HPO,
    # Whatever stands before the command is srun's own, and a container's.
    "srun": '#!/usr/bin/env bash\nprintf "%s\\n" "$@" > srun\nwhile [ "$1" != bash ]; do shift; done\n'
    'export SLURM_NODEID=0 SLURM_CPUS_ON_NODE=7 SLURM_GPUS_ON_NODE=4\nexec "$@"\n',
    "ray": '#!/usr/bin/env bash\n[ "$1" = stop ] && exit\nprintf "%s\\n" "$@" > ray\n'
    '[ -n "${RAY_STUB_FAILS:-}" ] && exit 0\n'
    'while [ "$1" != -- ]; do shift; done\nshift\n"$@"\n',
    "scontrol": "#!/usr/bin/env bash\n"
    'if [ "$1" = show ]; then printf "n1\\nn2\\n"; else echo "$@" > scontrol; fi\n',
    "sbatch": '#!/usr/bin/env bash\necho "$@" > sbatch\necho "77;somewhere"\n',
    "module": '#!/usr/bin/env bash\nprintf "%s\\n" "$@" >> module\n',
    "getent": '#!/usr/bin/env bash\necho "127.0.1.1 STREAM n1"\n',
    "hostname": '#!/usr/bin/env bash\necho "10.1.2.3 fe80::1"\n',
}


@pytest.fixture
def start(empty_folder):
    """Starts a script in an empty folder, under stand-ins for SLURM, Ray and hpo."""
    programs = empty_folder / "stand-ins of 'mine'"
    programs.mkdir()
    for name, text in STUBS.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)

    def begin(studies=("s",), site=None, **environment):
        for study in studies:
            folder = StudyFolder(study)
            folder.cluster.mkdir(parents=True, exist_ok=True)
            folder.study.write_text("name: s\n")
        script = empty_folder / "job.sh"
        script.write_text(render_script(Job(tuple(studies), programs), load_site_profile(None, site or {})))
        slurm = {"SLURM_JOB_ID": "4321", "SLURM_JOB_NUM_NODES": str((site or {}).get("nodes", 1))}
        slurm |= {"SLURM_JOB_NODELIST": "n[1-2]"} | {name: str(value) for name, value in environment.items()}
        path = {"PATH": f"{programs}:{os.environ['PATH']}"}
        return subprocess.Popen(
            ["bash", script], env=os.environ | slurm | path, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip

    return begin


def finish(process):
    said, _ = process.communicate(timeout=60)
    assert not Path("PWNED").exists()
    return process.returncode, said


def written(name):
    return Path(name).read_text().split("\n")[:-1]


def wait_for(path):
    until = time.monotonic() + 30
    while not Path(path).exists():
        assert time.monotonic() < until, f"no {path}"
        time.sleep(0.05)


def test_job_one_node_exits_with_driver_code(start):
    code, said = finish(start(HPO_STUB_CODE=3))
    assert code == 3, said
    assert written("called") == ["resume s"]
    assert not Path("ray").exists()
    assert written("mode") == ["600"]
    assert "RAY_AUTH_MODE=token" in written("environment")
    assert not [line for line in written("environment") if line.startswith("HPO_RAY_ADDRESS")]
    assert not list(Path("results/s/cluster").glob("run-*")), "the token went with the job"
    assert '{"job":"4321","exit":3}' in written("results/s/cluster/jobs.jsonl")


def test_job_several_nodes_start_ray_with_job_ports_and_slurm_counts(start):
    code, said = finish(start(site={"nodes": 2}))
    assert code == 0, said
    words = written("ray")
    options = {name: value for name, value in pairwise(words) if name.startswith("--")}
    port = 20000 + 4321 % 1200 * 10
    assert options["--address"] == f"10.1.2.3:{port}", "a loopback address is no address of a head"
    assert (options["--min-nodes"], options["--num-cpus"], options["--num-gpus"]) == ("2", "7", "4")
    ports = {value for name, value in options.items() if name.endswith("-port")}
    assert ports == {str(port + each) for each in range(1, 7)}
    assert "--include-dashboard=false" in words
    assert f"HPO_RAY_ADDRESS=10.1.2.3:{port}" in written("environment")


def test_job_two_jobs_share_no_port(start):
    taken = []
    for job, restarts in (("4321", "0"), ("4322", "0"), ("4321", "1"), ("5520", "0")):
        code, said = finish(start(site={"nodes": 2}, SLURM_JOB_ID=job, SLURM_RESTART_COUNT=restarts))
        assert code == 0, said
        options = {name: value for name, value in pairwise(written("ray")) if name.startswith("--")}
        ports = {int(value) for name, value in options.items() if name.endswith("-port")}
        taken.append(ports | {int(options["--address"].rpartition(":")[2])})
    assert [len(ports) for ports in taken] == [7] * 4
    assert len(set().union(*taken)) == 7 * 4
    # The kernel hands out what is above: see /proc/sys/net/ipv4/ip_local_port_range.
    assert all(1024 < port < 32768 for ports in taken for port in ports)


def test_job_head_not_started_is_not_success(start):
    code, said = finish(start(site={"nodes": 2}, RAY_STUB_FAILS=1))
    assert code == 1
    assert "Ray did not start" in said


def test_job_usr1_stops_driver_and_requeues(start):
    process = start(HPO_STUB_S=30)
    wait_for("mode")
    time.sleep(0.3)
    process.send_signal(signal.SIGUSR1)
    code, said = finish(process)
    assert code == 130
    assert written("heard") == ["stopped"]
    assert written("scontrol") == ["requeue 4321"], said
    assert written("results/s/cluster/restarts") == ["1"]


def test_job_restarts_are_limited(start):
    StudyFolder("s").cluster.mkdir(parents=True)
    StudyFolder("s").restarts.write_text("10\n")
    process = start(HPO_STUB_S=30)
    wait_for("mode")
    time.sleep(0.3)
    process.send_signal(signal.SIGUSR1)
    code, said = finish(process)
    assert code == 130
    assert not Path("scontrol").exists()
    assert "interrupted after 10 restarts" in said


def test_job_driver_not_stopping_is_killed_and_requeued(start):
    process = start(site={"notice_s": 30}, HPO_STUB_S=600, HPO_STUB_DEAF=1)
    wait_for("mode")
    script = Path("job.sh").read_text()
    assert "stop_timeout_s=10\n" in script
    time.sleep(0.3)
    process.send_signal(signal.SIGUSR1)
    code, said = finish(process)
    assert code == 130
    assert "did not stop in time" in said
    assert written("scontrol") == ["requeue 4321"]


def test_job_restarted_by_scheduler_too_often_gives_up(start):
    StudyFolder("s").cluster.mkdir(parents=True)
    StudyFolder("s").restarts.write_text("11\n")
    code, said = finish(start())
    assert code == 130
    assert "interrupted after 10 restarts; resume with: hpo resume s" in said
    assert not Path("called").exists()


def test_job_array_element_without_requeue_resubmits_itself(start):
    array = {"SLURM_ARRAY_JOB_ID": 4000, "SLURM_ARRAY_TASK_ID": 1}
    process = start(("s", "t"), {"requeue": False}, HPO_STUB_S=30, **array)
    wait_for("mode")
    time.sleep(0.3)
    process.send_signal(signal.SIGUSR1)
    finish(process)
    assert written("called") == ["resume t"]
    assert written("sbatch") == ["--parsable --array=1 -- results/.arrays/hpo-s-and-1-more.sh"]
    assert '{"job":"77_1","after":"4000_1"}' in written("results/t/cluster/jobs.jsonl")


@pytest.mark.parametrize("word", ["stop", "TERM"])
def test_job_asked_to_stop_does_not_restart(start, word):
    process = start(HPO_STUB_S=30)
    wait_for("mode")
    time.sleep(0.3)
    if word == "stop":
        StudyFolder("s").stop.write_text("")
    process.send_signal(signal.SIGUSR1 if word == "stop" else signal.SIGTERM)
    code, _ = finish(process)
    assert code == 130
    assert not Path("scontrol").exists()
    assert not StudyFolder("s").restarts.exists()


@pytest.fixture
def hostile_scratch():
    folder = Path("/tmp/$(>PWNED)' \"")
    folder.mkdir(exist_ok=True)
    yield str(folder)
    folder.rmdir()


def test_render_script_profile_values_are_never_executed(start, hostile_scratch):
    site = {
        "container": ["env", "$(touch PWNED)", "; touch PWNED", "it's", '"'],
        "modules": ["cuda/12.4"],
        "setup": ["export SAID='by setup'"],
        "scratch": hostile_scratch,
    }
    code, said = finish(start(site=site))
    assert code == 0, said
    assert written("srun")[8:13] == site["container"]
    assert written("module") == ["load", "cuda/12.4"]
    assert "SAID=by setup" in written("environment")
    (temp,) = [line for line in written("environment") if line.startswith("RAY_TMPDIR=")]
    assert temp == f"RAY_TMPDIR={hostile_scratch}/hpo-4321-0"
    assert list(Path(hostile_scratch).iterdir()) == [], "the node's folder went with the job"


LETTERS = st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f")
PRINTABLE = st.text(LETTERS, min_size=1)


@given(st.lists(PRINTABLE.filter(str.strip), min_size=1, max_size=4))
def test_render_script_container_words_pass_bash_unchanged(words):
    script = render_script(Job(("s",), PROGRAMS), SiteProfile(container=tuple(words)))
    lines = script.split("\n")
    (line,) = [each for each in lines if each.startswith("container=(")]
    done = subprocess.run(
        ["bash", "-c", f'{line}\nprintf "%s\\0" "${{container[@]}}"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\0")[:-1] == words


def test_validate_file_recognizes_site_profile(tmp_path):
    profile = tmp_path / "site.yaml"
    profile.write_text("partition: gpu\nnotice_s: 5\n")
    with pytest.raises(UserError, match=rf"{profile}:2: notice_s"):
        validate_file(profile)
    profile.write_text("partition: gpu\n")
    assert validate_file(profile) == "site profile"
    assert Study.model_fields.keys().isdisjoint(SiteProfile.model_fields), (
        "or a study would be taken for a profile"
    )
