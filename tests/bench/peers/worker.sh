#!/bin/sh
# One worker and one scheduler. The scheduler becomes the worker's child, so the harness counts both and no shell with them.
set -eu
. "$(dirname "$0")/environment.sh"
"$TARGET_BIN/datagenie-scheduler" &
exec "$TARGET_BIN/datagenie-worker"
