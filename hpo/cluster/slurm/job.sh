# The rest of the script is the same for every study and site.
set -u

say() { printf 'hpo %s %s\n' "$(date -u +%FT%TZ)" "$*"; }

index=${SLURM_ARRAY_TASK_ID:-0}
study=${studies[$index]}
state=$results/$study/cluster
job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$index}
job=${job:-$SLURM_JOB_ID}
if [ ! -f "$results/$study/study.yaml" ]; then
  say "study $study is not visible from $(hostname): put $PWD on a file system that all nodes share"
  exit 2
fi
mkdir -p -- "$state"

restarts=0
if [ -s "$state/restarts" ]; then read -r restarts < "$state/restarts"; fi
case $restarts in '' | *[!0-9]*) restarts=0 ;; esac
if [ -e "$state/stop" ]; then
  say "study $study was stopped by hpo stop"
  exit 130
fi
again="resume with: hpo resume $study --backend slurm"
if [ "$restarts" -gt "$max_restarts" ]; then
  say "interrupted after $max_restarts restarts; $again"
  exit 130
fi

run=$PWD/$state/run-$SLURM_JOB_ID
rm -rf -- "$run"
mkdir -m 700 -- "$run" || exit 1
# This is the first node; its job step may be killed before it has removed its files.
trap 'rm -rf -- "$run" "$scratch/hpo-$SLURM_JOB_ID-0"' EXIT

asked= steps= waiter=
ask() {
  if [ -n "$asked" ]; then return; fi
  asked=$1 deadline=$((SECONDS + stop_timeout_s))
  say "$1: asked the driver to stop within $stop_timeout_s s"
  # Count the restart now, since the scheduler may kill and restart this script at any moment.
  if [ "$1" = USR1 ] && [ ! -e "$state/stop" ]; then echo "$((restarts + 1))" > "$state/restarts"; fi
  if [ -s "$run/pid" ]; then
    kill -USR1 "$(< "$run/pid")" 2> /dev/null
  elif [ -n "$steps" ]; then
    kill "$steps" 2> /dev/null
  fi
}
trap 'ask USR1' USR1
trap 'ask TERM' TERM

# Ray requires a token that only this user can read. Its ports are derived from the job number, ten per job,
# below the range of ephemeral ports.
(umask 077 && head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \n' > "$run/token")
port=$((20000 + (SLURM_JOB_ID + 97 * ${SLURM_RESTART_COUNT:-0}) % 1200 * 10))
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$run/token RAY_USAGE_STATS_ENABLED=0
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=120
export HPO_JOB_STUDY=$study HPO_JOB_RUN=$run HPO_JOB_SCRATCH=$scratch HPO_JOB_NODES=$SLURM_JOB_NUM_NODES
export HPO_JOB_PORT=$port HPO_JOB_HEAD=
unset RAY_ADDRESS HPO_RAY_ADDRESS
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
  host=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
  ip=$(getent ahostsv4 "$host" | { read -r first _ && printf '%s' "$first"; })
  # Debian's hosts file maps the machine's own name to a loopback address.
  case $ip in '' | 127.*) ip=$(hostname -I | cut -d ' ' -f 1) ;; esac
  export HPO_JOB_HEAD=$ip:$port HPO_RAY_ADDRESS=$ip:$port
fi

# The commands of each node. The driver's exit code goes to a file, since a head that fails to start exits with 0.
export HPO_JOB_DRIVER='
  (echo "$BASHPID" > "$HPO_JOB_RUN/pid" && exec hpo resume "$HPO_JOB_STUDY")
  code=$?
  echo "$code" > "$HPO_JOB_RUN/exit"
  exit "$code"
