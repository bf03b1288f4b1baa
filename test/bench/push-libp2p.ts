/** What a push is measured against: 4 KiB there and back on one open stream of bare libp2p, over the same link. One order, `echo`. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Stream, StreamMessageEvent } from '@libp2p/interface'
import { LOCAL } from '../../src/lib/network-profile.ts'
import { createNode } from '../../src/net/libp2p-node.ts'
import type { Node } from '../../src/net/libp2p-node.ts'
import { tlsLink } from '../../src/net/link/tls-link.ts'
import { ROLES } from '../../src/lib/roles.ts'
import { percentile, timed } from './harness.ts'
import type { BenchSide } from './side-types.ts'

const ECHO = '/sotto-bench/echo/1'
const MESSAGE_BYTES = 4_096

async function newNode(): Promise<Node> {
  const node = await createNode({
    privateKey: await generateKeyPair('Ed25519'),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    announce: [],
    role: ROLES.peer,
    profile: LOCAL,
    kadId: '/sotto-bench/kad/1',
    encrypters: [tlsLink()],
    trustedAddresses: new Set(),
  })
  await node.start()
  return node
}

/** Sends it and waits until as much came back. */
async function echo(stream: Stream, message: Uint8Array): Promise<void> {
  await new Promise<void>((resolve) => {
    let missing = message.length
    const take = (event: StreamMessageEvent): void => {
      missing -= event.data.byteLength
      if (missing > 0) return
      stream.removeEventListener('message', take)
      resolve()
    }
    stream.addEventListener('message', take)
    stream.send(message)
  })
}

export async function open(): Promise<BenchSide> {
  const [near, far] = [await newNode(), await newNode()]
  await far.handle(ECHO, (stream) => {
    stream.addEventListener('message', (event) => {
      stream.send(event.data)
    })
  })
  const stream = await near.dialProtocol(far.getMultiaddrs(), ECHO)
  const message = new Uint8Array(MESSAGE_BYTES)
  return {
    info: '',
    turn: async (_order, count) => {
      const times = await timed(count, async () => echo(stream, message))
      return { p50: percentile(times, 50), p95: percentile(times, 95) }
    },
    close: async () => {
      await Promise.all([near.stop(), far.stop()])
    },
  }
}
