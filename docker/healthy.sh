#!/bin/bash
# For HEALTHCHECK: exit code 0 where the daemon of this home answers. Bash alone, so that asking costs next to nothing.
set -eu
read -r file < "${SOTTO_HOME:-/data}/api.json"
host=${file#*'"host":"'} host=${host%%'"'*}
port=${file#*'"port":'} port=${port%%[,\}]*}
name=$host
case $host in *:*) name="[$host]" ;; esac
exec 3<> "/dev/tcp/$host/$port"
printf 'GET /healthz HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\n\r\n' "$name" "$port" >&3
read -r -t 15 _ status _ <&3
[ "$status" = 200 ]