'
node='
  export RAY_TMPDIR=$HPO_JOB_SCRATCH/hpo-$SLURM_JOB_ID-$SLURM_NODEID
  rm -rf -- "$RAY_TMPDIR"
  mkdir -m 700 -- "$RAY_TMPDIR" || exit 1
  trap "rm -rf -- \"\$RAY_TMPDIR\"" EXIT
  if [ -z "$HPO_JOB_HEAD" ]; then
    bash -c "$HPO_JOB_DRIVER"
    exit
  fi
  # The job owns whole nodes, and a killed step may have left Ray processes behind.
  ray stop --force > /dev/null 2>&1
  trap "ray stop --force > /dev/null 2>&1; rm -rf -- \"\$RAY_TMPDIR\"" EXIT
  trap "exit 143" TERM
  # Ray accepts this option on the head only.
  dashboard=
  case " $(hostname -I) " in *" ${HPO_JOB_HEAD%:*} "*) dashboard=--include-dashboard=false ;; esac
  ray symmetric-run --address "$HPO_JOB_HEAD" --min-nodes "$HPO_JOB_NODES" \
    --num-cpus "$SLURM_CPUS_ON_NODE" --num-gpus "${SLURM_GPUS_ON_NODE:-0}" \
    --temp-dir "$RAY_TMPDIR/ray" $dashboard \
    --node-manager-port $((HPO_JOB_PORT + 1)) --object-manager-port $((HPO_JOB_PORT + 2)) \
    --metrics-export-port $((HPO_JOB_PORT + 3)) --runtime-env-agent-port $((HPO_JOB_PORT + 4)) \
    --dashboard-agent-grpc-port $((HPO_JOB_PORT + 5)) --dashboard-agent-listen-port $((HPO_JOB_PORT + 6)) \
    -- bash -c "$HPO_JOB_DRIVER"
'

say "job $job: study $study on $SLURM_JOB_NUM_NODES nodes ($SLURM_JOB_NODELIST), restart $restarts of at most $max_restarts"
srun --nodes="$SLURM_JOB_NUM_NODES" --ntasks="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 --cpu-bind=none \
  --kill-on-bad-exit=0 --wait=0 --no-kill --export=ALL ${container[@]+"${container[@]}"} bash -c "$node" &
steps=$!
if [ -n "$asked" ]; then kill "$steps"; fi

# A signal interrupts `wait`, so wait in steps of a second, and only as long as the driver runs.
pause() {
  sleep 1 &
  waiter=$!
  wait "$waiter"
}
while kill -0 "$steps" 2> /dev/null && [ ! -s "$run/exit" ]; do
  pause
  if [ -n "$asked" ] && [ "$SECONDS" -ge "$deadline" ]; then
    say "the driver did not stop in time and was killed; finished work is kept"
    kill -KILL "$(< "$run/pid")" 2> /dev/null
    break
  fi
done
wait_for_steps() {
  local left_s=$1
  while kill -0 "$steps" 2> /dev/null && [ "$left_s" -gt 0 ]; do
    left_s=$((left_s - 1))
    pause
  done
}
if [ -z "$asked" ]; then wait_for_steps 15; fi
kill "$steps" 2> /dev/null
wait_for_steps 5

code=1
if [ -s "$run/exit" ]; then
  read -r code < "$run/exit"
  say "the driver exited with code $code"
else
  say "the driver did not report an exit code: Ray did not start on every node, or a node died"
fi
if [ -n "$asked" ] && [ "$code" -ne 0 ]; then code=130; fi
printf '{"job":"%s","exit":%d}\n' "$job" "$code" >> "$state/jobs.jsonl"
if [ "$asked" != USR1 ] || [ "$code" -eq 0 ]; then exit "$code"; fi

if [ -e "$state/stop" ]; then
  say "stopped by hpo stop; $again"
elif [ "$restarts" -ge "$max_restarts" ]; then
  say "interrupted after $restarts restarts; $again"
else
  say "interrupted; restarting, restart $((restarts + 1)) of at most $max_restarts"
  if [ "$requeue" = yes ]; then
    scontrol requeue "$SLURM_JOB_ID"
  else
    next=$(sbatch --parsable ${SLURM_ARRAY_TASK_ID:+--array="$index"} -- "$script") || exit "$code"
    next=${next%%;*}${SLURM_ARRAY_TASK_ID:+_$index}
    printf '{"job":"%s","after":"%s"}\n' "$next" "$job" >> "$state/jobs.jsonl"
    say "resubmitted as job $next"
  fi
fi
exit "$code"
