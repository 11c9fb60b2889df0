#!/bin/sh
# The api, in the foreground.
set -eu
. "$(dirname "$0")/environment.sh"
exec "$TARGET_BIN/datagenie-api" serve
