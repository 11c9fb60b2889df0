# shellcheck shell=sh
# Sourced by the other scripts: the environment of our programs on the harness' servers.
# Wants PB_PG and PB_REDIS (as the harness), TARGET_BIN (the folder of our programs) and TARGET_STATE (a folder for keys and files).
# DATAGENIE_… settings of the caller are handed on; what is set here wins.

: "${PB_PG:?set PB_PG, as the harness wants it}" "${PB_REDIS:?set PB_REDIS, as the harness wants it}"
: "${TARGET_BIN:?set TARGET_BIN to the folder of datagenie-api, datagenie-worker and datagenie-scheduler}"
: "${TARGET_STATE:?set TARGET_STATE to a folder for keys and files}"
TARGET_DATABASE=${TARGET_DATABASE:-peer_datagenie}
# The harness' peers take five numbers from PB_REDIS_DB on; the sixth is ours.
TARGET_REDIS=${TARGET_REDIS:-${PB_REDIS%/}/$((${PB_REDIS_DB:-10} + 5))}
TARGET_BROKER=${TARGET_BROKER:-redis}
TARGET_PORT=${TARGET_PORT:-39090}
TARGET_DSN=${PB_PG%/}/$TARGET_DATABASE

export DATAGENIE_DATABASE__URL=$TARGET_DSN DATAGENIE_REDIS__URL=$TARGET_REDIS
export DATAGENIE_API__HOST=127.0.0.1 DATAGENIE_API__PORT=$TARGET_PORT
export DATAGENIE_FILES__ROOT=$TARGET_STATE/files
# The stub takes any key; an address of its own is what turns the offline planner off.
export DATAGENIE_LLM__BASE_URL=${LLM_BASE:-http://${PB_LLM_ADDR:-127.0.0.1:39001}/v1} DATAGENIE_LLM__API_KEY=${DATAGENIE_LLM__API_KEY:-stub}
if [ -f "$TARGET_STATE/sealing.key" ]; then
  DATAGENIE_SEALING__KEY=$(cat "$TARGET_STATE/sealing.key")
  export DATAGENIE_SEALING__KEY
fi
case $TARGET_BROKER in
redis) export DATAGENIE_BROKER__URL=$TARGET_REDIS ;;
rabbitmq)
  export DATAGENIE_BROKER__URL=${PB_AMQP:?set PB_AMQP to the address of a running RabbitMQ}
  # Queues of their own after each reset, so that no phase begins with the bells of the one before.
  DATAGENIE_BROKER__NAMESPACE=bench-$(cat "$TARGET_STATE/reset" 2>/dev/null || echo 0)
  export DATAGENIE_BROKER__NAMESPACE
  ;;
*)
  echo "TARGET_BROKER is $TARGET_BROKER; it must be redis or rabbitmq" >&2
  exit 2
  ;;
esac
