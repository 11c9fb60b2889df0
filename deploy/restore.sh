#!/usr/bin/env bash
# Restores what backup.sh made. See --help.
set -euo pipefail

usage() {
    cat <<'HELP'
Restores a backup of deploy/backup.sh: the database and the file storage. Stop all programs of the service first.

  deploy/restore.sh BACKUP [--files DIR] [--force]

  BACKUP        the full_backup_TIME.dump; its files_backup_TIME.tar and backup_TIME.sha256 lie beside it
  --files DIR   the file storage, the setting files.root (DATAGENIE_FILES__ROOT; .datagenie/files)
  --force       over a database that has tables, or a folder that has files: what they hold is lost
  --help        this text

The database, which must exist, is named by the environment, never by an argument, which every user of the machine could read:
  DATAGENIE_DATABASE__URL, or PGHOST, PGPORT, PGDATABASE, PGUSER and PGPASSWORD (or ~/.pgpass) as libpq has them.

The database is restored in one transaction: it is as it was backed up, or as it was before. Then the files are put in place.
Start the service with the sealing key (DATAGENIE_SEALING__KEY) of the time of the backup: it is in no backup. See docs/backup.md.
HELP
}

die() {
    echo "restore.sh: $*" >&2
    exit 1
}

backup="" force=no
files="${DATAGENIE_FILES__ROOT:-.datagenie/files}"
while [ $# -gt 0 ]; do
    case "$1" in
        --help | -h) usage; exit 0 ;;
        --force) force=yes; shift ;;
        --files) [ $# -ge 2 ] || die "--files needs a folder; see --help"; files="$2"; shift 2 ;;
        -*) die "unknown argument: $1; see --help" ;;
        *) [ -z "$backup" ] || die "one backup at a time; see --help"; backup="$1"; shift ;;
    esac
done
[ -n "$backup" ] || die "name the full_backup_TIME.dump; see --help"
name="$(basename "$backup")"
[[ "$name" =~ ^full_backup_([0-9]{8}_[0-9]{6})\.dump$ ]] || die "$backup is no full_backup_TIME.dump"
time="${BASH_REMATCH[1]}"
folder="$(cd "$(dirname "$backup")" && pwd)" || die "there is no folder $(dirname "$backup")"
for program in pg_restore psql tar sha256sum; do
    command -v "$program" >/dev/null || die "$program is missing: install postgresql-client, tar and coreutils"
done
[ -f "$folder/backup_$time.sha256" ] || die "$folder/backup_$time.sha256 is missing: the backup is not complete"
(cd "$folder" && sha256sum --check --quiet "backup_$time.sha256") || die "the backup is damaged; nothing was changed"
# shellcheck source=deploy/database-url.sh
source "$(dirname "${BASH_SOURCE[0]}")/database-url.sh"

tables="$(psql --no-psqlrc --quiet --tuples-only --no-align --command \
    "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'")"
if [ "$force" = no ]; then
    [ "$tables" = 0 ] || die "the database has $tables tables; restore into an empty one, or say --force to lose what they hold"
    if [ -d "$files" ] && [ -n "$(ls -A "$files")" ]; then
        die "$files holds files; restore into an empty folder, or say --force to lose them"
    fi
fi

# The files are unpacked beside their place first: when that fails, nothing was changed.
mkdir -p "$files"
files="$(cd "$files" && pwd)"
fresh="$(mktemp -d "$files.restore.XXXXXX")"
trap 'rm -rf "$fresh"' EXIT
tar --extract --file="$folder/files_backup_$time.tar" --directory="$fresh" --no-same-owner

sql="$fresh.sql" list="$fresh.list"
trap 'rm -rf "$fresh" "$sql" "$list"' EXIT
# What only an administrator of the server may make is asked for afterwards, and may be refused.
pg_restore --list "$folder/$name" | grep -v ' EXTENSION .*pg_stat_statements' >"$list"
(
    umask 077
    # Another version of the program may have had other tables: all of the schema goes, not what the dump knows of.
    if [ "$tables" != 0 ]; then
        echo "DROP SCHEMA public CASCADE; CREATE SCHEMA public;"
    fi
    pg_restore --no-owner --no-privileges --use-list="$list" --file=- "$folder/$name"
    # Readers of events go on behind all that they have heard of, whatever this server's own count is. A backup of an older version does
    # not know of it; its migrations see to that.
    echo "DO \$\$ BEGIN IF to_regprocedure('public.rebase_events()') IS NOT NULL THEN SET LOCAL search_path = public; PERFORM rebase_events(); END IF; END \$\$;"
) >"$sql"
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --single-transaction --output=/dev/null --file="$sql"
psql --no-psqlrc --quiet --command='CREATE EXTENSION IF NOT EXISTS pg_stat_statements' >/dev/null 2>&1 ||
    echo "note: pg_stat_statements could not be created; the service does without" >&2

# The folder itself stays: it may be a mount.
find "$files" -mindepth 1 -maxdepth 1 -exec rm -rf {} +
find "$fresh" -mindepth 1 -maxdepth 1 -exec mv -t "$files" {} +
echo "복원 완료 (restored): $time"
