/** The room put together: what `node.ts` makes once for an unlocked account. */
import type { Startable } from '../../lib/lifecycle.ts'
import type { StampSolver } from '../ports.ts'
import { rungPlacement } from '../../protocol/replicas.ts'
import { Cards } from './cards.ts'
import { Collector } from './collect.ts'
import type { LetterHandler } from './collect.ts'
import { Depositor } from './deposit.ts'
import type { LetterStamper } from './deposit.ts'
import type { MailDeps } from './deps.ts'
import { OwnKeys } from './own-keys.ts'
import { Looker } from './look.ts'
import { PrekeyHolders } from './prekeys.ts'
import { MailboxReader } from './reader.ts'
import { OwnerSessions } from './sessions.ts'
import { TombstoneSender } from './tombstones.ts'
import type { BurialStore } from './tombstones.ts'
import { Zones } from './zones.ts'

export interface MailboxParts {
  /** Seeds of the mailboxes that are ours: the device's, and that of its intro box. */
  readonly seeds: readonly Uint8Array[]
  /** When (ms) the seeds were made. */
  readonly sinceMs?: number
  readonly burials: BurialStore
  readonly stamps: LetterStamper
  readonly onLetter: LetterHandler
}

export class Mailbox implements Startable {
  readonly cards: Cards
  readonly depositor: Depositor
  /** What the outbox asks for: put, have stamped, look after. */
  readonly post: Pick<Depositor, 'put' | 'stamp'> & Pick<Looker, 'look'>
  readonly tombstones: TombstoneSender
  readonly reader: MailboxReader
  readonly #deps: MailDeps
  readonly #zones: Zones
  readonly #keys: OwnKeys

  constructor(deps: MailDeps, parts: MailboxParts) {
    this.#deps = deps
    const zones = new Zones(deps)
    this.#zones = zones
    const sessions = new OwnerSessions(deps)
    const keys = new OwnKeys(deps.crypto, deps.profile, parts.seeds, parts.sinceMs)
    this.#keys = keys
    this.cards = new Cards(deps, zones)
    this.depositor = new Depositor(deps, zones, this.cards, parts.stamps)
    const looker = new Looker(deps, zones)
    this.post = {
      put: async (...args) => this.depositor.put(...args),
      stamp: async (...args) => this.depositor.stamp(...args),
      look: async (...args) => looker.look(...args),
    }
    this.tombstones = new TombstoneSender(deps, zones, this.cards, parts.burials)
    const collector = new Collector(deps, { zones, sessions, tombstones: this.tombstones, keys }, parts.onLetter)
    this.reader = new MailboxReader(deps, { zones, sessions, keys, collector, cards: this.cards })
  }

  /** Where in the key space (32 bytes each) letters to us are put at the moment. */
  positions(): readonly Uint8Array[] {
    const { clock, crypto } = this.#deps
    return this.#keys.toFollow(clock.now()).map(({ address }) => rungPlacement(crypto, address, 0))
  }

  /** One-time prekeys, at the holders of the same zones. */
  prekeys(solver: StampSolver): PrekeyHolders {
    return new PrekeyHolders({ deps: this.#deps, zones: this.#zones, solver })
  }

  async start(): Promise<void> {
    this.#zones.start()
    await this.tombstones.start()
    this.reader.start()
  }

  async stop(): Promise<void> {
    await this.reader.stop()
    await this.tombstones.stop()
    this.#zones.stop()
  }
}
