/** The story that the demo tells, step by step, on real daemons. Each step throws where it does not hold. */
import assert from 'node:assert/strict'
import type { MessageView } from '../../src/api/application/messages.ts'
import { canary, searchTrees } from '../support/canary.ts'
import { befriend, knowEnough, startAll, until } from '../support/daemons.ts'
import type { Daemon, Testbed } from '../support/daemons.ts'
import { heldOnDisk } from '../support/holder-disk.ts'
import type { HeldIds } from '../support/holder-disk.ts'
import type { Reporter } from './reporter.ts'

const REPLICAS = 5
/** Messages after the first, for the latency of an open stream. */
const MORE = 9
const short = (id: string): string => id.slice(-6)

export class Story {
  readonly #bed: Testbed
  readonly #reporter: Reporter
  readonly #first: Daemon
  readonly #alice: Daemon
  readonly #bob: Daemon
  readonly #carol: Daemon
  readonly #accounts = new Map<Daemon, string>()
  readonly #secret = canary()
  #letter: MessageView | undefined
  #letterId = ''
  #receipts: readonly Daemon[] = []
  #survivor: Daemon | undefined

  constructor(bed: Testbed, reporter: Reporter, daemons: number) {
    this.#bed = bed
    this.#reporter = reporter
    this.#first = bed.daemon('bootstrap', { passphrase: null })
    for (let i = 1; i <= daemons - 4; i++) bed.daemon(`holder${i}`, { passphrase: null })
    this.#alice = bed.daemon('alice')
    this.#bob = bed.daemon('bob')
    this.#carol = bed.daemon('carol')
  }

