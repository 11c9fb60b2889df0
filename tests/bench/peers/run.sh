#!/usr/bin/env bash
# The peers and DataGenie in one run of the peers' harness, alternating, on private servers; prints the harness' summary.
#   ./run.sh --harness DIR --bin-dir DIR [--broker redis|rabbitmq] [--keep-servers] [any option of the harness' runner.py]
# e.g. ./run.sh --harness DIR --bin-dir ../../../target/dist --systems bullmq --rounds 3 --n 5000
# Servers: PB_PG and PB_REDIS when set, else private ones by the harness' setup-services.sh (stopped again unless they ran before).
# RabbitMQ: PB_AMQP, a running one. Builds and logs: PB_STATE. Settings of ours: DATAGENIE_… variables are handed on.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
harness='' bin='' keep=0 options=()
export TARGET_BROKER=${TARGET_BROKER:-redis}
while [ $# -gt 0 ]; do
  case $1 in
  --harness) harness=${2:?--harness wants a folder} && shift 2 ;;
  --bin-dir) bin=${2:?--bin-dir wants a folder} && shift 2 ;;
  --broker) TARGET_BROKER=${2:?--broker wants redis or rabbitmq} && shift 2 ;;
  --keep-servers) keep=1 && shift ;;
  *) options+=("$1") && shift ;;
  esac
done
if [ ! -f "$harness/runner.py" ] || [ ! -x "$bin/datagenie-api" ]; then
  sed -n '2,6s/^# //p' "$0" >&2
  exit 2
fi
PB_HARNESS=$(cd "$harness" && pwd) TARGET_BIN=$(cd "$bin" && pwd)
export PB_HARNESS TARGET_BIN PB_STATE=${PB_STATE:-/tmp/peer-bench}
export TARGET_STATE=${TARGET_STATE:-$PB_STATE/target} TARGET_NAME=${TARGET_NAME:-datagenie}
services=$PB_HARNESS/setup-services.sh ours=0
sampler=''
leave() {
  [ -z "$sampler" ] || kill "$sampler" 2>/dev/null || true
  [ $ours = 0 ] || [ $keep = 1 ] || "$services" stop >/dev/null 2>&1 || true
}
trap leave EXIT
if [ -z "${PB_PG:-}" ] || [ -z "${PB_REDIS:-}" ]; then
  if ! "$services" status >/dev/null 2>&1; then
    "$services" start >&2
    ours=1
  fi
  export PB_PG=postgresql://postgres@127.0.0.1:${PB_PG_PORT:-35432} PB_REDIS=redis://127.0.0.1:${PB_REDIS_PORT:-36379}
fi
"$PB_HARNESS/run-peers.sh" --setup-only
environment=$("$here/setup.sh")
eval "$environment"
results=$PB_STATE/run-$(date +%Y%m%d-%H%M%S)
python3 "$here/meanwhile.py" sample "$results.tsv" &
sampler=$!
"$PB_HARNESS/run-peers.sh" --target "$TARGET_URL" --target-adapter "$here/adapter.json" \
  --target-api-cmd "exec $(printf %q "$here/api.sh")" --target-worker-cmd "exec $(printf %q "$here/worker.sh")" \
  --target-reset-cmd "$(printf %q "$here/reset.sh")" "${options[@]}" --out "$results.jsonl"
python3 "$here/meanwhile.py" report "$results.jsonl" "$results.tsv"
echo "figures: $results.jsonl"
