/** Two people and their holders, what they have said so far, and how a kill point looks at them. */
import { toHex } from '../../src/lib/bytes.ts'
import type { OutboxItem } from '../../src/store/records.ts'
import { PASSPHRASE } from '../support/daemons.ts'
import type { ApiDaemon } from '../support/api-daemon.ts'
import { heldOnDisk } from '../support/holder-disk.ts'
import type { HeldIds } from '../support/holder-disk.ts'
import { PersonDisk } from '../support/person-disk.ts'
import type { PersonSnapshot } from '../support/person-disk.ts'
import type { Dice } from './dice.ts'
import { idOf, Ledger } from './ledger.ts'
import type { Saying } from './ledger.ts'
import type { ChaosNetwork } from './network.ts'

export class Scene {
  readonly alice: ApiDaemon
  readonly bob: ApiDaemon
  readonly holders: readonly ApiDaemon[]
  readonly dice: Dice
  readonly ledger = new Ledger()
  /** Letters by the message that they carry, as the senders' outboxes showed them. */
  readonly letters = new Map<string, string>()
  readonly loss: (what: string) => void
  readonly #accounts = new Map<string, string>()
  readonly #disks = new Map<string, PersonDisk>()

  private constructor(network: ChaosNetwork, dice: Dice, loss: (what: string) => void) {
    const [alice, bob] = network.people
    if (alice === undefined || bob === undefined) throw new TypeError('two people are needed')
    this.alice = alice
    this.bob = bob
    this.holders = network.holders
    this.dice = dice
    this.loss = loss
  }

  /** @param loss told of each promise that was not kept */
  static async open(network: ChaosNetwork, dice: Dice, loss: (what: string) => void): Promise<Scene> {
    const scene = new Scene(network, dice, loss)
    for (const person of [scene.alice, scene.bob]) {
      scene.#accounts.set(person.name, await person.accountId())
      scene.#disks.set(person.name, await PersonDisk.open(person.home, PASSPHRASE))
    }
    return scene
  }

  get everybody(): readonly ApiDaemon[] {
    return [...this.holders, this.alice, this.bob]
  }

  other(person: ApiDaemon): ApiDaemon {
    return person === this.alice ? this.bob : this.alice
  }

  /** By which the other one writes to this person. */
  account(person: ApiDaemon): string {
    return this.#accounts.get(person.name) ?? ''
  }

  moved(person: ApiDaemon, accountId: string): void {
    this.#accounts.set(person.name, accountId)
  }

  /** Accepted when it resolves; throws where the daemon died under it. */
  async say(from: ApiDaemon, words: string): Promise<Saying> {
    const to = this.other(from)
    const saying = this.ledger.tries(from.name, to.name, words)
    this.ledger.accepts(saying, (await from.send(this.account(to), saying.text)).id)
    return saying
  }

  /** So many letters for Bob, who is away; resolves when each is stored. */
  async letters4Bob(count: number, words: string): Promise<readonly Saying[]> {
    const sayings = await Promise.all(Array.from({ length: count }, async () => this.say(this.alice, words)))
    for (const { id = '' } of sayings) await this.alice.reaches(id, 'stored')
    await this.look(this.alice)
    return sayings
  }

  /** Resolves when Alice has answered that it is back; throws where she died under it. */
  async takeBack(saying: Saying): Promise<void> {
    saying.withdrawn = 'asked'
    await this.alice.api('DELETE', `/messages/${saying.id ?? ''}`)
    saying.withdrawn = 'yes'
  }

  async present(person: ApiDaemon): Promise<void> {
    if (!person.running) await person.start()
    await person.ready()
  }

  async absent(person: ApiDaemon): Promise<void> {
    if (person.running) await person.stop()
  }

  /** What is on the person's disk; notes which letters carry what. */
  async look(person: ApiDaemon): Promise<PersonSnapshot> {
    const disk = this.#disks.get(person.name)
    if (disk === undefined) throw new TypeError('nobody of this scene')
    const snapshot = await disk.look()
    for (const { messageId, letterId, quiet } of snapshot.outbox) {
      if (letterId !== undefined && !quiet) this.letters.set(toHex(letterId), toHex(messageId))
    }
    return snapshot
  }

  // --- promises

  /** TE-07 MB-41: a receipt that anybody counts has its letter, or its tombstone, on that holder's disk. */
  async receiptsHold(holder: ApiDaemon): Promise<void> {
    const outbox = await Promise.all([this.alice, this.bob].map(async (person) => (await this.look(person)).outbox))
    const disk = await heldOnDisk(holder.home)
    for (const item of outbox.flat()) {
      if (!names(item, holder) || item.letterId === undefined) continue
      if (!has(disk, toHex(item.letterId))) this.loss(`${holder.name} lacks a letter that it signed for`)
    }
  }

  /** What the holder had before is there: a letter itself, or its tombstone. */
  async keeps(holder: ApiDaemon, before: HeldIds): Promise<void> {
    const now = await heldOnDisk(holder.home)
    const gone = [...before.letters].filter((id) => !has(now, id))
    const risen = [...before.tombstones].filter((id) => !now.tombstones.has(id))
    if (gone.length > 0) this.loss(`${holder.name} lost ${gone.length} letters`)
    if (risen.length > 0) this.loss(`${holder.name} lost ${risen.length} tombstones`)
  }

  /** Whether any holder has a letter that carries the message. */
  async isHeld({ id }: Saying): Promise<boolean> {
    const letters = [...this.letters].filter(([, message]) => message === id).map(([letter]) => letter)
    const disks = await Promise.all(this.holders.map(async ({ home }) => heldOnDisk(home)))
    return disks.some((disk) => letters.some((letter) => disk.letters.has(letter)))
  }

  /** MB-40: nothing was deleted at a holder that its reader had not committed, and what was committed stays. */
  async readerKept(before: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    // Holders first: what is deleted there by then has to be on the reader's disk by now.
    const disks = await Promise.all(this.holders.map(async ({ home }) => heldOnDisk(home)))
    const messages = (await this.look(this.bob)).messages.filter(({ outgoing }) => !outgoing)
    const kept = new Set(messages.map(idOf))
    const dropped = [...before].filter((id) => !kept.has(id))
    if (dropped.length > 0) this.loss(`${dropped.length} messages that were committed are gone`)
    for (const [letter, message] of this.letters) {
      const saying = this.ledger.withId(message)
      // What its sender took back is deleted by the sender.
      if (kept.has(message) || saying?.to !== this.bob.name || saying.withdrawn !== undefined) continue
      if (disks.some(({ tombstones }) => tombstones.has(letter)))
        this.loss(`${message} was deleted before it was committed`)
    }
    return kept
  }
}

const names = ({ receipts }: OutboxItem, { peerId }: ApiDaemon): boolean =>
  receipts.some(({ holder }) => holder === peerId)
const has = ({ letters, tombstones }: HeldIds, id: string): boolean => letters.has(id) || tombstones.has(id)
