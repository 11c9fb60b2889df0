#!/bin/sh
# Makes our database anew, applies the migrations, makes the admin, an API key and the connection to the harness' customer database,
# and prints the environment that adapter.json needs, as lines for a shell: eval "$(./setup.sh)".
# Wants what environment.sh wants, and PB_HARNESS: the harness' folder (for customer.sql). Our programs are started for this and stopped again.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
: "${PB_HARNESS:?set PB_HARNESS to the folder of the peers harness}"
umask 077
mkdir -p "${TARGET_STATE:?set TARGET_STATE to a folder for keys and files}/files"
rm -f "$TARGET_STATE/sealing.key"
. "$here/environment.sh"
log=$TARGET_STATE/setup.log
: >"$log"
say() { echo "$*" >&2; }
sql() { psql "${PB_PG%/}/$1" -qAtX -v ON_ERROR_STOP=1 -c "$2"; }
# A field of the JSON on standard input; nothing when it is absent.
field() { python3 -c 'import json,sys; v=json.load(sys.stdin).get(sys.argv[1]); print("" if v is None else v)' "$1"; }
url=http://127.0.0.1:$TARGET_PORT
call() { # method path token body
  curl -sS --fail-with-body --noproxy '*' -X "$1" "$url$2" -H "authorization: Bearer $3" ${4:+-H content-type:application/json --data-binary "$4"} || {
    say "$1 $2 failed"
    return 1
  }
}

# The customer's database, as the harness makes it.
[ "$(sql postgres "SELECT 1 FROM pg_database WHERE datname = 'peer_customer'")" = 1 ] || sql postgres 'CREATE DATABASE peer_customer'
psql "${PB_PG%/}/peer_customer" -qX -v ON_ERROR_STOP=1 -f "$PB_HARNESS/customer.sql" >>"$log" 2>&1

sql postgres "DROP DATABASE IF EXISTS $TARGET_DATABASE WITH (FORCE)" 2>>"$log"
sql postgres "CREATE DATABASE $TARGET_DATABASE"
redis-cli -u "$TARGET_REDIS" FLUSHDB >>"$log"
"$TARGET_BIN/datagenie-api" keygen >"$TARGET_STATE/sealing.key"
. "$here/environment.sh"
password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
"$TARGET_BIN/datagenie-api" migrate >>"$log" 2>&1 || { say "the migrations failed, see $log"; exit 1; }
DATAGENIE_ADMIN_PASSWORD=$password "$TARGET_BIN/datagenie-api" create-admin --username bench --email bench@example.com >>"$log" 2>&1 ||
  { say "making the admin failed, see $log"; exit 1; }

"$here/api.sh" >>"$log" 2>&1 &
api=$!
"$TARGET_BIN/datagenie-worker" >>"$log" 2>&1 &
worker=$!
stop() {
  kill "$api" "$worker" 2>/dev/null || true
  wait "$api" "$worker" 2>/dev/null || true
}
trap stop EXIT
tries=0
until curl -fsS --noproxy '*' "$url/readyz" >/dev/null 2>&1; do
  tries=$((tries + 1))
  if [ $tries -gt 300 ] || ! kill -0 "$api" 2>/dev/null; then
    say "the api did not get ready, see $log"
    exit 1
  fi
  sleep 0.1
done

session=$(call POST /v1/auth/login none "{\"username\":\"bench\",\"password\":\"$password\"}" | field token)
key=$(call POST /v1/api-keys "$session" '{"name":"bench","scopes":["read","ask","manage","admin"]}' | field key)
body=$(PB_PG=$PB_PG python3 - <<'PY'
import json, os
from urllib.parse import urlparse
# The same reader as CUSTOMER_DSN of the harness, which the runner hands out only later.
server = urlparse(os.environ["PB_PG"])
u = urlparse(os.environ.get("CUSTOMER_DSN") or f"postgresql://peer_ro:peer_ro@{server.hostname}:{server.port or 5432}/peer_customer")
body = {"name": "customer", "db_type": "postgresql", "config": {
    "host": u.hostname, "port": u.port or 5432, "database": u.path.lstrip("/"), "username": u.username, "password": u.password, "ssl_mode": "disable"}}
# Unset: our default, which is fewer than the 16 the peers' pools may open.
if os.environ.get("TARGET_MAX_CONNECTIONS"):
    body["max_connections"] = int(os.environ["TARGET_MAX_CONNECTIONS"])
print(json.dumps(body))
PY
)
connection=$(call POST /v1/connections "$key" "$body" | field id)
tries=0
while :; do
  answer=$(call GET "/v1/connections/$connection" "$key")
  state=$(printf %s "$answer" | field state)
  [ "$state" = ready ] && break
  tries=$((tries + 1))
  if [ "$state" = refused ] || [ $tries -gt 600 ]; then
    say "the connection is $state: $answer; see $log"
    exit 1
  fi
  sleep 0.1
done
cat <<OUT
export TARGET_TOKEN='$key'
export TARGET_CONNECTION_ID='$connection'
export TARGET_DSN='$TARGET_DSN'
export TARGET_URL='$url'
OUT
