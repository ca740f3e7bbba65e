#!/bin/sh
# Starts the server with users whose passwords are in /run/secrets; the file it makes holds their digests.
set -eu
secrets=${SECRETS_DIR:-/run/secrets}
acl=${ACL_FILE:-/run/users.acl}
here=$(dirname "$0")

digest() { tr -d '\n' < "$secrets/$1" | sha256sum | cut -d ' ' -f 1; }

umask 077
echo 'user default off resetpass resetkeys resetchannels -@all' > "$acl"
while read -r user rules; do
  echo "user $user on #$(digest "$user") resetchannels $rules" >> "$acl"
done < "$here/users"
if [ "$(id -u)" = 0 ] && [ -z "${KEEP_USER:-}" ]; then chown valkey "$acl"; fi
exec "$@"
