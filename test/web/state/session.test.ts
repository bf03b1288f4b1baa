/** What leaves the tab, and what does not any more when the daemon has gone. */
import { describe, expect, test, vi } from 'vitest'
import { fetchTransport } from '../../../src/api/fetch-transport.ts'
import type { Line, StreamItem } from '../../../src/api/client/follow.ts'
import { DaemonError, TimeoutError } from '../../../src/lib/errors.ts'
import { codeIn, Session } from '../../../src/web/state/session.ts'

const HELLO: StreamItem = { type: 'hello', first: 1, last: 0, since: 0 }
const FOREVER = new AbortController().signal

type Answer = () => Promise<Response>
const ok: Answer = async () => Response.json({})
const gone: Answer = async () => Promise.reject(new TypeError('Failed to fetch'))

/** A tab with a token, before something whose answer the test chooses. */
function tab(first: Answer = ok) {
  const world = { answer: first }
  const sent: string[] = []
  const [onRefused, onLost] = [vi.fn(), vi.fn()]
  const send = async (input: unknown, init: RequestInit = {}) => {
    const token = new Headers(init.headers).get('authorization') ?? 'no token'
    sent.push(`${init.method ?? 'GET'} ${String(input)} ${token}`)
    return world.answer()
  }
  const session = new Session({ storage: sessionStorage, fetch: send, onRefused, onLost })
  session.letIn('secret')
  const transport = fetchTransport({ token: () => session.token(), fetch: session.fetch })
  const ask = async (timeoutMs?: number) =>
    transport.request({ method: 'POST', path: '/x', body: { text: 'mine' }, timeoutMs })
  return { world, sent, session, ask, onRefused, onLost }
}

function line(items: readonly StreamItem[], closeCode: number): Line {
  return {
    closeCode,
    async *items() {
      yield* items
    },
  }
}
async function readAll(items: AsyncIterable<StreamItem>): Promise<void> {
  for await (const _ of items);
}

describe('the tab and its daemon', () => {
  test('AP-09 TE-08 after a refused connection neither token nor text is sent again, whoever answers then', async () => {
    const { world, sent, session, ask, onLost } = tab(gone)
    await expect(ask()).rejects.toBeInstanceOf(DaemonError)
    expect(onLost).toHaveBeenCalledOnce()
    expect([session.token(), sessionStorage.length]).toEqual([undefined, 0])
    world.answer = ok
    sent.length = 0
    await expect(ask()).rejects.toBeInstanceOf(DaemonError)
    expect(sent).toEqual([])
    expect(await session.answers()).toBe(true)
    expect(sent).toEqual(['GET /healthz no token'])
    session.letIn('another')
    await ask()
    expect(sent[1]).toBe('POST /api/v1/x Bearer another')
  })

  test('AP-09 TE-08 so it is when the line of events is cut off, or the daemon says that it ends', async () => {
    for (const code of [1001, 1006]) {
      const { session, sent, ask } = tab()
      await readAll(session.items(line([HELLO], code), FOREVER))
      await expect(ask()).rejects.toBeInstanceOf(DaemonError)
      expect([session.token(), sent]).toEqual([undefined, []])
    }
  })

  test('a line that the daemon ends for a reason, that we end, or that never stood, says nothing of the kind', async () => {
    const { session, ask } = tab()
    await readAll(session.items(line([HELLO], 4423), FOREVER))
    await readAll(session.items(line([HELLO], 1006), AbortSignal.abort()))
    await readAll(session.items(line([], 1006), FOREVER))
    await ask()
    expect(session.token()).toBe('secret')
  })

  test('a daemon that is busy is the same one: the token stays', async () => {
    const never: Answer = () => new Promise(() => {})
    const { world, session, ask, onLost } = tab(never)
    world.answer = async () => {
      await new Promise((resolve) => setTimeout(resolve, 30))
      throw new DOMException('late', 'TimeoutError')
    }
    await expect(ask(1)).rejects.toBeInstanceOf(TimeoutError)
    expect([session.token(), onLost.mock.calls.length]).toEqual(['secret', 0])
  })

  test('while the line of events stands its process is there: one failed request is no more than that', async () => {
    const { world, session, ask } = tab()
    const items = session.items(line([HELLO, HELLO], 1006), FOREVER)
    await items.next()
    world.answer = gone
    await expect(ask()).rejects.toBeInstanceOf(DaemonError)
    expect(session.token()).toBe('secret')
  })

  test('a token that is no longer taken is noticed; a wrong passphrase is not mistaken for it', async () => {
    const { world, session, ask, onRefused } = tab(async () => Response.json({ code: 'passphrase' }, { status: 401 }))
    await ask().catch(() => {})
    expect([session.token(), onRefused.mock.calls.length]).toEqual(['secret', 0])
    world.answer = async () => Response.json({ code: 'unauthorized' }, { status: 401 })
    await ask().catch(() => {})
    expect([session.token(), onRefused.mock.calls.length]).toEqual([undefined, 1])
  })

  test('a code is found in a link', () => {
    expect(codeIn(' http://127.0.0.1:8123/#code=abcdefgh-1 ')).toBe('abcdefgh-1')
    expect(codeIn('http://127.0.0.1:8123/#/c/x')).toBeUndefined()
  })
})
