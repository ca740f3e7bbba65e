#!/bin/bash
# Starts one node: settings from server.properties, what differs from the environment (NODE_ID), passwords from
# /run/secrets. The first time it makes the data folder, with the two users the servers need.
set -euo pipefail
umask 077

home=${KAFKA_HOME:-/opt/kafka}
secrets=${SECRETS_DIR:-/run/secrets}
data=${DATA_DIR:-/var/lib/kafka/data}
work=${WORK_DIR:-/home/appuser/run}
here=$(dirname "$0")
settings=$work/server.properties

if [ "$(id -u)" = 0 ] && [ -z "${KEEP_USER:-}" ]; then
  # Secrets are readable by whoever owns them on the host; the broker itself is nobody special.
  mkdir -p "$work"
  rm -rf "$work/secrets"
  cp -rL "$secrets" "$work/secrets"
  chown -R appuser "$work" "$data"
  exec su appuser -s /bin/bash -c "SECRETS_DIR=$work/secrets exec $0"
fi

mkdir -p "$work"
broker=$(cat "$secrets/instashop-broker")
login="username=\"instashop-broker\" password=\"$broker\""
scram="org.apache.kafka.common.security.scram.ScramLoginModule required $login;"
plain="org.apache.kafka.common.security.plain.PlainLoginModule required $login user_instashop-broker=\"$broker\";"
{
  cat "$here/server.properties"
  echo
  echo "node.id=$NODE_ID"
  echo "listeners=$LISTENERS"
  echo "advertised.listeners=$ADVERTISED_LISTENERS"
  echo "controller.quorum.voters=$QUORUM_VOTERS"
  echo "log.dirs=$data/log"
  echo "listener.name.client.scram-sha-256.sasl.jaas.config=$scram"
  echo "listener.name.broker.scram-sha-256.sasl.jaas.config=$scram"
  echo "listener.name.controller.plain.sasl.jaas.config=$plain"
} > "$settings"

if [ ! -e "$data/log/meta.properties" ]; then
  # Through a file: in the command line everybody could read the passwords.
  {
    printf 'format\n-t\n%s\n-c\n%s\n' "$CLUSTER_ID" "$settings"
    for user in instashop-admin instashop-broker; do
      printf -- '--add-scram\nSCRAM-SHA-256=[name=%s,password=%s]\n' "$user" "$(cat "$secrets/$user")"
    done
  } > "$work/format.args"
  "$home/bin/kafka-run-class.sh" kafka.tools.StorageTool "@$work/format.args"
  rm "$work/format.args"
fi
exec "$home/bin/kafka-server-start.sh" "$settings"
