import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { newHost, until } from '../unit/net/hosts.ts'

const KAD_HAS_ASKED_MS = 4_000
const FOUND_MS = 60_000

test('OP-14 who joins by peers that hold nothing, before there is a holder, and can be dialled by nobody, finds those that come later', async (t) => {
  const first = await newHost(t, { holder: false, role: 'bootstrap' })
  const early = await newHost(t, { holder: false, listen: [], bootstrap: first.addresses() })
  await until(() => early.peers().length > 0)
  // kad-dht asks for its own place soon after the start, and then not for ten minutes.
  await sleep(KAD_HAS_ASKED_MS)
  await newHost(t, { bootstrap: first.addresses() })
  await until(() => early.routing.known(new Uint8Array(32), 1).length === 1, FOUND_MS)
})
