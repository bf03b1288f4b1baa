/**
 * The tokens of a home. The admin token lies readable in `api-token`, for the owner's own programs; named ones are kept as SHA-256
 * only, in `tokens.json`; the page's in memory only, until the daemon stops. All are 256 random bits, so a hash without salt tells nothing. All are compared without stopping at the
 * first difference, and without stopping at the one that fits.
 */
import type { Scope, TokenView } from './application/access.ts'
import type { Clock } from '../lib/clock.ts'
import { equal, fromHex, toBase64url, toHex, utf8 } from '../lib/bytes.ts'
import { ConflictError, LimitError, NotFoundError } from '../lib/errors.ts'
import type { Rng } from '../lib/rng.ts'
import { DAY_MS } from '../lib/time.ts'
import type { StoredToken } from './files.ts'
import { openToken, readTokens, renewToken, writeTokens } from './files.ts'

const TOKENS_MAX = 64
/** Tokens that the page got: each browser has one, and forgets it. The longest unused one makes room. */
const PAGES_MAX = 8
const PAGE_NAME = 'page'
/** A use is written down this late at the most; it is shown to the minute at once. */
const USE_WRITE_MS = 3_600_000
const MINUTE_MS = 60_000
const ID_BYTES = 8
const TOKEN_BYTES = 32

/** Who asks. */
export interface Caller {
  /** Of the token; `admin` for the one in the home's file. */
  readonly id: string
  readonly scope: Scope
  /** SHA-256 of the token. */
  readonly hash: Uint8Array
}

export interface TokenOptions {
  readonly home: string
  readonly sha256: (...parts: readonly Uint8Array[]) => Uint8Array
  readonly clock: Clock
  readonly rng: Rng
}

const ADMIN_ID = 'admin'

export class Tokens {
  readonly #options: TokenOptions
  readonly #revoked: (id: string) => void
  #admin: Uint8Array
  #named: readonly StoredToken[]
  /** The page's: never written, so that nothing of a browser opens a daemon that was started anew. */
  #pages: readonly StoredToken[] = []
  /** Revoked, and still in the file as far as we know. */
  readonly #unwritten = new Set<string>()
  #written = 0
  /** One writer at a time, each with what is true when its turn comes. */
  #writing: Promise<void> = Promise.resolve()

  private constructor(
    options: TokenOptions,
    admin: string,
    named: readonly StoredToken[],
    revoked: (id: string) => void,
  ) {
    this.#options = options
    this.#admin = options.sha256(utf8(admin))
    this.#named = named.filter((token) => !isPage(token))
    this.#revoked = revoked
  }

  /** `revoked` is told the id of each token that is good no longer. Throws StorageError. */
  static async open(options: TokenOptions, revoked: (id: string) => void): Promise<Tokens> {
    const { home, rng } = options
    return new Tokens(options, await openToken(home, rng), await readTokens(home), revoked)
  }

