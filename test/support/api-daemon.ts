/** A daemon that is asked through its API, wherever it runs: what tests, storms and stories do with one. */
import type { IdentityView, KeyView, StatusView } from '../../src/api/application/account.ts'
import type { ContactView } from '../../src/api/application/contacts.ts'
import type { MessageView, Page, WhyView } from '../../src/api/application/messages.ts'
import type { PeerView } from '../../src/api/application/network.ts'
import { WRITE_QUORUM } from '../../src/protocol/replicas.ts'

export const PASSPHRASE = 'correct horse battery staple'
const POLL_MS = 50

export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

/** Asks again until there is an answer. Throws with what was last seen when the time is over. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false>,
  timeoutMs = 30_000,
): Promise<T> {
  const end = Date.now() + timeoutMs
  let last: unknown
  for (;;) {
    try {
      const answer = await ask()
      if (answer !== undefined && answer !== false) return answer
      last = answer
    } catch (error) {
      if (error instanceof Fatal) throw error
      last = error
    }
    if (Date.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms`, { cause: last })
    await pause(POLL_MS)
  }
}

/** Not worth asking again. */
export class Fatal extends Error {}

/** Its home lies where this process can read it. */
export abstract class ApiDaemon {
  abstract readonly name: string
  abstract readonly home: string
  /** How long to wait for what the network has to do. */
  readonly patienceMs: number = 30_000
  abstract get running(): boolean
  /** Known once it has started; the same after every restart. */
  abstract get peerId(): string
  /** Resident bytes; zero where nobody can tell. */
  abstract get memoryBytes(): number
  /** Resolves when its API answers. */
  abstract start(): Promise<StatusView>
  /** SIGKILL: no good-bye, nothing flushed. */
  abstract kill(): Promise<void>
  /** SIGTERM, and the exit code that follows. Throws where it does not end by itself. */
  abstract stop(): Promise<number | null>
  /** It does nothing any more, but its connections stay; until `thaw`. */
  abstract freeze(): Promise<void>
  abstract thaw(): Promise<void>
  /** Everything it has logged. */
  abstract readLog(): Promise<string>
  /** One request. Throws ApiFault for a problem document, another error where nobody answers. */
  abstract api<T>(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<T>

  async status(): Promise<StatusView> {
    return this.api('GET', '/status')
  }

  /** Makes the account of this home and waits until others can find it: until `holders` have signed for its cards. */
  async createIdentity(holders = WRITE_QUORUM): Promise<IdentityView> {
    const made = await this.api<{ identity: IdentityView }>('POST', '/identity', { passphrase: PASSPHRASE })
    await this.ready()
    const published = async (): Promise<boolean> =>
      (await this.api<{ receipts: number }>('POST', '/identity/publish')).receipts >= holders
    await until(`${this.name} is published`, published, this.patienceMs)
    return made.identity
  }

  /** The keys are open and the network is there. */
  async ready(timeoutMs = this.patienceMs): Promise<StatusView> {
    return until(
      `${this.name} is ready`,
      async () => {
        const status = await this.status()
        return status.state === 'ready' && status.peers > 0 ? status : undefined
      },
      timeoutMs,
    )
  }

  async accountId(): Promise<string> {
    return (await this.api<IdentityView>('GET', '/identity')).accountId
  }

  async lookup(accountId: string): Promise<KeyView> {
    return this.api('GET', `/keys/${accountId}`)
  }

  async peers(): Promise<readonly PeerView[]> {
    return (await this.api<{ items: readonly PeerView[] }>('GET', '/peers')).items
  }

  async contact(accountId: string): Promise<ContactView> {
    return this.api('GET', `/contacts/${accountId}`)
  }

  async send(to: string, text: string): Promise<MessageView> {
    return this.api('POST', '/messages', { to, text })
  }

  async message(id: string): Promise<MessageView> {
    return this.api('GET', `/messages/${id}`)
  }

  async why(id: string): Promise<WhyView> {
    return this.api('GET', `/messages/${id}/why`)
  }

  /** All of a conversation, oldest first. */
  async messages(accountId: string): Promise<readonly MessageView[]> {
    const all: MessageView[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const query: string = cursor === '' ? '?limit=200' : `?limit=200&cursor=${encodeURIComponent(cursor)}`
      const page: Page<MessageView> = await this.api('GET', `/conversations/${accountId}/messages${query}`)
      all.push(...page.items)
      cursor = page.next
    }
    return all.reverse()
  }

  /** The incoming message with that text. */
  async receives(accountId: string, text: string, timeoutMs = this.patienceMs): Promise<MessageView> {
    return until(
      `${this.name} receives a message`,
      async () => (await this.messages(accountId)).find((message) => !message.outgoing && message.text === text),
      timeoutMs,
    )
  }

  /** Waits until the message has come so far (`read` counts as `delivered`). */
  async reaches(
    id: string,
    status: 'stored' | 'delivered' | 'read',
    timeoutMs = this.patienceMs,
  ): Promise<MessageView> {
    const order = ['queued', 'stored', 'delivered', 'read']
    return until(
      `${this.name}'s message is ${status}`,
      async () => {
        const message = await this.message(id)
        return order.indexOf(message.status) >= order.indexOf(status) ? message : undefined
      },
      timeoutMs,
    )
  }
}
