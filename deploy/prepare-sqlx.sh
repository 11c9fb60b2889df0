#!/usr/bin/env bash
# Writes the query cache .sqlx anew, from the migrations and the queries in the code. For after a change of either.
set -euo pipefail
# shellcheck source=deploy/setup.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/setup.sh"

need_cargo
install_missing
cd -- "$root"
cargo build --locked -p datagenie-local
fresh=$(mktemp -d)
trap 'rm -rf -- "$fresh"' EXIT
"$target_dir/debug/datagenie-local" with-servers -- "$root/deploy/sqlx-queries.sh" "$fresh"
mkdir -p .sqlx
find .sqlx -name 'query-*.json' -delete
find "$fresh" -name 'query-*.json' -exec cp -- {} .sqlx/ \;
say "Wrote $(find .sqlx -name 'query-*.json' | wc -l) queries to .sqlx; commit them with the change."
