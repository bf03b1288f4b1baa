#!/bin/sh
# A router of the simulation.
#   GATEWAYS   addresses to be the gateway at, each with its prefix; Docker gave them to everybody there as default route
#   NAT        cone | symmetric | tcponly: what goes from LAN to WAN gets the router's address; absent: a plain router
#   UPLINK     next router; LAN: the prefix behind the NAT
#
#   router cut A/16,B/16 C/16   (docker exec) no packet between the two sides any more
#   router heal
set -eu

cut() {
  nft -f - <<RULES
table inet cut
delete table inet cut
table inet cut {
  chain forward { type filter hook forward priority -10; policy accept
    ip saddr { $1 } ip daddr { $2 } drop
    ip saddr { $2 } ip daddr { $1 } drop
  }
}
RULES
}

# Unsolicited packets are dropped in silence, as routers at home do: one that answered would break simultaneous opening.
translate() {
  flags= only=
  case $NAT in
    cone) ;;
    symmetric) flags=fully-random ;;
    tcponly) only='meta l4proto udp drop' ;;
    *) echo "router: unknown NAT $NAT" >&2; exit 1 ;;
  esac
  nft -f - <<RULES
flush ruleset
table ip nat {
  chain post { type nat hook postrouting priority srcnat; ip saddr $LAN ip daddr != $LAN masquerade $flags
  }
}
table inet filter {
  chain input { type filter hook input priority filter; policy drop; ct state established,related accept; iifname lo accept; ip saddr $LAN accept; icmp type echo-request accept
  }
  chain forward { type filter hook forward priority filter; policy drop; $only
    ct state established,related accept
    ip saddr $LAN accept
  }
}
RULES
}

case ${1:-run} in
  cut) cut "$2" "$3"; exit ;;
  heal) nft 'table inet cut; delete table inet cut'; exit ;;
esac

trap 'exit 0' TERM INT
for gateway in $GATEWAYS; do
  device=$(ip -o route get "${gateway%/*}" | sed -n 's/.* dev \([^ ]*\).*/\1/p')
  ip address replace "$gateway" dev "$device"
done
if [ -n "${UPLINK:-}" ]; then ip route replace default via "$UPLINK"; else ip route del default 2>/dev/null || true; fi
if [ -n "${NAT:-}" ]; then translate; fi
: > /run/routes
while :; do sleep 3600 & wait $!; done
