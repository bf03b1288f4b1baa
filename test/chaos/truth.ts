/**
 * Is what `status` and `msg why` say true at the moment they say it? What the API answers is compared with the disks:
 * `stored` with those of the holders that are named, `delivered` with the recipient's, and no status ever goes back.
 */
import type { MessageView, Page, WhyView } from '../../src/api/application/messages.ts'
import { toHex } from '../../src/lib/bytes.ts'
import { WRITE_QUORUM } from '../../src/protocol/replicas.ts'
import type { OutboxItem } from '../../src/store/records.ts'
import type { ApiDaemon } from '../support/api-daemon.ts'
import { ApiFault } from '../support/local-api.ts'
import type { PersonDisk, PersonSnapshot } from '../support/person-disk.ts'
import type { Dice } from './dice.ts'
import { Disks } from './disks.ts'
import type { Violation } from './disks.ts'
import { idOf } from './ledger.ts'
import type { Ledger } from './ledger.ts'

type State = MessageView['status']
/** What ends the trying may still turn into `delivered`: the recipient's own receipt counts after it. */
const RANK: Readonly<Record<State, number>> = {
  queued: 0,
  stored: 1,
  expired: 2,
  failed: 2,
  'taken-back': 2,
  delivered: 3,
  read: 4,
}
/** Steps after which the letter is another one, whose receipts are counted from zero. */
const ANEW: readonly string[] = [
  'new-session',
  'other-device',
  'letter',
  'lane-refused',
  'stamped-dearer',
  're-put',
  'deleted',
]
const PAGE = 200
const WHYS_PER_PERSON = 6
const PATIENCE_MS = 8_000

export interface Person {
  readonly daemon: ApiDaemon
  readonly disk: PersonDisk
}

export interface TruthInit {
  readonly people: readonly Person[]
  readonly daemons: readonly ApiDaemon[]
  readonly accounts: ReadonlyMap<string, string>
  readonly ledger: Ledger
  readonly dice: Dice
  /** Whether nobody should expect an answer from it. */
  readonly isAway: (daemon: ApiDaemon) => boolean
  readonly violation: Violation
}

/** A receipt that somebody's disk shows: this holder signed that it has this letter. */
interface Claim {
  readonly person: string
  readonly letterId: string
  readonly peerId: string
}

export class Truth {
  /** Statuses compared, receipts looked up, stories read. */
  statuses = 0
  receipts = 0
  stories = 0
  readonly #init: TruthInit
  readonly #highest = new Map<string, State>()
  /** When the sender was first seen to say `delivered`. */
  readonly #saidDelivered = new Map<string, number>()
  readonly #checkedDelivered = new Set<string>()
  readonly #proved = new Set<string>()

  constructor(init: TruthInit) {
    this.#init = init
  }

