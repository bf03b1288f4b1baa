/**
 * `/sotto/<network>/upgrade/1`, both sides. In rounds: offer, answer (the round trip is measured), go with the number of a
 * rung; half a round trip later both climb it. On the WebRTC rung each side says one more thing, the asker first. Who asks chooses
 * the rung and ends the stream.
 */
import type { Stream } from '@libp2p/interface'
import type { Clock } from '../../lib/clock.ts'
import { withDeadline } from '../../lib/clock.ts'
import { CodecError, NetworkError, nameOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { encode, tryDecode } from '../../wire/codec.ts'
import { UPGRADE_FRAME, upgradeFrameCodec } from '../../wire/upgrade.ts'
import type { IceTerms, UpgradeFrame, UpgradeTerms } from '../../wire/upgrade.ts'
import { FrameReader, FrameWriter } from '../frames/framing.ts'
import type { ProtocolLimits } from '../protocols.ts'
import { orAborted } from '../signals.ts'
import type { Round, Rung } from './rungs.ts'
import type { IceTalk } from './webrtc/webrtc.ts'

/** `impossible`: one side knows that no rung can work. */
export type Outcome = 'direct' | 'failed' | 'impossible'

export interface ExchangeInit {
  readonly rungs: readonly Rung[]
  readonly limits: ProtocolLimits
  readonly clock: Clock
  readonly log: Logger
  /** What we bring at the moment. */
  readonly own: () => UpgradeTerms
  /** What of a peer's terms may be acted on. */
  readonly clean: (terms: UpgradeTerms) => UpgradeTerms
  readonly isDirect: (peerId: string) => boolean
}

/** One message, a round of the peer's included. */
const STEP_DEADLINE_MS = 10_000
/** Rounds that anyone may ask of us on one stream. */
const ROUNDS_MAX = 8

export class Exchange {
  readonly #init: ExchangeInit

  constructor(init: ExchangeInit) {
    this.#init = init
  }

  /** Our side of a stream that we opened. Throws where the peer breaks the rules or is gone. */
  async ask(peerId: string, stream: Stream, signal: AbortSignal): Promise<Outcome> {
    const { rungs, clock, log, own, clean, isDirect } = this.#init
    const talk = new Talk(stream, this.#init, false)
    const used = new Map<Rung, number>()
    for (;;) {
      const mine = own()
      const asked = clock.now()
      await talk.write({ kind: UPGRADE_FRAME.offer, body: mine }, signal)
      const answer = await talk.read(signal)
      if (answer?.kind !== UPGRADE_FRAME.answer) throw new NetworkError('no answer')
      const theirs = clean(answer.body)
      const waitMs = (clock.now() - asked) / 2
      const rung = nextRung(rungs, used, mine, theirs)
      if (rung === undefined) {
        log.debug('no way from the relay is left', { tried: used.size, mine: mine.mapping, theirs: theirs.mapping })
        return used.size === 0 ? 'impossible' : 'failed'
      }
      used.set(rung, (used.get(rung) ?? 0) + 1)
      await talk.write({ kind: UPGRADE_FRAME.go, body: { rung: rung.id } }, signal)
      await this.#climb(rung, talk, { peerId, mine, theirs, asks: true, waitMs, ice: talk.ice(signal), signal })
      if (isDirect(peerId)) return 'direct'
    }
  }

  /** Our side of a stream that the peer opened, until it ends it or there is a direct connection. Throws where it breaks the rules. */
  async answer(peerId: string, stream: Stream, signal: AbortSignal): Promise<void> {
    const { rungs, own, clean, isDirect } = this.#init
    const talk = new Talk(stream, this.#init, true)
    for (let rounds = 0; rounds < ROUNDS_MAX; rounds++) {
      const offer = await talk.read(signal)
      if (offer === undefined || isDirect(peerId)) return
      if (offer.kind !== UPGRADE_FRAME.offer) throw new CodecError('not an offer')
      const [mine, theirs] = [own(), clean(offer.body)]
      await talk.write({ kind: UPGRADE_FRAME.answer, body: mine }, signal)
      const go = await talk.read(signal)
      if (go === undefined) return
      if (go.kind !== UPGRADE_FRAME.go) throw new CodecError('not a go')
      const rung = rungs.find((each) => each.id === go.body.rung)
      if (rung?.possible(mine, theirs) !== true) throw new CodecError('a rung that cannot work')
      await this.#climb(rung, talk, { peerId, mine, theirs, asks: false, waitMs: 0, ice: talk.ice(signal), signal })
    }
    throw new NetworkError('too many rounds')
  }

  async #climb(rung: Rung, talk: Talk, round: Round): Promise<void> {
    try {
      await rung.climb(round)
    } catch (error) {
      round.signal.throwIfAborted()
      talk.throwIfBroken()
      this.#init.log.debug('no direct connection yet', { rung: rung.id, error: nameOf(error) })
    }
  }
}

/** Each possible rung once before any of them again: what one router stops another way may pass. */
function nextRung(
  rungs: readonly Rung[],
  used: ReadonlyMap<Rung, number>,
  mine: UpgradeTerms,
  theirs: UpgradeTerms,
): Rung | undefined {
  const times = (rung: Rung): number => used.get(rung) ?? 0
  const left = rungs.filter((rung) => times(rung) < rung.rounds && rung.possible(mine, theirs))
  return left.toSorted((a, b) => times(a) - times(b))[0]
}

/** One stream's messages. */
class Talk {
  readonly #reader: FrameReader
  readonly #writer: FrameWriter
  readonly #clock: Clock
  /** Why it cannot go on. */
  #broken: Error | undefined

  constructor(stream: Stream, { limits, clock }: ExchangeInit, firstFrameDue: boolean) {
    this.#reader = new FrameReader(stream, limits, clock, firstFrameDue)
    this.#writer = new FrameWriter(stream, limits, clock)
    this.#clock = clock
  }

  throwIfBroken(): void {
    if (this.#broken !== undefined) throw this.#broken
  }

  /** What is said within a round. Where that goes wrong the stream is of no more use: nobody knows what the other side is at. */
  ice(signal: AbortSignal): IceTalk {
    return {
      tell: async (ice) => this.#within(this.write({ kind: UPGRADE_FRAME.ice, body: { ice } }, signal)),
      hear: async () => this.#within(this.#hearIce(signal)),
    }
  }

  async #hearIce(signal: AbortSignal): Promise<IceTerms | undefined> {
    const frame = await this.read(signal)
    if (frame?.kind !== UPGRADE_FRAME.ice) throw new CodecError('not what the rung asks for')
    return frame.body.ice
  }

  async #within<T>(said: Promise<T>): Promise<T> {
    try {
      return await said
    } catch (error) {
      this.#broken = error as Error
      throw error
    }
  }

  async write(frame: UpgradeFrame, signal: AbortSignal): Promise<void> {
    await this.#writer.write(encode(upgradeFrameCodec, frame), signal)
  }

  /** The next message, or `undefined` where the peer has ended the stream. */
  async read(signal: AbortSignal): Promise<UpgradeFrame | undefined> {
    const bytes = await withDeadline(this.#clock, STEP_DEADLINE_MS, async (deadline) =>
      orAborted(this.#reader.next(), AbortSignal.any([deadline, signal])),
    )
    if (bytes === undefined) return undefined
    const frame = tryDecode(upgradeFrameCodec, bytes)
    if (frame === undefined) throw new CodecError('malformed upgrade message')
    return frame
  }
}
