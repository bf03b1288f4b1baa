/** Where a daemon is killed: in each of the things that it does, at a moment that nobody chose. */
import { setTimeout as sleep } from 'node:timers/promises'
import { PASSPHRASE, until } from '../support/daemons.ts'
import type { ApiDaemon } from '../support/api-daemon.ts'
import { heldOnDisk } from '../support/holder-disk.ts'
import type { Scene } from './scene.ts'

export const ROLES = ['put', 'serve', 'repair', 'collect', 'delete', 'rotate'] as const
export type Role = (typeof ROLES)[number]

/** One kill; says how often somebody was killed. `turn` counts the kills of this role. */
type Kill = (scene: Scene, turn: number) => Promise<number>

const PUT_MS = 600
const SERVE_MS = 250
const REPAIR_MS = 2_000
const START_MS = 300
const COLLECT_MS = 1_800
const DELETE_MS = 500
const TAKE_BACK_MS = 250
const ROTATE_MS = 2_500
const LETTERS = 4
const ARRIVES_MS = 60_000

export const KILLS: Readonly<Record<Role, Kill>> = {
  /** The sender, between any two steps of its loop; Bob is there in every other turn. */
  put: async (scene, turn) => {
    const { alice, bob, dice } = scene
    await (turn % 2 === 0 ? scene.present(bob) : scene.absent(bob))
    await scene.present(alice)
    const accepted: string[] = []
    const sending = untilDead(async () => {
      accepted.push((await scene.say(alice, `put ${turn}`)).id ?? '')
    })
    await sleep(dice.below(PUT_MS))
    await alice.kill()
    await sending
    const there = new Set((await scene.look(alice)).messages.map(({ id }) => Buffer.from(id).toString('hex')))
    for (const id of accepted) if (!there.has(id)) scene.loss(`${id} was accepted, and is gone`)
    await scene.present(alice)
    return 1
  },

  /** Two holders while letters come in. */
  serve: async (scene, turn) => {
    const { alice, bob, dice, holders } = scene
    await scene.absent(bob)
    await scene.present(alice)
    const victims = dice.some(holders, 2)
    const storing = scene.letters4Bob(LETTERS, `serve ${turn}`)
    await sleep(dice.below(SERVE_MS))
    await Promise.all(victims.map(async (holder) => holder.kill()))
    await storing
    for (const holder of victims) await scene.receiptsHold(holder)
    await Promise.all(victims.map(async (holder) => holder.start()))
    return victims.length
  },

  /** Two holders, one after the other, so that the second dies while the neighbours make up for the first. */
  repair: async (scene, turn) => {
    const { alice, bob, dice, holders } = scene
    await scene.absent(bob)
    await scene.present(alice)
    if (turn === 0) await scene.letters4Bob(LETTERS, 'repair')
    const victims = dice.some(holders, 2)
    for (const holder of victims) {
      const before = await heldOnDisk(holder.home)
      await sleep(dice.below(REPAIR_MS))
      await holder.kill()
      await scene.keeps(holder, before)
      await scene.receiptsHold(holder)
    }
    await Promise.all(victims.map(async (holder) => holder.start()))
    return victims.length
  },

  /** The reader, from its start on, while letters wait for it. */
  collect: async (scene, turn) => {
    const { bob, dice } = scene
    await scene.absent(bob)
    await scene.present(scene.alice)
    await scene.letters4Bob(LETTERS, `collect ${turn}`)
    const before = await scene.readerKept(new Set())
    const starting = bob.start().catch(() => {})
    await sleep(dice.between(START_MS, COLLECT_MS))
    await bob.kill()
    await starting
    await scene.readerKept(before)
    return 1
  },

  /** Who deletes at the holders: the reader once it has read, the sender that takes back, the sender of what is read. */
  delete: async (scene, turn) => {
    if (turn % 3 === 1) return killedTakingBack(scene, turn)
    const { alice, bob, dice } = scene
    await scene.absent(bob)
    await scene.present(alice)
    await scene.letters4Bob(LETTERS, `delete ${turn}`)
    const before = await scene.readerKept(new Set())
    await bob.start()
    await until('Bob has read something', async () => (await receivedBy(scene, bob)) > before.size, ARRIVES_MS)
    await sleep(dice.below(DELETE_MS))
    await (turn % 3 === 0 ? bob : alice).kill()
    await scene.readerKept(before)
    return 1
  },

  /** The account: afterwards it is the old one or the new one, whole, and its contact reaches it. */
  rotate: async (scene, turn) => {
    const person = turn % 2 === 0 ? scene.alice : scene.bob
    await scene.present(scene.alice)
    await scene.present(scene.bob)
    const before = scene.account(person)
    let answered: string | undefined
    const rotating = person
      .api<{ accountId: string }>('POST', '/identity/rotate', { passphrase: PASSPHRASE })
      .then(({ accountId }) => {
        answered = accountId
      })
      .catch(() => {})
    await sleep(scene.dice.below(ROTATE_MS))
    await person.kill()
    await rotating
    await scene.present(person)
    const now = await person.accountId()
    if (answered !== undefined && now !== answered) scene.loss(`${person.name} answered with an account that is gone`)
    await stillMeet(scene, person, before, now)
    return 1
  },
}

/** MB-47: what Alice has answered for is back, also when she dies after that, and its letters go from every holder. */
async function killedTakingBack(scene: Scene, turn: number): Promise<number> {
  const { alice, bob, dice } = scene
  await scene.absent(bob)
  await scene.present(alice)
  const sayings = (await scene.letters4Bob(LETTERS, `delete ${turn}`)).slice(0, LETTERS / 2)
  const asking = Promise.allSettled(sayings.map(async (saying) => scene.takeBack(saying)))
  await sleep(dice.below(TAKE_BACK_MS))
  await alice.kill()
  await asking
  await scene.present(alice)
  for (const saying of sayings.filter(({ withdrawn }) => withdrawn === 'yes')) {
    const { status } = await alice.message(saying.id ?? '')
    if (status !== 'taken-back') scene.loss(`delete: ${saying.text} was taken back, and is ${status}`)
    await until('its letters are deleted', async () => !(await scene.isHeld(saying)), ARRIVES_MS)
  }
  return 1
}

async function untilDead(work: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await work()
    } catch {
      return
    }
  }
}

async function receivedBy(scene: Scene, person: ApiDaemon): Promise<number> {
  return (await person.messages(scene.account(scene.other(person)))).filter(({ outgoing }) => !outgoing).length
}

/** A message each way. The other one may still write to the former account: it is led to the new one. */
async function stillMeet(scene: Scene, person: ApiDaemon, before: string, now: string): Promise<void> {
  const other = scene.other(person)
  const back = await scene.say(other, 'after a rotation')
  const there = await scene.say(person, 'after a rotation')
  await person.reaches(there.id ?? '', 'delivered', ARRIVES_MS)
  await other.reaches(back.id ?? '', 'delivered', ARRIVES_MS)
  if (now === before) return
  await until(`${other.name} follows`, async () => (await other.contact(now)).state === 'accepted', ARRIVES_MS)
  scene.moved(person, now)
}
