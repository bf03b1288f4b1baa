/**
 * Sees everything and says what must not be: the checkers of quality.md §1. It knows what nobody in the world knows (who lies, what
 * lies on which disk, who had trouble with whom) and believes nothing that the product says of itself beyond its promises.
 */
import { fromHex, toHex } from '../../src/lib/bytes.ts'
import { DAY_MS, HOUR_MS } from '../../src/lib/time.ts'
import { idOfName, letterId, opens } from '../../src/protocol/mailbox-rules.ts'
import { placement, REPLICAS, WRITE_QUORUM, ZONE_SIZE } from '../../src/protocol/replicas.ts'
import { BUCKET } from '../../src/store/buckets.ts'
import { encode } from '../../src/wire/codec.ts'
import { cardRecordCodec, HOLDER_STATUS, HOLDER_VERB } from '../../src/wire/holder.ts'
import type { HolderRequest } from '../../src/wire/holder.ts'
import type { Letter, Tombstone } from '../../src/wire/letter.ts'
import { SIZE_CLASSES_BYTES } from '../../src/wire/padding.ts'
import type { Holder } from './holder.ts'
import { Mirror } from './mirror.ts'
import type { Person } from './person.ts'
import type { World } from './world.ts'

export type Invariant = 'I1' | 'I1b' | 'I1c' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I8' | 'I9'

export interface Violation {
  readonly invariant: Invariant
  /** Virtual time since the seed's beginning, hours. */
  readonly atHours: number
  readonly what: string
}

/** One message of the scenario. */
export interface Sent {
  readonly id: string
  readonly from: Person
  readonly to: Person
  acceptedAt: number
  status: string
  /** Holders whose receipts the sender had when it called the message stored, and when that was. */
  receipts: ReadonlySet<string>
  storedAt: number | undefined
  /** When (true time) each delivery was committed. */
  readonly deliveries: number[]
}

/** A session of a device has to have lasted this long (I1). */
export const DELIVERY_MS = 15 * 60_000
/** What is deleted may be served this long by who did not hear of it (I2). */
const DELETED_MS = DAY_MS
/** Sweeps of what has run out are hourly; one may have been missed. */
const SWEEP_SLACK_MS = 3 * HOUR_MS
const TOMBSTONE_EXTRA_MS = DAY_MS
/** A holder's clock may be ahead by a day, and let letters go that much earlier. */
const CLOCKS_MS = 26 * HOUR_MS
const VIOLATIONS_MAX = 50
/** Copies of one record that repair may make in 30 days (I8). */
const COPIES_MAX = 10

export class Witness {
  readonly violations: Violation[] = []
  readonly sent = new Map<string, Sent>()
  readonly mirrors = new Map<string, Mirror>()
  readonly #world: World
  readonly #startedAt: number
  readonly #canary: Buffer
  readonly #canaryText: Buffer
  readonly #commitments = new Map<string, Uint8Array>()
  readonly #cards = new Set<string>()
  /** By holder: the letters that it signed for, and when (hours) they expire. */
  readonly #kept = new Map<string, Map<string, number>>()
  /** By letter: the honest holders that took its tombstone. */
  readonly #tombedBy = new Map<string, Set<string>>()
  /** By letter: when three honest holders had taken its tombstone. */
  readonly #buriedAt = new Map<string, number>()
  readonly #copies = new Map<string, number>()
  /** By holder: when it was lost for good, or was a liar from the start (0). */
  readonly #lostAt = new Map<string, number>()
  /** `holder letter` of letters that a fault took from a disk. */
  readonly #rotted = new Set<string>()
  readonly #said = new Set<string>()

  constructor(world: World, canary: Uint8Array) {
    this.#world = world
    this.#startedAt = world.scheduler.now()
    this.#canary = Buffer.from(canary)
    this.#canaryText = Buffer.from(toHex(canary))
    for (const holder of world.holders) this.#watch(holder)
    world.net.tap = (_from, _to, bytes) => {
      this.sees('on the wire', bytes)
    }
    world.net.onRequest = (from, request) => {
      this.#request(from, request)
    }
    world.net.onAnswered = (holder, request, status) => {
      if (status !== HOLDER_STATUS.ok) return
      if (request.kind === HOLDER_VERB.put || request.kind === HOLDER_VERB.copy)
        this.#signed(holder, request.body.letter)
      if (!world.holders.some((each) => each.peerId === holder && each.honest)) return
      if (request.kind === HOLDER_VERB.drop)
        for (const id of request.body.ids) this.#kept.get(holder)?.delete(toHex(id))
      if (request.kind === HOLDER_VERB.copy) this.copied(toHex(letterId(world.crypto, request.body.letter)))
      if (request.kind === HOLDER_VERB.tomb) this.#tombed(holder, request.body.tombstones)
    }
    world.primitives.onNonceReuse = ({ where }) => {
      this.violate('I9', `a key and nonce sealed two plaintexts (${where})`)
    }
  }

