# What demo.sh and test.sh need of a machine: sourced by both, not run by itself.
# shellcheck shell=bash

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
target_dir=${CARGO_TARGET_DIR:-$root/target}
# The query macros take the committed cache, so no build needs a database.
export SQLX_OFFLINE=true

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }

# A Rust installed by rustup a moment ago is not in PATH yet.
need_cargo() {
  if ! command -v cargo >/dev/null && [[ -x ${HOME:-}/.cargo/bin/cargo ]]; then
    PATH=$HOME/.cargo/bin:$PATH
  fi
  command -v cargo >/dev/null || fail "cargo was not found. Install Rust from https://rustup.rs (version 1.95 or newer) and run this again."
}

has_postgres() {
  local folder
  for folder in /usr/lib/postgresql/*/bin; do
    [[ -x $folder/initdb && -x $folder/postgres ]] && return 0
  done
  command -v initdb >/dev/null && command -v postgres >/dev/null
}

# ring and SQLite are compiled from C: a compiler alone is not enough, the C library's headers belong to it.
has_c_compiler() {
  local scratch result=0
  command -v cc >/dev/null || return 1
  scratch=$(mktemp -d)
  printf '#include <stdio.h>\nint main(void) { return 0; }\n' >"$scratch/try.c"
  cc -o "$scratch/try" "$scratch/try.c" >/dev/null 2>&1 || result=1
  rm -rf -- "$scratch"
  return "$result"
}

# Debian keeps the program that runs without the system's own folders out of PATH.
has_rabbitmq() {
  [[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]] || command -v rabbitmq-server >/dev/null
}

# Debian keeps the server out of an ordinary user's PATH.
has_mariadb() {
  [[ -x /usr/sbin/mariadbd ]] || command -v mariadbd >/dev/null || return 1
  command -v mariadb-install-db >/dev/null
}

# Debian's python3 comes without the part that makes virtual environments.
has_python() {
  command -v python3 >/dev/null && python3 -c 'import venv, ensurepip' 2>/dev/null
}

# Makes a virtual environment with exactly what deploy/python/NAME.txt lists and prints its folder, below target/. It is made once,
# and again when the list or the machine's Python has changed. Needs `install_missing python`.
python_tools() {
  local name=$1 list=$root/deploy/python/$1.txt folder=$target_dir/python/$1
  if ! cmp -s -- "$list" "$folder/made-of.txt" || ! "$folder/bin/python" -c '' 2>/dev/null; then
    say "Installing $name from PyPI into $folder"
    rm -rf -- "$folder"
    python3 -m venv -- "$folder" >&2 || fail "python3 could not make a virtual environment in $folder."
    "$folder/bin/python" -m pip install --quiet --no-input --disable-pip-version-check --requirement "$list" >&2 ||
      fail "pip could not install what $list lists; its messages are above."
    cp -- "$list" "$folder/made-of.txt"
  fi
  printf '%s\n' "$folder"
}

# Whether these arguments ask for a RabbitMQ of our own.
need_rabbitmq() {
  local broker=
  [[ -z ${DATAGENIE_BROKER__URL:-} ]] || return 1
  while (($#)); do
    case $1 in
      --broker) broker=${2:-} ;;
      --broker=*) broker=${1#--broker=} ;;
    esac
    shift
  done
  [[ $broker == rabbitmq ]]
}

# Whether these arguments ask for a MariaDB.
need_mariadb() {
  local argument
  for argument in "$@"; do
    [[ $argument != --mysql ]] || return 0
  done
  return 1
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# Installs what is missing by apt; elsewhere it names the packages and stops. The arguments rabbitmq, mariadb, python and curl ask for
# those too.
install_missing() {
  local missing=() extra
  has_postgres || missing+=(postgresql)
  command -v redis-server >/dev/null || command -v valkey-server >/dev/null || missing+=(redis-server)
  for extra in "$@"; do
    case $extra in
      rabbitmq) has_rabbitmq || missing+=(rabbitmq-server) ;;
      mariadb)
        has_mariadb || missing+=(mariadb-server)
        # It makes the server's certificates.
        command -v openssl >/dev/null || missing+=(openssl)
        ;;
      python) has_python || missing+=(python3 python3-venv) ;;
      curl) command -v curl >/dev/null || missing+=(curl ca-certificates) ;;
    esac
  done
  has_c_compiler || missing+=(gcc libc6-dev)
  command -v setpriv >/dev/null || missing+=(util-linux)
  ((${#missing[@]})) || return 0
  command -v apt-get >/dev/null ||
    fail "these are missing, install them and run this again (names of Debian's packages): ${missing[*]}"
  ((EUID == 0)) || command -v sudo >/dev/null ||
    fail "these packages are missing; install them as root and run this again: apt-get install ${missing[*]}"
  say "Installing by apt: ${missing[*]}"
  as_root bash -c "$apt_install" apt_install "${missing[@]}" ||
    fail "apt could not install ${missing[*]}; its messages are above."
  has_postgres || fail "PostgreSQL was installed, and initdb and postgres are still not found."
  for extra in "$@"; do
    case $extra in
      rabbitmq) has_rabbitmq || fail "RabbitMQ was installed, and rabbitmq-server is still not found." ;;
      mariadb) has_mariadb || fail "MariaDB was installed, and mariadbd and mariadb-install-db are still not found." ;;
      python) has_python || fail "Python was installed, and python3 still cannot make virtual environments." ;;
    esac
  done
}

# The packages must start nothing: no PostgreSQL cluster, no Redis, no RabbitMQ and no MariaDB of the system's. What is put in
# place for that goes again at the end. Nothing that is there is removed: MariaDB's package would put a MySQL of the system's away.
# The lists of packages are fetched only if an install without it fails.
apt_install='
set -euo pipefail
undo=()
trap "for file in \"\${undo[@]}\"; do rm -f -- \"\$file\"; done" EXIT
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  undo+=("$policy")
  printf "#!/bin/sh\nexit 101\n" >"$policy"
  chmod 755 "$policy"
fi
cluster=/etc/postgresql-common/createcluster.d/datagenie.conf
if [[ ! -e $cluster ]]; then
  mkdir -p "${cluster%/*}"
  undo+=("$cluster")
  printf "create_main_cluster = false\n" >"$cluster"
fi
export RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive
install() { apt-get install -y -qq --no-install-recommends --no-remove "$@" >&2; }
install "$@" || { apt-get update -qq >&2 && install "$@"; }
'
