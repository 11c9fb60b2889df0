#!/usr/bin/env bash
# Backs up a DataGenie: its database, and its uploads and results. See --help.
set -euo pipefail

usage() {
    cat <<'HELP'
Backs up the system database and the file storage of a DataGenie. It may run while the service does.

  deploy/backup.sh [--to DIR] [--files DIR] [--keep DAYS]

  --to DIR      where backups are kept (BACKUP_DIR; /backup/datagenie)
  --files DIR   the file storage, the setting files.root (DATAGENIE_FILES__ROOT; .datagenie/files)
  --keep DAYS   backups older than this are deleted, once a new one is complete (BACKUP_KEEP_DAYS; 7)
  --help        this text

The database is named by the environment, never by an argument, which every user of the machine could read:
  DATAGENIE_DATABASE__URL, or PGHOST, PGPORT, PGDATABASE, PGUSER and PGPASSWORD (or ~/.pgpass) as libpq has them.

One backup is four files of the same time:
  full_backup_TIME.dump    the database, as pg_restore reads it (custom format, compressed)
  schema_backup_TIME.sql   its schema alone, as SQL, to be read by people
  files_backup_TIME.tar    uploads, results and pictures, as they are
  backup_TIME.sha256       the checksums of the three; written last: without it, a backup is not complete

The database comes first, the files after it. A row is written only after its file is there, and a file is deleted only after its row:
every file that a row of the dump names was there when the dump began. One that is deleted between the two (an expired result) is missed
by its row; the upkeep finds that, and its question can be asked again. Files that are newer than the dump are orphans after a restore,
which the upkeep deletes after a day.

The sealing key (DATAGENIE_SEALING__KEY) is in no backup. Keep it elsewhere: without it the restored service starts on no old
connection, and nothing opens their passwords again. Connections then have to be configured anew. See docs/backup.md.
HELP
}

die() {
    echo "backup.sh: $*" >&2
    exit 1
}

to="${BACKUP_DIR:-/backup/datagenie}"
files="${DATAGENIE_FILES__ROOT:-.datagenie/files}"
keep="${BACKUP_KEEP_DAYS:-7}"
while [ $# -gt 0 ]; do
    case "$1" in
        --help | -h) usage; exit 0 ;;
        --to | --files | --keep)
            [ $# -ge 2 ] || die "$1 needs a value; see --help"
            case "$1" in --to) to="$2" ;; --files) files="$2" ;; --keep) keep="$2" ;; esac
            shift 2 ;;
        *) die "unknown argument: $1; see --help" ;;
    esac
done
[[ "$keep" =~ ^[0-9]+$ ]] || die "--keep must be a number of days, not '$keep'"
[ -d "$files" ] || die "the file storage $files is no folder; name it with --files"
for program in pg_dump tar sha256sum; do
    command -v "$program" >/dev/null || die "$program is missing: install postgresql-client, tar and coreutils"
done
# shellcheck source=deploy/database-url.sh
source "$(dirname "${BASH_SOURCE[0]}")/database-url.sh"

umask 077
mkdir -p "$to"
exec 9>"$to/.lock"
flock -n 9 || die "another backup to $to is under way"
time="$(date +%Y%m%d_%H%M%S)"
full="full_backup_$time.dump" schema="schema_backup_$time.sql" tarball="files_backup_$time.tar" sums="backup_$time.sha256"
# What backups left that were killed: they would fill the disk, and the lock says that none is under way.
rm -rf "$to"/.part_*
part="$to/.part_$time"
trap 'rm -rf "$part"' EXIT
mkdir "$part"

pg_dump --format=custom --compress=9 --file="$part/$full"
pg_dump --schema-only --file="$part/$schema"
# What changes or goes while tar reads it is no error (exit 1): rows name only files that are complete and do not change.
status=0
tar --create --file="$part/$tarball" --directory="$files" --exclude='*#[0-9]*' --warning=no-file-changed --warning=no-file-removed . || status=$?
[ "$status" -le 1 ] || die "the files could not be read (tar: $status)"
(cd "$part" && sha256sum "$full" "$schema" "$tarball" >"$sums")
sync "$part/$full" "$part/$schema" "$part/$tarball" "$part/$sums"
mv "$part/$full" "$part/$schema" "$part/$tarball" "$to/"
mv "$part/$sums" "$to/"

find "$to" -maxdepth 1 -type f \( -name 'full_backup_*.dump' -o -name 'schema_backup_*.sql' -o -name 'files_backup_*.tar' -o -name 'backup_*.sha256' \) \
    -mtime +"$keep" -delete
echo "백업 완료 (backup complete): $time"
echo "$to/$full"
