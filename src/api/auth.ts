/** Who may speak to the API, and what with: the bearer of a token, as far as its scope goes. */
import type { IncomingHttpHeaders } from 'node:http'
import { toHex, utf8 } from '../lib/bytes.ts'
import type {
  Access,
  CreatedToken,
  PageCode,
  PageSession,
  RotatedToken,
  Scope,
  TokenRequest,
  TokenView,
} from './application/access.ts'
import { RequestError } from './errors.ts'
import { removePageOpen } from './files.ts'
import { CODE_LIFE_MS, PageCodes } from './page-codes.ts'
import type { Caller, TokenOptions } from './tokens.ts'
import { Tokens } from './tokens.ts'

export const SCOPES: readonly Scope[] = ['read', 'send', 'admin']
/** So long may a stream go on whose token has run out. */
const EXPIRY_SWEEP_MS = 300_000

export interface AuthOptions extends TokenOptions {
  /** Told the id of each token that is good no longer. */
  readonly revoked: (id: string) => void
  /** Where the page is, with a `/` at the end. */
  readonly pageUrl: () => string
  /** Told that a code was used twice. */
  readonly codeReused: () => void
}

export class Auth implements Access {
  readonly #options: AuthOptions
  readonly #codes: PageCodes
  readonly #tokens: Tokens
  #stopSweep = (): void => {}
  #stopPageOpen = (): void => {}

  private constructor(options: AuthOptions, tokens: Tokens) {
    this.#options = options
    this.#tokens = tokens
    this.#codes = new PageCodes(options)
  }

  static async open(options: AuthOptions): Promise<Auth> {
    const auth = new Auth(options, await Tokens.open(options, options.revoked))
    await removePageOpen(options.home)
    auth.#sweep()
    return auth
  }

  async close(): Promise<void> {
    this.#stopSweep()
    this.#stopPageOpen()
    await removePageOpen(this.#options.home)
    await this.#tokens.flush()
  }

  accepts(candidate: string | undefined): Caller | undefined {
    return candidate === undefined ? undefined : this.#tokens.accepts(candidate)
  }

  /**
   * The id (16 bytes, hex) that an idempotency key stands for. The token is hashed in, so that two people who
   * use the same key do not get the same id, and nobody can tell the key from the id.
   */
  idFor(caller: Caller, what: 'message' | 'operation', key: string): string {
    const label = what === 'message' ? 'sotto api idempotency v1' : 'sotto api operation v1'
    return toHex(this.#options.sha256(utf8(label), caller.hash, utf8(key)).subarray(0, 16))
  }

  async tokens(): Promise<readonly TokenView[]> {
    return this.#tokens.list()
  }

  async createToken({ name, scopes, days }: TokenRequest): Promise<CreatedToken> {
    const scope = SCOPES.findLast((each) => scopes.includes(each)) ?? 'read'
    return this.#tokens.create(name, scope, days)
  }

  async revokeToken(id: string): Promise<void> {
    await this.#tokens.revoke(id)
  }

  async rotateToken(): Promise<RotatedToken> {
    return { remaining: await this.#tokens.rotate() }
  }

  /** A client may put the address into the home's `page-open.html`; it is taken away with the code. */
  async pageCode(): Promise<PageCode> {
    const code = this.#codes.create()
    this.#stopPageOpen()
    this.#stopPageOpen = this.#options.clock.after(CODE_LIFE_MS, () => {
      this.#closePageOpen()
    })
    return { code, url: `${this.#options.pageUrl()}#code=${code}` }
  }

  async pageSession(code: string): Promise<PageSession> {
    const made = this.#codes.use(code, () => this.#tokens.createForPage())
    if (made === undefined) {
      await this.#endReused(code)
      throw new RequestError(401, 'unauthorized', 'this code was used or has run out: sotto open')
    }
    if (this.#codes.pending === 0) this.#closePageOpen()
    const { token, expiresAt } = made
    return { token, expiresAt }
  }

  async #endReused(code: string): Promise<void> {
    const id = this.#codes.madeFrom(code)
    if (id === undefined) return
    this.#options.codeReused()
    if (this.#tokens.list().some((token) => token.id === id)) await this.#tokens.revoke(id)
  }

  #closePageOpen(): void {
    this.#stopPageOpen()
    removePageOpen(this.#options.home).catch(() => {})
  }

  #sweep(): void {
    this.#stopSweep = this.#options.clock.after(EXPIRY_SWEEP_MS, () => {
      this.#tokens.expire()
      void this.#tokens.retry()
      this.#sweep()
    })
  }
}

/** Throws RequestError 403 where the token is not good for it. */
export function checkScope(caller: Caller, needed: Scope): void {
  if (SCOPES.indexOf(caller.scope) >= SCOPES.indexOf(needed)) return
  throw new RequestError(403, 'forbidden-scope', `this needs a token of scope ${needed}`)
}

/** The token of `Authorization: Bearer …`, if the header has that form. */
export function bearerOf(headers: IncomingHttpHeaders): string | undefined {
  return /^Bearer ([A-Za-z0-9_-]{1,128})$/i.exec(headers.authorization ?? '')?.[1]
}