  violate(invariant: Invariant, what: string): void {
    // One line for one thing.
    const name = `${invariant} ${what}`
    if (this.#said.has(name) || this.violations.length >= VIOLATIONS_MAX) return
    this.#said.add(name)
    const atHours = Math.round((this.#world.scheduler.now() - this.#startedAt) / 36_000) / 100
    this.violations.push({ invariant, atHours, what })
    this.#world.note('VIOLATION', invariant, what)
  }

  /** Bytes that somebody else than the two people could read. */
  sees(where: string, bytes: Uint8Array): void {
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (view.includes(this.#canary) || view.includes(this.#canaryText)) this.violate('I6', `a canary ${where}`)
  }

  /** A text that carries the canary and a number. */
  text(index: number): string {
    return `${toHex(this.#canary)} ${index}`
  }

  lost(holder: Holder, at = this.#world.scheduler.now()): void {
    if (!this.#lostAt.has(holder.peerId)) this.#lostAt.set(holder.peerId, at)
  }

  /** A fault spoilt this disk: whatever it had counts as taken by the fault. */
  spoilt(holder: Holder): void {
    const mirror = this.mirrors.get(holder.peerId)
    for (const id of [...(mirror?.live.keys() ?? []), ...(mirror?.dead.keys() ?? [])])
      this.#rotted.add(`${holder.peerId} ${id}`)
    mirror?.rebuild(holder.disk.platter)
  }

  #watch(holder: Holder): void {
    // What was there before the seed began is what its owners made in calm weather.
    for (const [name, value] of holder.disk.platter.values) {
      if (name.charCodeAt(0) === BUCKET.cards) this.#cards.add(toHex(this.#world.crypto.sha256(value.subarray(8))))
    }
    const mirror = new Mirror(
      {
        onLetter: (id, letter) => {
          this.#letter(id, letter)
        },
        onTombstone: (id, { preimage }) => {
          const commitment = this.#commitments.get(id)
          if (commitment !== undefined && !opens(this.#world.crypto, commitment, preimage)) {
            if (holder.honest) this.violate('I7', 'a forged tombstone lies on an honest disk')
          }
        },
        onCard: (_key, record) => {
          if (holder.honest && !this.#cards.has(toHex(this.#world.crypto.sha256(record)))) {
            this.violate('I7', 'a card that nobody made lies on an honest disk')
          }
        },
        onCardBack: () => {
          if (holder.honest) this.violate('I7', 'a card went back to a lower number')
        },
      },
      this.#world.crypto,
    )
    mirror.rebuild(holder.disk.platter)
    this.mirrors.set(holder.peerId, mirror)
    holder.disk.onWritten = (ops) => {
      mirror.written(ops)
      for (const op of ops) if (op.type === 'put') this.sees('on the disk of a holder', op.value)
    }
    holder.onCrashed = () => {
      mirror.rebuild(holder.disk.platter)
    }
  }

  #letter(id: string, letter: Letter): void {
    this.#commitments.set(id, letter.commitment)
    this.#sized(letter.ciphertext)
  }

  #sized(bytes: Uint8Array): void {
    if (!SIZE_CLASSES_BYTES.some((size) => size === bytes.length)) this.violate('I6', `a size of ${bytes.length} bytes`)
  }

  #request(from: string, request: HolderRequest): void {
    if (request.kind === HOLDER_VERB.put || request.kind === HOLDER_VERB.copy)
      this.#sized(request.body.letter.ciphertext)
    const person = this.#world.people.find(({ peerId }) => peerId === from)
    if (request.kind !== HOLDER_VERB.putCard || person === undefined) return
    this.#cards.add(toHex(this.#world.crypto.sha256(encode(cardRecordCodec, request.body))))
  }

  /** An honest holder took a copy of a letter from another. */
  copied(id: string): void {
    this.#copies.set(id, (this.#copies.get(id) ?? 0) + 1)
  }

  #signed(holder: string, letter: Letter): void {
    const id = toHex(letterId(this.#world.crypto, letter))
    const kept = this.#kept.get(holder) ?? new Map<string, number>()
    this.#kept.set(holder, kept.set(id, letter.expiry))
  }

  /** An honest holder says that these are dead. */
  #tombed(holder: string, tombstones: readonly Tombstone[]): void {
    const { crypto, scheduler } = this.#world
    for (const { header, digest, preimage } of tombstones) {
      if (!opens(crypto, header.commitment, preimage)) continue
      const id = toHex(idOfName(crypto, { header, digest }))
      const holders = this.#tombedBy.get(id) ?? new Set()
      this.#tombedBy.set(id, holders.add(holder))
      if (holders.size >= WRITE_QUORUM && !this.#buriedAt.has(id)) this.#buriedAt.set(id, scheduler.now())
    }
  }

  accepted(id: string, from: Person, to: Person): void {
    const known = this.sent.get(id)
    if (known !== undefined) return
    const at = this.#world.scheduler.now()
    const sent = { id, from, to, acceptedAt: at, status: 'queued', receipts: new Set<string>() }
    this.sent.set(id, { ...sent, storedAt: undefined, deliveries: [] })
  }

  /** The sender calls it stored, by the receipts that it has for the letter `letterName`. */
  stored(id: string, letterName: string, receipts: Iterable<string>): void {
    const sent = this.sent.get(id)
    if (sent === undefined) return
    sent.receipts = new Set(receipts)
    for (const holder of sent.receipts) {
      if (this.#kept.get(holder)?.has(letterName) !== true) this.violate('I7', 'a receipt that nobody gave counts')
    }
    sent.storedAt ??= this.#world.scheduler.now()
  }

  delivered(id: string, at: Person): void {
    const sent = this.sent.get(id)
    if (sent === undefined || sent.to !== at) {
      this.violate('I1c', `${at.name} was shown what nobody sent to it`)
      return
    }
    sent.deliveries.push(this.#world.scheduler.now())
    if (sent.deliveries.length > 1)
      this.violate('I1c', `message ${this.nameOf(sent)} came ${sent.deliveries.length} times`)
  }

  nameOf(sent: Sent): string {
    return `${sent.from.name}→${sent.to.name} ${sent.id.slice(0, 8)}`
  }

  /** I1: a device has been online for a quarter of an hour. */
  checkSession(device: Person, since: number): void {
    const { net } = this.#world
    for (const sent of this.sent.values()) {
      if (sent.to !== device || sent.deliveries.length > 0 || sent.storedAt === undefined) continue
      if (sent.storedAt > since - 60_000 || !this.isKept(sent)) continue
      const clean = [...sent.receipts].filter((peerId) => {
        const holder = this.#world.holders.find((each) => each.peerId === peerId)
        if (holder === undefined || this.#lostAt.has(peerId) || !holder.life.up) return false
        if ((holder.upSince ?? Infinity) > since - DELIVERY_MS) return false
        return net.isClean(peerId, device.peerId, since)
      })
      if (clean.length === 0) continue
      this.violate(
        'I1',
        `${this.nameOf(sent)} was stored by ${sent.receipts.size}, is on ${clean.length} in reach, and did not come in 15 min`,
      )
    }
  }

  /** Whether the promise about a stored message holds: at most two of its holders were lost for good. */
  isKept(sent: Sent): boolean {
    if (sent.storedAt === undefined) return false
    let lost = 0
    for (const peerId of sent.receipts) if (this.#lostAt.has(peerId)) lost++
    return lost <= REPLICAS - WRITE_QUORUM && sent.receipts.size - lost > 0
  }

  /** I1, I1b, I1c at the end: what has become of every message. */
  checkEnd(isGone: (person: Person) => boolean): void {
    for (const sent of this.sent.values()) {
      const name = this.nameOf(sent)
      if (isGone(sent.to)) continue
      if (sent.deliveries.length === 0 && sent.status !== 'expired') {
        if (!isGone(sent.from))
          this.violate('I1b', `${name} was accepted and neither delivered nor reported (${sent.status})`)
        else if (this.isKept(sent)) {
          this.violate('I1', `${name} was stored by ${sent.receipts.size} and is lost`)
        }
      }
      const told = sent.status === 'delivered' || sent.status === 'read'
      if (sent.deliveries.length > 0 && !told && !isGone(sent.from)) {
        this.violate('I1b', `${name} was delivered and its sender was never told (${sent.status})`)
      }
      if (told && sent.deliveries.length === 0) this.violate('I7', `${name} counts as delivered and is not`)
    }
  }

  /** The honest members of an address's zone that are up. */
  #zone(address: string): Holder[] {
    const target = placement(this.#world.crypto, fromHex(address) ?? new Uint8Array(32))
    const holders = new Map(this.#world.holders.map((holder) => [holder.peerId, holder]))
    const up = this.#world.net.order(target).flatMap(({ peerId }) => holders.get(peerId) ?? [])
    return up.filter((holder) => holder.life.up).slice(0, ZONE_SIZE)
  }

  /** I2: what three honest holders were told is dead is served by no honest member of its zone a day later. */
  checkDeleted(settledMs: number): void {
    const now = this.#world.scheduler.now()
    for (const holder of this.#world.holders.filter(({ honest }) => honest)) {
      if (!holder.life.up || (holder.upSince ?? now) > now - settledMs) continue
      for (const [id, { address }] of this.mirrors.get(holder.peerId)?.live ?? []) {
        const buriedAt = this.#buriedAt.get(id)
        if (buriedAt === undefined || buriedAt > now - DELETED_MS) continue
        if (this.#zone(address).includes(holder))
          this.violate('I2', `letter ${id.slice(0, 8)} is served a day after its end`)
      }
    }
  }

  /** I3: in calm weather nobody in a zone has alive what another has dead. */
  checkAgreement(): void {
    const dead = new Map<string, Holder[]>()
    const honest = this.#world.holders.filter((holder) => holder.honest && holder.life.up)
    for (const holder of honest) {
      for (const id of this.mirrors.get(holder.peerId)?.dead.keys() ?? []) {
        dead.set(id, [...(dead.get(id) ?? []), holder])
      }
    }
    for (const holder of honest) {
      for (const [id, { address }] of this.mirrors.get(holder.peerId)?.live ?? []) {
        const knows = dead.get(id)
        if (knows === undefined) continue
        const zone = this.#zone(address)
        if (zone.includes(holder) && knows.some((other) => zone.includes(other))) {
          this.violate('I3', `letter ${id.slice(0, 8)} is alive here and dead there`)
        }
      }
    }
  }

  /** I1: what an honest holder signed for is on its disk, or is known there to be dead, up or down. */
  checkSigned(): void {
    const horizon = this.#world.scheduler.now() + CLOCKS_MS
    for (const holder of this.#world.holders) {
      const mirror = this.mirrors.get(holder.peerId)
      if (!holder.honest || mirror === undefined) continue
      for (const [id, expiryHour] of this.#kept.get(holder.peerId) ?? []) {
        if (expiryHour * HOUR_MS < horizon || mirror.live.has(id) || mirror.dead.has(id)) continue
        if (this.#rotted.has(`${holder.peerId} ${id}`)) continue
        this.violate(
          'I1',
          `letter ${id.slice(0, 8)} was signed for by ${holder.peerId.slice(5, 13)} and is on its disk no more`,
        )
      }
    }
  }

  /** I4 and I5, on every honest disk, by the holder's own clock. */
  checkBounds(nodeBytes: number): void {
    for (const holder of this.#world.holders) {
      if (!holder.honest || !holder.life.up) continue
      const usage = holder.held?.usage
      if (usage !== undefined && usage.mailDiskBytes + usage.cardDiskBytes > nodeBytes) {
        this.violate('I4', `a holder keeps ${usage.mailDiskBytes + usage.cardDiskBytes} of ${nodeBytes} bytes`)
      }
      if ((holder.upSince ?? Infinity) > this.#world.scheduler.now() - SWEEP_SLACK_MS) continue
      if (holder.steadySince > this.#world.scheduler.now() - SWEEP_SLACK_MS) continue
      const mirror = this.mirrors.get(holder.peerId)
      const now = holder.now()
      for (const { expiryHour } of mirror?.live.values() ?? []) {
        if (expiryHour * HOUR_MS + DAY_MS < now) this.violate('I5', 'a letter is kept a day after its expiry')
      }
      for (const { expiryHour } of mirror?.dead.values() ?? []) {
        if (expiryHour * HOUR_MS + TOMBSTONE_EXTRA_MS + SWEEP_SLACK_MS < now)
          this.violate('I5', 'a tombstone is kept for too long')
      }
    }
  }

  /** I8: how often repair copied each letter. */
  checkCopies(): void {
    for (const [id, copies] of this.#copies) {
      if (copies > COPIES_MAX) this.violate('I8', `letter ${id.slice(0, 8)} was copied ${copies} times`)
    }
  }
}
