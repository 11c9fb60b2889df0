#!/usr/bin/env bash
# Builds DataGenie, starts it with servers of its own and sample data, and shows a tour of real questions.
set -euo pipefail
# shellcheck source=deploy/setup.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/setup.sh"

usage() {
  cat <<'TEXT'
usage: ./deploy/demo.sh [--once | --serve] [options]

  (neither)           everything up, a tour of real questions, then up until Ctrl-C
  --once              the tour, then a clean stop; exit 0 only if every answer was right
  --serve             everything up, no tour; stays until Ctrl-C

  --port PORT         port of the API on 127.0.0.1 (8080)
  --data DIR          folder for data, logs and run.json (.datagenie in the repository)
  --broker BROKER     redis or rabbitmq (redis); a private RabbitMQ takes some seconds more to start
  --mysql             a private MariaDB too, with the sample shop as the connection shop_mysql
  --workers N         worker processes (1)
  --schedulers N      scheduler processes (1)
  --keep              leave the data, and use them again next time
  --help              this text

When it is ready it prints one line, "ready http://127.0.0.1:PORT", and DIR/run.json says how to get in.
Every setting can be given by its environment variable. A model: DATAGENIE_LLM__BASE_URL, DATAGENIE_LLM__API_KEY and
DATAGENIE_LLM__MODEL, or OPENAI_API_KEY alone for OpenAI; without one the offline planner answers, and says so.
DATAGENIE_DATABASE__URL, DATAGENIE_REDIS__URL and DATAGENIE_BROKER__URL name servers to be used instead of private ones.
TEXT
}

# Minutes of building for nothing are worse than a look at the port now; the launcher looks again.
check_port() {
  local port=${DATAGENIE_API__PORT:-8080}
  while (($#)); do
    case $1 in
      --port) port=${2:-} ;;
      --port=*) port=${1#--port=} ;;
    esac
    shift
  done
  [[ $port =~ ^[0-9]+$ ]] || return 0
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    fail "port $port on 127.0.0.1 is in use by another program; stop that program, or choose another port with --port"
  fi
}

for argument in "$@"; do
  case $argument in
    -h | --help) usage; exit 0 ;;
  esac
done

check_port "$@"
need_cargo
extras=()
if need_rabbitmq "$@"; then extras+=(rabbitmq); fi
if need_mariadb "$@"; then extras+=(mariadb); fi
install_missing "${extras[@]}"
say "Building DataGenie (the first time takes minutes) …"
(cd -- "$root" && cargo build --profile demo --locked \
  -p datagenie-api -p datagenie-worker -p datagenie-scheduler -p datagenie -p datagenie-local --bins)
export DATAGENIE_LOCAL_DATA=${DATAGENIE_LOCAL_DATA:-$root/.datagenie}
exec "$target_dir/demo/datagenie-local" demo "$@"
