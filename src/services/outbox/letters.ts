/** Which letter an envelope travels in, and what shows that we may write there (protocol §4). Pure. */
import type { CryptoProvider } from '../../crypto/provider.ts'
import { SIZE_CLASSES_BYTES } from '../../wire/padding.ts'
import { LETTER_KIND, RUNGS } from '../../wire/letter.ts'
import type { Letter, PutProof, Rung, Tombstone } from '../../wire/letter.ts'
import { FORMER_LETTERS_MAX } from '../../store/records.ts'
import type { Contact, ContactDevice, OutboxItem } from '../../store/records.ts'
import { equal, toHex } from '../../lib/bytes.ts'
import { DAY_MS, HOUR_MS } from '../../lib/time.ts'
import {
  commitmentOf,
  epochOf,
  expiryHour,
  hourPassed,
  idOfName,
  laneKey,
  laneProofBy,
  letterLifeMs,
  nameOfLetter,
  tokenLaneSeed,
} from '../../protocol/mailbox-rules.ts'
import type { LaneKey } from '../../protocol/mailbox-rules.ts'

/** Where a device can be written to in an epoch: its mailbox by our lane, or its intro box. */
export interface Destination {
  readonly address: Uint8Array
  readonly epoch: number
  /** Undefined: only a stamp opens this box. */
  readonly laneSeed: Uint8Array | undefined
}

/** The mailbox that a grant names for this epoch; without a grant the intro box of the device's prekey card. */
export function destination(
  crypto: CryptoProvider,
  contact: Pick<Contact, 'token'>,
  device: ContactDevice,
  nowMs: number,
  profile: { readonly epochMs: number },
): Destination | undefined {
  const epoch = epochOf(nowMs, profile)
  const granted = device.grant?.addresses[epoch - device.grant.firstEpoch]
  if (device.grant !== undefined && granted !== undefined) {
    return { address: granted, epoch, laneSeed: device.grant.laneSeed }
  }
  const intro = device.prekeys?.body.intro.find((entry) => entry.epoch === epoch)
  if (intro === undefined) return undefined
  return {
    address: intro.address,
    epoch,
    laneSeed: contact.token === undefined ? undefined : tokenLaneSeed(crypto, contact.token),
  }
}

const LANE_KEYS_MAX = 512

/** The keys of lanes that we write on, made once for each epoch. */
export class LaneKeys {
  readonly #crypto: CryptoProvider
  /** By seed and epoch, the one used longest ago first. */
  readonly #keys = new Map<string, LaneKey>()

  constructor(crypto: CryptoProvider) {
    this.#crypto = crypto
  }

  of(laneSeed: Uint8Array, epoch: number): LaneKey {
    const name = `${toHex(laneSeed)}/${epoch}`
    const key = this.#keys.get(name) ?? laneKey(this.#crypto, laneSeed, epoch)
    this.#keys.delete(name)
    this.#keys.set(name, key)
    const oldest = this.#keys.keys().next()
    if (this.#keys.size > LANE_KEYS_MAX && oldest.done !== true) this.#keys.delete(oldest.value)
    return key
  }
}

/** The letter for a sealed item; one without a lane still wants its stamp. */
export function letterFor(
  crypto: CryptoProvider,
  keys: LaneKeys,
  item: OutboxItem,
  to: Destination,
  nowMs: number,
  profile: { readonly epochMs: number },
): Letter {
  const ciphertext = item.sealed?.envelope ?? new Uint8Array(0)
  const sizeClass = SIZE_CLASSES_BYTES.findIndex((size) => size === ciphertext.length)
  return {
    version: 1,
    kind: to.laneSeed === undefined ? LETTER_KIND.stamp : LETTER_KIND.lane,
    address: to.address,
    lane: to.laneSeed === undefined ? new Uint8Array(16) : keys.of(to.laneSeed, to.epoch).lane,
    expiry: expiryHour(nowMs, lifeMs(to.laneSeed === undefined, profile)),
    sizeClass: sizeClass as Letter['sizeClass'],
    commitment: commitmentOf(crypto, item.preimage),
    stamp: { bits: 0, nonce: new Uint8Array(16) },
    ciphertext,
  }
}

/** A stamp's price grows with the letter's life; one that is to stay longer is written and stamped anew. */
const STAMPED_LIFE_MS = 7 * DAY_MS

const lifeMs = (stamped: boolean, profile: { readonly epochMs: number }): number =>
  Math.min(letterLifeMs(profile), stamped ? STAMPED_LIFE_MS : Infinity)

/** The same letter for holders that do not know our lane (any more): the stamp opens every box. */
export function withoutLane(letter: Letter, nowMs: number, profile: { readonly epochMs: number }): Letter {
  return {
    ...letter,
    kind: LETTER_KIND.stamp,
    lane: new Uint8Array(16),
    expiry: expiryHour(nowMs, lifeMs(true, profile)),
  }
}

/** Whether a letter made earlier can be put again: for the same box, and for an hour more at least. */
export function isGood(letter: Letter, to: Destination, nowMs: number): boolean {
  return equal(letter.address, to.address) && !hourPassed(letter.expiry, nowMs + HOUR_MS)
}

/** What goes with the letter `id`. `to` has to be the destination that it was made for. */
export function proofFor(
  crypto: CryptoProvider,
  keys: LaneKeys,
  letter: Letter,
  id: Uint8Array,
  to: Destination,
): PutProof {
  if (letter.kind === LETTER_KIND.stamp || to.laneSeed === undefined) return { kind: 2, body: { reserved: 0 } }
  return { kind: 1, body: laneProofBy(crypto, keys.of(to.laneSeed, to.epoch), id) }
}

/** The item without its letter, which is remembered where it was put: to be deleted, should the message be taken back. */
export function withoutLetter(crypto: CryptoProvider, item: OutboxItem): OutboxItem {
  const bare = { ...item, letter: undefined, letterId: undefined, proof: undefined, rungs: 0, proved: undefined }
  const { letter, proof, rungs } = item
  if (letter === undefined || proof === undefined || rungs === 0) return bare
  return {
    ...bare,
    former: [...item.former, { ...nameOfLetter(crypto, letter), proof, rungs }].slice(-FORMER_LETTERS_MAX),
  }
}

/** What deletes a letter, and where it was put. */
export interface Grave {
  readonly id: Uint8Array
  readonly tombstone: Tombstone
  readonly rungs: readonly Rung[]
}

/** What deletes every letter that the item was ever put in. */
export function gravesOf(crypto: CryptoProvider, item: OutboxItem): readonly Grave[] {
  return withoutLetter(crypto, item).former.map(({ header, digest, proof, rungs }) => ({
    id: idOfName(crypto, { header, digest }),
    tombstone: { header, digest, preimage: item.preimage, proof },
    rungs: RUNGS.filter((rung) => (rungs & (1 << rung)) !== 0),
  }))
}
