#!/usr/bin/env bash
# Runs every check and test. With arguments only the tests, filtered: ./deploy/test.sh faults::
set -euo pipefail
# shellcheck source=deploy/setup.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/setup.sh"

case ${1:-} in
  -h | --help)
    say "usage: ./deploy/test.sh [FILTER …]     without a filter: format, lints, queries, tests, documentation"
    exit 0
    ;;
esac

step() { say; say "== $*"; }

run_tests() {
  if cargo nextest --version >/dev/null 2>&1; then
    "$local_bin" with-servers --rabbitmq --mariadb --s3 -- cargo nextest run --workspace --locked "$@"
  elif (($# <= 1)); then
    # Fewer at once than there are tests: many of them start processes of their own.
    "$local_bin" with-servers --rabbitmq --mariadb --s3 -- cargo test --workspace --locked --lib --bins --tests -- --test-threads=4 "$@"
  else
    fail "cargo test takes one filter; for more of them install cargo-nextest"
  fi
}

need_cargo
install_missing rabbitmq mariadb python curl
python_tools s3-server >/dev/null
cd -- "$root"
local_bin=$target_dir/debug/datagenie-local
# The tests of the contract run it over the whole api.
DATAGENIE_TEST_SCHEMATHESIS=$(python_tools schemathesis)/bin/st
export DATAGENIE_TEST_SCHEMATHESIS

if (($#)); then
  step "build"
  # The tests start the programs, so these are built too.
  cargo build --workspace --locked --all-targets
  step "tests: $*"
  run_tests "$@"
  exit 0
fi

step "format"
cargo fmt --all --check
# The lints first: they share the compiled dependencies with the check of the queries, not with the build.
step "lints"
cargo clippy --workspace --all-targets --locked -- -D warnings
step "build"
cargo build --workspace --locked --all-targets
step "queries"
"$local_bin" with-servers -- "$root/deploy/check-sqlx.sh"
step "documentation"
"$local_bin" with-servers -- cargo test --workspace --locked --doc
RUSTDOCFLAGS='-D warnings' cargo doc --workspace --locked --no-deps
# Last, so that what a run ends with is what its tests said.
step "tests"
run_tests
say
say "All checks passed."
