/**
 * How this tab came to be let in: a code of one use in the address, exchanged for a token that lives as long as the tab and the
 * daemon. Nothing else of the user's is ever kept in the browser.
 *
 * A port of this computer belongs to whoever takes it first. When the daemon has gone, another user may stand at its place: so
 * from the first connection that is refused or cut off nothing is sent there any more (no token, no text, no passphrase), until a new
 * code of `sotto open` leads here. The daemon forgets the tokens of pages when it ends: nothing is lost by forgetting ours.
 * An answer that is late is none of this: only a process that runs can keep us waiting.
 */
import type { Line, StreamItem } from '../../api/client/follow.ts'

const TOKEN_KEY = 'sotto.token'
const CODE = /#code=([\w-]{8,256})$/
/** Open to everybody, and asked without any word of ours. */
const HEALTH = '/healthz'
const HEALTH_MS = 5_000
/** The process said that it ends, or ended without a word (RFC 6455). Every other code is the daemon's own, which lives. */
const ENDED: readonly number[] = [1001, 1006]

/** The code of `sotto open`, taken out of the address and the history at once. */
export function takeCode(location: Location, history: History): string | undefined {
  const code = codeIn(location.hash)
  if (code !== undefined) history.replaceState(null, '', `${location.pathname}#/`)
  return code
}
/** The code in what `sotto open --print` prints. */
export function codeIn(link: string): string | undefined {
  return CODE.exec(link.trim())?.[1]
}

export interface SessionOptions {
  readonly storage: Storage
  readonly fetch: typeof fetch
  /** The daemon no longer takes the token: it was revoked, or has run out. */
  readonly onRefused: () => void
  /** The daemon has gone. */
  readonly onLost: () => void
}

export class Session {
  readonly #o: SessionOptions
  #token: string | undefined
  #isLost = false
  /** Lines that the daemon greeted and that stand: its process is there. */
  #standing = 0

  constructor(options: SessionOptions) {
    this.#o = options
    this.#token = options.storage.getItem(TOKEN_KEY) ?? undefined
  }

  token(): string | undefined {
    return this.#token
  }
  /** Trusts whoever answers here: a code led to it. */
  letIn(token: string): void {
    this.#isLost = false
    this.#token = token
    this.#o.storage.setItem(TOKEN_KEY, token)
  }

  /** `fetch` that sends nothing to where the daemon is not any more, and tells when it goes. */
  readonly fetch: typeof fetch = async (input, init) => {
    if (this.#isLost) throw new TypeError('the daemon has gone: nothing is sent to who came after it')
    try {
      const answer = await this.#o.fetch(input, init)
      if (answer.status === 401 && (await codeOf(answer)) === 'unauthorized') this.#refuse()
      return answer
    } catch (error) {
      if (init?.signal?.aborted !== true && this.#standing === 0) this.#lose()
      throw error
    }
  }

  /** The items of a line. One that was greeted and is cut off says that the process at its other end is gone. */
  async *items(line: Line, signal: AbortSignal): AsyncGenerator<StreamItem> {
    let stands = false
    try {
      for await (const item of line.items()) {
        if (!stands) this.#standing++
        stands = true
        yield item
      }
    } finally {
      if (stands) this.#standing--
    }
    if (stands && !signal.aborted && ENDED.includes(line.closeCode)) this.#lose()
  }

  /** Whether anybody answers at all; who it is, nobody knows. */
  async answers(): Promise<boolean> {
    const init: RequestInit = {
      credentials: 'omit',
      cache: 'no-store',
      redirect: 'error',
      referrerPolicy: 'no-referrer',
      signal: AbortSignal.timeout(HEALTH_MS),
    }
    return this.#o.fetch(HEALTH, init).then(
      ({ ok }) => ok,
      () => false,
    )
  }

  #refuse(): void {
    this.#forget()
    this.#o.onRefused()
  }
  #lose(): void {
    if (this.#isLost) return
    this.#isLost = true
    this.#forget()
    this.#o.onLost()
  }
  #forget(): void {
    this.#token = undefined
    this.#o.storage.removeItem(TOKEN_KEY)
  }
}

async function codeOf(answer: Response): Promise<unknown> {
  const problem: unknown = await answer
    .clone()
    .json()
    .catch(() => null)
  return (problem as { code?: unknown } | null)?.code
}
