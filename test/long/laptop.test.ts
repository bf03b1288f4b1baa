/** Life on a laptop: it sleeps, its cable is pulled, its router loses the line; mail flows again within seconds, and none is lost. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { TestContext } from 'node:test'
import { Cable, hasCables } from '../support/cable.ts'
import { befriend, pause, startAll, Testbed, until } from '../support/daemons.ts'
import type { Daemon } from '../support/daemons.ts'

const BACK_MS = 60_000
const bed = new Testbed()
/** Where there are no namespaces the laptop stands among the others, and only sleeps. */
const cable = hasCables() ? new Cable() : undefined
let alice: Daemon
let laptop: Daemon
let aliceId = ''
let laptopId = ''

before(async () => {
  const near = cable === undefined ? [] : ['--listen', `/ip4/${cable.near}/tcp/0`]
  const first = bed.daemon('bootstrap', { passphrase: null, flags: near })
  const status = await first.start()
  const bootstrap = status.addresses.filter((address) => cable === undefined || address.includes(cable.near))
  const holders = [1, 2, 3].map((n) => bed.daemon(`holder${n}`, { passphrase: null, flags: near }))
  alice = bed.daemon('alice', { flags: [...near, '--no-holder'] })
  const far = cable === undefined ? [] : ['--listen', `/ip4/${cable.far}/tcp/0`]
  const inside = cable === undefined ? {} : { inside: cable.inside }
  laptop = bed.daemon('laptop', { flags: [...far, '--no-holder'], bootstrap, ...inside })
  await startAll([...holders, alice, laptop])
  await Promise.all([alice.createIdentity(), laptop.createIdentity()])
  await befriend(alice, laptop)
  aliceId = await alice.accountId()
  laptopId = await laptop.accountId()
})
after(async () => {
  await bed.close()
  cable?.remove()
})

interface Talk {
  readonly said: string[]
  readonly ids: string[]
}

async function say(talk: Talk, text: string): Promise<void> {
  talk.said.push(text)
  talk.ids.push((await alice.send(laptopId, text)).id)
}

/** What was said comes in order, each once, and is acknowledged. Says how long all that took. */
async function allArrive(t: TestContext, { said, ids }: Talk): Promise<void> {
  const begun = Date.now()
  const heard = await until(
    'everything is heard',
    async () => {
      const texts = (await laptop.messages(aliceId)).filter(({ outgoing }) => !outgoing).map(({ text }) => text)
      return said.every((text) => texts.includes(text)) ? texts : undefined
    },
    BACK_MS,
  )
  t.diagnostic(`${said.length} messages heard ${Date.now() - begun} ms after the network came back`)
  assert.deepEqual(
    heard.filter((text) => said.includes(text)),
    said,
  )
  for (const id of ids) await alice.reaches(id, 'delivered', BACK_MS)
}

/** How long (ms) it takes until the laptop has a connection that answers. */
async function reconnects(t: TestContext): Promise<void> {
  const begun = Date.now()
  await until('the laptop has peers', async () => (await laptop.status()).peers > 0, BACK_MS)
  t.diagnostic(`peers again after ${Date.now() - begun} ms`)
  const { id } = await laptop.send(aliceId, `back at ${begun}`)
  await laptop.reaches(id, 'delivered', BACK_MS)
  t.diagnostic(`a message from it delivered after ${Date.now() - begun} ms`)
}

test('DT-15 a daemon that slept for half a minute reads what came meanwhile, and is reached at once', async (t) => {
  const talk: Talk = { said: [], ids: [] }
  process.kill(laptop.pid ?? assert.fail(), 'SIGSTOP')
  for (let i = 0; i < 5; i++) await say(talk, `while you slept, ${i}`)
  await pause(30_000)
  process.kill(laptop.pid ?? assert.fail(), 'SIGCONT')
  await allArrive(t, talk)
  await reconnects(t)
  assert.match(laptop.log, /the machine slept/)
})

if (cable !== undefined) {
  test('DT-15 the cable is pulled for twenty seconds: the change is seen, and everything goes on', async (t) => {
    const talk: Talk = { said: [], ids: [] }
    cable.pull()
    for (let i = 0; i < 5; i++) await say(talk, `without a cable, ${i}`)
    await pause(20_000)
    cable.plug()
    await Promise.all([reconnects(t), allArrive(t, talk)])
    // Everything may be back before the next look at the interfaces.
    await until('the change is seen', async () => laptop.log.includes('"change":"interfaces"'), BACK_MS)
  })

  test('DT-15 the line is dead for sixty seconds and no interface says so: delivery resumes by itself', async (t) => {
    const talk: Talk = { said: [], ids: [] }
    cable.silence()
    for (let i = 0; i < 5; i++) await say(talk, `on a dead line, ${i}`)
    await until('the laptop notices', async () => (await laptop.status()).peers === 0, 40_000)
    await pause(60_000)
    cable.speak()
    await Promise.all([reconnects(t), allArrive(t, talk)])
  })

  test('DT-15 a link that flaps ten times loses nothing and keeps the order', async (t) => {
    const talk: Talk = { said: [], ids: [] }
    for (let i = 0; i < 10; i++) {
      cable.pull()
      await say(talk, `down, ${i}`)
      await pause(1_000)
      cable.plug()
      await say(talk, `up, ${i}`)
      await pause(1_000)
    }
    await allArrive(t, talk)
    await reconnects(t)
  })
}
