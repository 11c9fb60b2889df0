#!/usr/bin/env bash
# Fails when .sqlx is not what the migrations and the queries make it. Runs below `datagenie-local with-servers`.
set -euo pipefail
# shellcheck source=deploy/setup.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/setup.sh"

fresh=$(mktemp -d)
trap 'rm -rf -- "$fresh"' EXIT
"$root/deploy/sqlx-queries.sh" "$fresh"
if ! diff -rq -- "$root/.sqlx" "$fresh" >&2; then
  fail "the query cache .sqlx is not up to date (see above); run ./deploy/prepare-sqlx.sh and commit .sqlx"
fi
say "The query cache .sqlx is up to date: $(find "$fresh" -name 'query-*.json' | wc -l) queries."
