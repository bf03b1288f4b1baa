#!/usr/bin/env bash
# Two daemons on one machine: a handshake, a message, its answer, and what is proved of it. About twenty seconds.
#
#     src/examples/two-peers.sh          # SOTTO="npx sotto" for an installed one
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SOTTO=${SOTTO:-node $here/../cli/main.ts}
work=$(mktemp -d)
daemons=()
finish() {
  local outcome=$?
  if [ "$outcome" -ne 0 ]; then tail -n 3 "$work"/*.log >&2; fi
  for pid in "${daemons[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait || true
  rm -rf "$work"
}
trap finish EXIT

# One passphrase for both; in life it is asked for, or read from a file (--passphrase-file).
export SOTTO_PASSPHRASE='a passphrase for an hour'
as() { # as NAME verb…
  local name=$1
  shift
  $SOTTO "$@" --home "$work/$name"
}
start() { # start NAME [bootstrap address]
  # exec: what is killed at the end is the daemon, and not a shell around it.
  (exec $SOTTO daemon --network local --no-mdns --listen /ip4/127.0.0.1/tcp/0 ${2:+--bootstrap "$2"} --home "$work/$1") >"$work/$1.log" 2>&1 &
  daemons+=($!)
}
field() { node -p "JSON.parse(require('fs').readFileSync(0, 'utf8')).$1"; }

for name in alice bob; do as "$name" init --quiet >"$work/$name.phrase"; done

start alice
as alice wait --for=up --quiet
start bob "$(as alice status --json | field 'addresses[0]')"
as bob wait --for=ready --quiet
as alice wait --for=ready --quiet

echo "== alice asks bob by his link, bob accepts"
as alice contact add "$(as bob invite --token --json | field link)" bob --note 'alice here'
alice=$(as alice id --json | field accountId)
until as bob contact accept "$alice" alice 2>/dev/null; do sleep 0.5; done
until as alice contact list --json | grep -q accepted; do sleep 0.5; done

echo "== alice writes, bob reads and answers"
id=$(as alice send bob 'hello from the other terminal' --json | field id)
as alice wait --for="delivered=$id"
as bob read alice
as bob send alice 'and hello to you'
until as alice read bob | tee "$work/read" | grep -q 'and hello to you'; do sleep 0.5; done
cat "$work/read"

echo "== what alice can prove"
as alice msg why "$id"
echo "two-peers: done"
