# Sourced by backup.sh and restore.sh: the database of DATAGENIE_DATABASE__URL as the environment variables of libpq, so that no password
# is ever in the list of processes.
if [ -n "${DATAGENIE_DATABASE__URL:-}" ]; then
    decode() {
        local text="${1//\\/\\\\}"
        printf '%b' "${text//%/\\x}"
    }
    [[ "$DATAGENIE_DATABASE__URL" =~ ^postgres(ql)?://(([^:@/]*)(:([^@/]*))?@)?([^:/?]*)(:([0-9]+))?(/([^?]*))?(\?(.*))?$ ]] ||
        die "DATAGENIE_DATABASE__URL is no postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
    parts=("${BASH_REMATCH[@]}")
    [ -z "${parts[3]}" ] || { PGUSER="$(decode "${parts[3]}")"; export PGUSER; }
    [ -z "${parts[5]}" ] || { PGPASSWORD="$(decode "${parts[5]}")"; export PGPASSWORD; }
    [ -z "${parts[6]}" ] || { PGHOST="$(decode "${parts[6]}")"; export PGHOST; }
    [ -z "${parts[8]}" ] || export PGPORT="${parts[8]}"
    [ -z "${parts[10]}" ] || { PGDATABASE="$(decode "${parts[10]}")"; export PGDATABASE; }
    IFS='&' read -r -a options <<<"${parts[12]:-}"
    for option in ${options[@]+"${options[@]}"}; do
        value="$(decode "${option#*=}")"
        case "${option%%=*}" in
            host) export PGHOST="$value" ;;
            port) export PGPORT="$value" ;;
            user) export PGUSER="$value" ;;
            password) export PGPASSWORD="$value" ;;
            dbname) export PGDATABASE="$value" ;;
            sslmode | ssl-mode) export PGSSLMODE="$value" ;;
            sslrootcert | ssl-root-cert) export PGSSLROOTCERT="$value" ;;
        esac
    done
fi
[ -n "${PGDATABASE:-}" ] || die "no database is named: set DATAGENIE_DATABASE__URL or PGDATABASE; see --help"