  /** Asks everybody, then looks at the disks. Gives what was read of them. */
  async round(disks = new Disks()): Promise<ReadonlyMap<string, PersonSnapshot>> {
    await Promise.all(this.#init.people.map(async ({ daemon }) => this.#ask(daemon)))
    const snapshots = await this.snapshots()
    await this.#checkDelivered(snapshots)
    await this.#checkReceipts(snapshots, disks)
    return snapshots
  }

  /** What everybody has on the disk now, by name. */
  async snapshots(): Promise<ReadonlyMap<string, PersonSnapshot>> {
    const found = new Map<string, PersonSnapshot>()
    for (const { daemon, disk } of this.#init.people) found.set(daemon.name, await disk.look())
    return found
  }

  /** After the last message: everybody who said `delivered` said it after the recipient's commit, not before. */
  checkTimes(snapshots: ReadonlyMap<string, PersonSnapshot>): void {
    for (const { messages } of snapshots.values()) {
      for (const message of messages.filter(({ outgoing }) => !outgoing)) {
        const said = this.#saidDelivered.get(idOf(message))
        if (said !== undefined && message.committedAt > said)
          this.#init.violation(`${idOf(message)} was called delivered ${message.committedAt - said} ms too early`)
      }
    }
  }

  // --- what the API says

  async #ask(daemon: ApiDaemon): Promise<void> {
    if (!daemon.running || this.#init.isAway(daemon)) return
    try {
      await inTime(this.#askAll(daemon))
    } catch (error) {
      // It went away, or is not unlocked yet.
      if (error instanceof ApiFault && ![423, 503].includes(error.status))
        this.#init.violation(`${daemon.name} answered ${error.message}`)
    }
  }

  async #askAll(daemon: ApiDaemon): Promise<void> {
    const views: MessageView[] = []
    for (const [name, accountId] of this.#init.accounts) {
      if (name === daemon.name) continue
      const path = `/conversations/${accountId}/messages?limit=${PAGE}`
      const { items } = await daemon.api<Page<MessageView>>('GET', path)
      const now = Date.now()
      for (const view of items.filter(({ outgoing }) => outgoing)) {
        this.#note(view, now)
        views.push(view)
      }
    }
    for (const view of this.#worthAsking(views)) await this.#checkWhy(daemon, view)
  }

  /** Those on their way first; of those that have arrived only a few. */
  #worthAsking(views: readonly MessageView[]): readonly MessageView[] {
    const { dice } = this.#init
    const open = views.filter(({ status }) => RANK[status] < RANK.delivered)
    return [...dice.some(open, WHYS_PER_PERSON - 1), ...dice.some(views, 1)]
  }

  #note({ id, status }: Pick<MessageView, 'id' | 'status'>, now: number): void {
    this.statuses++
    const before = this.#highest.get(id)
    if (before !== undefined && RANK[status] < RANK[before])
      this.#init.violation(`${id} went back from ${before} to ${status}`)
    this.#highest.set(id, status)
    if (RANK[status] >= RANK.delivered && !this.#saidDelivered.has(id)) this.#saidDelivered.set(id, now)
  }

  /** What `why` says has to lie between the status before and the one after it, and to name what it rests on. */
  async #checkWhy(daemon: ApiDaemon, { id, status }: MessageView): Promise<void> {
    const why = await daemon.why(id)
    const after = await daemon.message(id)
    this.#note(after, Date.now())
    this.stories++
    if (RANK[why.status] < RANK[status] || RANK[why.status] > RANK[after.status])
      this.#init.violation(`why ${id} says ${why.status} between ${status} and ${after.status}`)
    if (why.summary === '') this.#init.violation(`why ${id} says nothing`)
    if (why.status !== 'stored') return
    if (!isGrounded(why)) this.#init.violation(`why ${id} says stored on no ground: ${JSON.stringify(why.devices)}`)
    const known = new Set(this.#init.daemons.map(({ peerId }) => peerId))
    const strangers = why.devices.flatMap(({ holders }) => holders).filter(({ peerId }) => !known.has(peerId))
    if (strangers.length > 0) this.#init.violation(`why ${id} names holders that nobody knows`)
  }

  // --- what the disks say

  async #checkDelivered(snapshots: ReadonlyMap<string, PersonSnapshot>): Promise<void> {
    const { ledger, people, violation } = this.#init
    for (const id of this.#saidDelivered.keys()) {
      const saying = ledger.withId(id)
      if (saying === undefined || this.#checkedDelivered.has(id)) continue
      this.#checkedDelivered.add(id)
      const has = (snapshot: PersonSnapshot | undefined): boolean =>
        snapshot?.messages.some((message) => !message.outgoing && idOf(message) === id) ?? false
      if (has(snapshots.get(saying.to))) continue
      const disk = people.find(({ daemon }) => daemon.name === saying.to)?.disk
      // A file may have moved under the first look.
      if (!has(await disk?.look())) violation(`${id} is called delivered, and ${saying.to} does not have it`)
    }
  }

  /** Every receipt that a sender counts has its letter, or the letter's tombstone, on that holder's disk. */
  async #checkReceipts(snapshots: ReadonlyMap<string, PersonSnapshot>, disks: Disks): Promise<void> {
    const claims = [...snapshots].flatMap(([person, { outbox }]) => outbox.flatMap((item) => claimsOf(person, item)))
    for (const claim of claims) {
      const key = `${claim.letterId}@${claim.peerId}`
      if (this.#proved.has(key)) continue
      this.receipts++
      if (await this.#holds(claim, disks)) this.#proved.add(key)
      else this.#init.violation(`${claim.person} counts a receipt of ${this.#nameOf(claim)} for a letter it lacks`)
    }
  }

  async #holds({ letterId, peerId }: Claim, disks: Disks): Promise<boolean> {
    const holder = this.#init.daemons.find((daemon) => daemon.peerId === peerId)
    if (holder === undefined) return false
    for (const look of [disks, new Disks()]) {
      const { letters, tombstones } = await look.of(holder)
      if (letters.has(letterId) || tombstones.has(letterId)) return true
    }
    return false
  }

  #nameOf({ peerId }: Claim): string {
    return this.#init.daemons.find((daemon) => daemon.peerId === peerId)?.name ?? 'a stranger'
  }
}

function claimsOf(person: string, { letterId, receipts }: OutboxItem): readonly Claim[] {
  if (letterId === undefined) return []
  return receipts.map(({ holder }) => ({ person, letterId: toHex(letterId), peerId: holder }))
}

/** Receipts of enough holders for each device, now or for the letter before this one. */
function isGrounded({ devices }: WhyView): boolean {
  return devices.every(({ holders, steps }) => {
    if (new Set(holders.map(({ peerId }) => peerId)).size >= WRITE_QUORUM) return true
    const stored = steps.findIndex(({ event }) => event === 'stored')
    return stored >= 0 && steps.slice(stored).some(({ event }) => ANEW.includes(event))
  })
}

/** The work, unless the other side froze. */
async function inTime(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
    work.catch(() => {})
  }
}