  async tell(): Promise<void> {
    const step = this.#reporter.step.bind(this.#reporter)
    await step('The network comes up', (progress) => this.#networkUp(progress))
    await step('Alice, Bob and Carol make their accounts', () => this.#identities())
    await step("Alice finds Bob's account in the DHT", () => this.#findBob())
    await step('They become contacts', () => this.#befriend(this.#alice, this.#bob, 'account'))
    await step('A direct message and its reply', () => this.#talk())
    await step('Alice and Carol become contacts', () => this.#befriend(this.#alice, this.#carol, 'invite'))
    await step("Carol's daemon is stopped", () => this.#stop(this.#carol))
    await step('Alice writes to Carol: five receipts', () => this.#write())
    await step("Alice's daemon is stopped", () => this.#stop(this.#alice))
    await step('Four of the five holders are killed', () => this.#killFour())
    await step('Carol starts and reads it', () => this.#read())
    await step('The letter is gone from the survivor', () => this.#gone())
    await step('A canary search over every disk', () => this.#search())
    await step('All daemons stop', () => this.#stopAll())
  }

  async #networkUp(progress: (text: string) => void) {
    const all = this.#bed.daemons
    await this.#first.start()
    const others = all.filter((daemon) => daemon !== this.#first)
    const shown = setInterval(() => {
      progress(`${all.filter((daemon) => daemon.peerId !== '').length}/${all.length}`)
    }, 100)
    try {
      await startAll(others)
    } finally {
      clearInterval(shown)
    }
    // With fewer than this the five nearest of an address would not be five.
    await knowEnough(this.#bed, REPLICAS + 1)
    return { shown: `${all.length} daemons on loopback, joined by one bootstrap`, facts: { daemons: all.length } }
  }

  async #identities() {
    const people = [this.#alice, this.#bob, this.#carol]
    const made = await Promise.all(people.map((person) => person.createIdentity()))
    for (const [i, person] of people.entries()) this.#accounts.set(person, made[i]?.accountId ?? '')
    return { shown: made.map(({ accountId }) => `${accountId.slice(0, 12)}…`).join('  ') }
  }

  async #findBob() {
    const bob = this.#account(this.#bob)
    const startedMs = performance.now()
    const keys = await until('the account is found', () => this.#alice.lookup(bob))
    const tookMs = Math.round(performance.now() - startedMs)
    assert.equal(keys.accountId, bob)
    assert.equal(keys.devices.length, 1)
    return {
      shown: `card ${keys.number}, ${keys.devices.length} device, in ${tookMs} ms`,
      facts: { milliseconds: tookMs },
    }
  }

  async #befriend(asker: Daemon, asked: Daemon, by: 'invite' | 'account') {
    const request = await befriend(asker, asked, by)
    const how = by === 'invite' ? 'by an invite link' : 'with a stamp, as a stranger does'
    return { shown: `${asker.name} asked ${how} (“${request.note}”), ${asked.name} accepted`, facts: { by } }
  }

  async #talk() {
    const first = await this.#exchange(this.#alice, this.#bob, 'Hello Bob, can you read this?')
    const reply = await this.#exchange(this.#bob, this.#alice, 'Every word of it.')
    const more: number[] = []
    for (let i = 1; i <= MORE; i++) more.push(await this.#exchange(this.#alice, this.#bob, `And this, ${i}?`))
    const median = more.toSorted((a, b) => a - b)[Math.floor(MORE / 2)] ?? 0
    const facts = { messageMs: first, replyMs: reply, medianMs: median }
    const shown = `direct, to the receipt: ${first} ms with the dial, ${reply} ms the reply, then ${median} ms (median of ${MORE})`
    return { shown, facts }
  }

  /** From the call to the recipient's own receipt, in ms. */
  async #exchange(from: Daemon, to: Daemon, text: string): Promise<number> {
    const startedMs = performance.now()
    const { id } = await from.send(this.#account(to), text)
    let message = await from.message(id)
    while (message.status !== 'delivered' && message.status !== 'read') {
      assert.ok(performance.now() - startedMs < 20_000, `the message is still ${message.status}`)
      message = await from.message(id)
    }
    const tookMs = Math.round(performance.now() - startedMs)
    assert.equal(message.path, 'direct')
    await to.receives(this.#account(from), text)
    return tookMs
  }

  async #stop(daemon: Daemon) {
    assert.equal(await daemon.stop(), 0, `${daemon.name} ends with exit code 0`)
    return { shown: `${daemon.name} is away` }
  }

  async #write() {
    const before = await this.#held()
    const sent = await this.#alice.send(this.#account(this.#carol), `When you are back: ${this.#secret}`)
    this.#letter = await until<MessageView>('five receipts', async () => {
      const message = await this.#alice.message(sent.id)
      return message.stored === REPLICAS ? message : undefined
    })
    assert.deepEqual([this.#letter.status, this.#letter.storedOf, this.#letter.path], ['stored', REPLICAS, 'mailbox'])
    const why = await this.#alice.why(sent.id)
    const peerIds = (why.devices[0]?.holders ?? []).map(({ peerId }) => peerId)
    assert.equal(new Set(peerIds).size, REPLICAS)
    this.#receipts = peerIds.map(
      (peerId) => this.#bed.daemons.find((daemon) => daemon.peerId === peerId) ?? assert.fail(peerId),
    )
    assert.ok(!this.#receipts.includes(this.#alice) && !this.#receipts.includes(this.#carol), 'neither end holds it')
    this.#letterId = await this.#newLetter(before)
    const names = this.#receipts.map(({ name, peerId }) => `${name} …${short(peerId)}`)
    return { shown: `stored 5/5: ${names.join(', ')}`, facts: { holders: peerIds, letter: this.#letterId } }
  }

  /** The one letter that all five disks have now and none had before. */
  async #newLetter(before: ReadonlyMap<Daemon, HeldIds>): Promise<string> {
    const after = await this.#held()
    const fresh = this.#receipts.map((daemon) =>
      [...(after.get(daemon)?.letters ?? [])].filter((id) => before.get(daemon)?.letters.has(id) === false),
    )
    const common = (fresh[0] ?? []).filter((id) => fresh.every((ids) => ids.includes(id)))
    assert.equal(common.length, 1, 'one new letter, on five disks')
    return common[0] ?? ''
  }

  async #killFour() {
    // The survivor also lets Carol in: where the bootstrap is among the five, it is the one that lives.
    const survivor = this.#receipts.find((daemon) => daemon === this.#first) ?? this.#receipts[0] ?? assert.fail()
    const victims = this.#receipts.filter((daemon) => daemon !== survivor)
    await Promise.all(victims.map((daemon) => daemon.kill()))
    for (const daemon of victims) assert.ok((await heldOnDisk(daemon.home)).letters.has(this.#letterId))
    this.#survivor = survivor
    const names = victims.map(({ name }) => name)
    return {
      shown: `SIGKILL: ${names.join(', ')}; ${survivor.name} is left`,
      facts: { killed: names, survivor: survivor.name },
    }
  }

  async #read() {
    const startedMs = performance.now()
    await this.#carol.start()
    const text = `When you are back: ${this.#secret}`
    const message = await this.#carol.receives(this.#account(this.#alice), text, 45_000)
    const seconds = Math.round((performance.now() - startedMs) / 100) / 10
    assert.equal(message.id, this.#letter?.id)
    const unread = (await this.#carol.messages(this.#account(this.#alice))).filter((one) => one.text === text)
    assert.equal(unread.length, 1, 'once')
    return { shown: `word for word, ${seconds} s after her daemon was started`, facts: { seconds } }
  }

  async #gone() {
    const survivor = this.#survivor ?? assert.fail()
    const held = await until('the letter is deleted', async () => {
      const now = await heldOnDisk(survivor.home)
      return now.letters.has(this.#letterId) ? undefined : now
    })
    assert.ok(held.tombstones.has(this.#letterId), 'its tombstone stays, so that no copy can come back')
    return { shown: `${survivor.name} keeps only its tombstone`, facts: { survivor: survivor.name } }
  }

  async #search() {
    const { files, bytes, found } = searchTrees([this.#bed.root], this.#secret)
    assert.deepEqual(found, [])
    assert.ok(files > this.#bed.daemons.length && bytes > 10_000, 'there was something to search')
    const size = `${(bytes / 2 ** 20).toFixed(1)} MiB`
    return { shown: `not in any of ${files} files (${size}), plain or encoded`, facts: { files, bytes } }
  }

  async #stopAll() {
    const running = this.#bed.daemons.filter((daemon) => daemon.running).length
    await this.#bed.stopAll()
    assert.ok(this.#bed.daemons.every((daemon) => !daemon.running))
    return { shown: `${running} ended in good order` }
  }

  async #held(): Promise<ReadonlyMap<Daemon, HeldIds>> {
    const running = this.#bed.daemons.filter((daemon) => daemon.running)
    return new Map(await Promise.all(running.map(async (daemon) => [daemon, await heldOnDisk(daemon.home)] as const)))
  }

  #account(person: Daemon): string {
    return this.#accounts.get(person) ?? assert.fail(`${person.name} has no account`)
  }
}
