/** STUN servers of the tests. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { stunAnswer, stunRequestIn } from '../../../src/wire/stun.ts'
import type { StunAddress } from '../../../src/wire/stun.ts'

/** One that says what the test wants it to say, or nothing. */
export async function stunServer(t: TestContext, seen?: StunAddress, ip = '127.0.0.1') {
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  socket.bind(0, ip)
  await once(socket, 'listening')
  let asked = 0
  socket.on('message', (bytes, from) => {
    asked++
    const transaction = stunRequestIn(bytes)
    if (transaction !== undefined && seen !== undefined)
      socket.send(stunAnswer(transaction, seen), from.port, from.address)
  })
  const { port } = socket.address()
  return { at: { ip, port }, address: `/ip4/${ip}/tcp/${port}`, asked: () => asked }
}
