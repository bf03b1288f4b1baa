/** Who may ask what: named tokens, and the one-use codes by which the page gets one. */

/** Each can do what stands before it: `read` looks, `send` talks, `admin` decides. */
export type Scope = 'read' | 'send' | 'admin'

export interface TokenView {
  /** 16 hexadecimal digits. */
  readonly id: string
  readonly name: string
  readonly scope: Scope
  readonly createdAt: string
  /** Null for one that stays until it is revoked. */
  readonly expiresAt: string | null
  /** To the minute; null before its first use. */
  readonly usedAt: string | null
}

/** The only time that the token itself is told: it is kept as a hash. */
export interface CreatedToken extends TokenView {
  readonly token: string
}

export interface TokenRequest {
  readonly name: string
  /** The highest of them counts. */
  readonly scopes: readonly Scope[]
  /** 1 to 3,650; without it the token stays until it is revoked. */
  readonly days?: number
}

export interface PageCode {
  /** Good for one use within a minute. */
  readonly code: string
  /** The page, with the code behind `#`: a browser sends that part to nobody. */
  readonly url: string
}

export interface PageSession {
  readonly token: string
  /** Null: it is good until this daemon stops, and kept nowhere. */
  readonly expiresAt: string | null
}

export interface RotatedToken {
  /** Named tokens of scope `admin`, which work on: revoke the ones that are not needed. */
  readonly remaining: readonly TokenView[]
}

export interface Access {
  tokens(): Promise<readonly TokenView[]>
  /** Throws LimitError above 64 of them, ConflictError for a name that is taken. */
  createToken(request: TokenRequest): Promise<CreatedToken>
  /** Closes its event streams. Throws NotFoundError. */
  revokeToken(id: string): Promise<void>
  /** The admin token of the home's `api-token` file is replaced and the page's tokens are revoked; their event streams are closed. */
  rotateToken(): Promise<RotatedToken>
  pageCode(): Promise<PageCode>
  /**
   * Throws RequestError 401 for a code that was used, has run out or never was. One that comes a second time within a minute ends
   * the session that it made: one of the two was not the owner.
   */
  pageSession(code: string): Promise<PageSession>
}
