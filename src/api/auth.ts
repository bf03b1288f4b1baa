/** Who may speak to the API: this machine's own names in Host and Origin, and the bearer of the token. */
import type { IncomingHttpHeaders } from 'node:http'
import { equal, toHex, utf8 } from '../lib/bytes.ts'
import { UsageError } from '../lib/errors.ts'
import type { Rng } from '../lib/rng.ts'
import { RequestError } from './errors.ts'
import { openToken, renewToken } from './files.ts'

/** The one token of a home, 256 bits, compared without stopping at the first difference. */
export class ApiToken {
  readonly #home: string
  readonly #rng: Rng
  #value: string

  private constructor(home: string, rng: Rng, value: string) {
    this.#home = home
    this.#rng = rng
    this.#value = value
  }

  static async open(home: string, rng: Rng): Promise<ApiToken> {
    return new ApiToken(home, rng, await openToken(home, rng))
  }

  accepts(candidate: string | undefined): boolean {
    return candidate !== undefined && equal(utf8(candidate), utf8(this.#value))
  }

  /**
   * The message id (16 bytes, hex) that an idempotency key stands for. The token is hashed in, so that two people who
   * use the same key do not get the same id, and nobody can tell the key from the id.
   */
  messageIdFor(key: string, sha256: (...parts: readonly Uint8Array[]) => Uint8Array): string {
    return toHex(sha256(utf8('sotto api idempotency v1'), utf8(this.#value), utf8(key)).subarray(0, 16))
  }

  /** From now on only the new token counts; clients read it from the file. */
  async rotate(): Promise<void> {
    this.#value = await renewToken(this.#home, this.#rng)
  }
}

/** The token of `Authorization: Bearer …`, if the header has that form. */
export function bearerOf(headers: IncomingHttpHeaders): string | undefined {
  return /^Bearer ([A-Za-z0-9_-]{1,128})$/i.exec(headers.authorization ?? '')?.[1]
}

const LOOPBACK_HOSTS = ['127.0.0.1', 'localhost', '[::1]']

/**
 * Refuses what a web page elsewhere could send: a foreign Host (DNS rebinding, AP-10) or a foreign Origin.
 * @param port where the loopback listener is, or undefined on the unix socket, which no page can reach by name.
 */
export function checkCaller(headers: IncomingHttpHeaders, port: number | undefined): void {
  const own = port === undefined ? [] : LOOPBACK_HOSTS.map((host) => `${host}:${port}`)
  const { host, origin } = headers
  if (port !== undefined && !own.includes(host?.toLowerCase() ?? '')) {
    throw new RequestError(403, 'forbidden-host', 'the Host header does not name this daemon')
  }
  if (origin !== undefined && !own.some((name) => origin.toLowerCase() === `http://${name}`)) {
    throw new RequestError(403, 'forbidden-origin', 'requests from other origins are refused')
  }
}

/** The API speaks plain HTTP, so it never leaves this machine. Throws UsageError for any other bind address. */
export function requireLoopback(host: string): void {
  if (host === '127.0.0.1' || host === '::1' || host === 'localhost') return
  throw new UsageError('the API binds to loopback only (it has no TLS): use 127.0.0.1 and a tunnel such as ssh -L')
}
