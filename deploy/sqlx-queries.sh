#!/usr/bin/env bash
# Writes what PostgreSQL says of every query in the code to a folder: sqlx-queries.sh DIR
# Runs below `datagenie-local with-servers`; check-sqlx.sh and prepare-sqlx.sh call it.
set -euo pipefail
# shellcheck source=deploy/setup.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/setup.sh"

out=$(cd -- "${1:?usage: sqlx-queries.sh DIR}" && pwd -P)
: "${DATAGENIE_TEST_POSTGRES_URL:?run this by check-sqlx.sh or prepare-sqlx.sh}"
: "${DATAGENIE_TEST_BIN_DIR:?run this by check-sqlx.sh or prepare-sqlx.sh}"
cd -- "$root"

# The launcher applies the migrations: the api does not compile while a query is missing in the cache.
url=$("$DATAGENIE_TEST_BIN_DIR/datagenie-local" create-database sqlx_queries --migrations "$root/migrations")

# The macros write while they are compiled, so the crate with the queries must be compiled now. Its file time is put
# back afterwards: what was built before stays fresh.
source_file=common/src/lib.rs
stamp=$(mktemp)
touch -r "$source_file" "$stamp"
trap 'touch -r "$stamp" "$source_file"; rm -f -- "$stamp"' EXIT
touch "$source_file"
# The whole workspace, though only one crate has queries: with it alone the dependencies would be compiled once more,
# with other features.
SQLX_OFFLINE=false DATABASE_URL=$url SQLX_OFFLINE_DIR=$out cargo check --workspace --locked
