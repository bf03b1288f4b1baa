import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Dice } from '../../chaos/dice.ts'
import { Faults } from '../../chaos/faults.ts'
import { ApiDaemon } from '../../support/api-daemon.ts'
import type { StatusView } from '../../../src/api/application/account.ts'

/** Notes what is done to it, and refuses what makes no sense. */
class Dummy extends ApiDaemon {
  readonly home = '/nowhere'
  readonly peerId = 'nobody'
  readonly memoryBytes = 0
  readonly done: string[] = []
  readonly name: string
  running = true
  hindered = false

  constructor(name: string) {
    super()
    this.name = name
  }

  async start(): Promise<StatusView> {
    this.#note('start', !this.running)
    this.running = true
    return {} as StatusView
  }
  async kill(): Promise<void> {
    this.#note('kill', this.running)
    this.running = false
  }
  async stop(): Promise<number> {
    this.#note('stop', this.running)
    this.running = false
    return 0
  }
  async freeze(): Promise<void> {
    this.hinder('freeze')
  }
  async thaw(): Promise<void> {
    this.free('thaw')
  }
  async readLog(): Promise<string> {
    return ''
  }
  async api<T>(): Promise<T> {
    throw new TypeError('nobody listens')
  }

  hinder(what: string): void {
    this.#note(what, this.running && !this.hindered)
    this.hindered = true
  }
  free(what: string): void {
    this.#note(what, this.hindered)
    this.hindered = false
  }
  #note(what: string, sensible: boolean): void {
    assert.ok(
      sensible && (!this.hindered || what === 'thaw' || what === 'mend'),
      `${what} after ${this.done.join(' ')}`,
    )
    this.done.push(what)
  }
}

class Wired extends Dummy {
  async cut(): Promise<void> {
    this.hinder('cut')
  }
  async mend(): Promise<void> {
    this.free('mend')
  }
}

test('TE-03 whoever is killed, stopped, frozen or cut off comes back, one trouble at a time', async () => {
  const daemons = [new Dummy('a'), new Dummy('b'), new Wired('c'), new Wired('d')]
  const violations: string[] = []
  const faults = new Faults({
    daemons,
    dice: new Dice(3),
    mix: { freeze: 1, stop: 1, cut: 1, kill: 1 },
    everyMs: 1,
    awayMax: 2,
    violation: (what) => violations.push(what),
  })
  let total = 0
  while (total < 60) {
    await faults.run(Date.now() + 20)
    total = Object.values(faults.counts()).reduce((sum, count) => sum + count, 0)
  }
  assert.deepEqual(violations, [])
  assert.ok(daemons.every((daemon) => daemon.running && !daemon.hindered && !faults.isAway(daemon)))
  const begun = daemons.flatMap(({ done }) => done).filter((what) => ['kill', 'stop', 'freeze', 'cut'].includes(what))
  assert.equal(begun.length, total)
  const { kills = 0, stops = 0, freezes = 0, cuts = 0 } = faults.counts()
  assert.ok(Math.min(kills, stops, freezes, cuts) > 0, JSON.stringify(faults.counts()))
  assert.ok(
    daemons.slice(0, 2).every(({ done }) => !done.includes('cut')),
    'who has no wire is killed instead',
  )
})