  /** Who has this token; undefined where nobody has. */
  accepts(candidate: string): Caller | undefined {
    const hash = this.#options.sha256(utf8(candidate))
    let found: Caller | undefined = equal(hash, this.#admin) ? { id: ADMIN_ID, scope: 'admin', hash } : undefined
    for (const { id, scope, hash: kept, expiresAt } of this.#all()) {
      const fits = equal(hash, fromHex(kept) ?? new Uint8Array(0))
      if (fits && !this.#isOver(expiresAt)) found = { id, scope, hash }
    }
    if (found !== undefined && found.id !== ADMIN_ID) this.#used(found.id)
    return found
  }

  list(): readonly TokenView[] {
    return this.#all()
      .filter(({ expiresAt }) => !this.#isOver(expiresAt))
      .map(viewOf)
  }

  /** Throws LimitError, ConflictError. */
  async create(name: string, scope: Scope, days: number | undefined): Promise<TokenView & { token: string }> {
    this.expire()
    if (this.#named.length >= TOKENS_MAX) throw new LimitError(`at most ${TOKENS_MAX} tokens; revoke one first`)
    if (name === PAGE_NAME || this.#named.some((token) => token.name === name))
      throw new ConflictError('a token of this name exists; revoke it, or take another name')
    const { token, stored } = this.#make(name, scope, days)
    this.#named = [...this.#named, stored]
    try {
      await this.#write()
    } catch (error) {
      this.#named = this.#named.filter((each) => each !== stored)
      throw error
    }
    return { ...viewOf(stored), token }
  }

  /** A token for the page: good for everything, until the daemon stops. */
  createForPage(): TokenView & { token: string } {
    const lastUse = ({ usedAt, createdAt }: StoredToken): number => usedAt ?? createdAt
    const pages = this.#pages.toSorted((a, b) => lastUse(b) - lastUse(a))
    for (const { id } of pages.slice(PAGES_MAX - 1)) this.#dropPage(id)
    const { token, stored } = this.#make(PAGE_NAME, 'admin', undefined)
    this.#pages = [...this.#pages, stored]
    return { ...viewOf(stored), token }
  }

  /** It is good no longer, whether or not that can be written. Throws NotFoundError; StorageError, and then it is tried again. */
  async revoke(id: string): Promise<void> {
    if (this.#pages.some((token) => token.id === id)) {
      this.#dropPage(id)
      return
    }
    const known = this.#named.some((token) => token.id === id)
    if (!known && !this.#unwritten.has(id)) throw new NotFoundError('there is no such token')
    this.#named = this.#named.filter((token) => token.id !== id)
    this.#unwritten.add(id)
    if (known) this.#revoked(id)
    await this.#write()
  }

  /**
   * From now on only the new admin token counts, which clients read from the file, and the page has to be opened anew. Gives the
   * other tokens of scope `admin`, which remain.
   */
  async rotate(): Promise<readonly TokenView[]> {
    this.#admin = this.#options.sha256(utf8(await renewToken(this.#options.home, this.#options.rng)))
    this.#revoked(ADMIN_ID)
    for (const { id } of this.#pages) this.#dropPage(id)
    return this.list().filter(({ scope }) => scope === 'admin')
  }

  /** Writes what could not be written when it was to be. */
  async retry(): Promise<void> {
    if (this.#unwritten.size > 0) await this.#write().catch(() => {})
  }

  /** Lets go of what has run out. */
  expire(): void {
    const over = this.#named.filter(({ expiresAt }) => this.#isOver(expiresAt))
    if (over.length === 0) return
    this.#named = this.#named.filter((token) => !over.includes(token))
    for (const { id } of over) this.#revoked(id)
  }

  /** Writes down the last uses, as far as the disk lets it: that they are lost harms nobody. */
  async flush(): Promise<void> {
    const stale = this.#named.some(({ usedAt }) => usedAt !== null && usedAt > this.#written)
    if (stale || this.#unwritten.size > 0) await this.#write().catch(() => {})
    await this.#writing
  }

  #make(
    name: string,
    scope: Scope,
    days: number | undefined,
  ): { readonly token: string; readonly stored: StoredToken } {
    const { rng, clock, sha256 } = this.#options
    const token = toBase64url(rng.bytes(TOKEN_BYTES))
    const createdAt = clock.now()
    const stored: StoredToken = {
      id: toHex(rng.bytes(ID_BYTES)),
      name,
      scope,
      hash: toHex(sha256(utf8(token))),
      createdAt,
      expiresAt: days === undefined ? null : createdAt + days * DAY_MS,
      usedAt: null,
    }
    return { token, stored }
  }

  #all(): readonly StoredToken[] {
    return [...this.#named, ...this.#pages]
  }

  #dropPage(id: string): void {
    this.#pages = this.#pages.filter((token) => token.id !== id)
    this.#revoked(id)
  }

  #used(id: string): void {
    const now = this.#options.clock.now()
    const minute = now - (now % MINUTE_MS)
    if (this.#all().some((token) => token.id === id && token.usedAt === minute)) return
    const noted = (token: StoredToken): StoredToken => (token.id === id ? { ...token, usedAt: minute } : token)
    this.#named = this.#named.map(noted)
    this.#pages = this.#pages.map(noted)
    if (now - this.#written >= USE_WRITE_MS) void this.flush()
  }

  async #write(): Promise<void> {
    const { home, clock } = this.#options
    const turn = this.#writing.then(async () => {
      const gone = [...this.#unwritten]
      await writeTokens(home, this.#named)
      for (const id of gone) this.#unwritten.delete(id)
    })
    this.#writing = turn.catch(() => {})
    this.#written = clock.now()
    await turn
  }

  #isOver(expiresAt: number | null): boolean {
    return expiresAt !== null && expiresAt <= this.#options.clock.now()
  }
}

const isPage = ({ name }: StoredToken): boolean => name === PAGE_NAME

function viewOf({ id, name, scope, createdAt, expiresAt, usedAt }: StoredToken): TokenView {
  const iso = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString())
  return {
    id,
    name,
    scope,
    createdAt: new Date(createdAt).toISOString(),
    expiresAt: iso(expiresAt),
    usedAt: iso(usedAt),
  }
}
