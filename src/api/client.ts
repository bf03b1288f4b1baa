/**
 * The client of a daemon on this machine. Its calls are those of `client/calls.ts`, which the page uses too; here is what only Node
 * has. Starts fast: no server and no schema library is loaded.
 */
import type { EventView } from './application/events.ts'
import type { ApiCalls } from './client/calls.ts'
import { apiCalls } from './client/calls.ts'
import type { Consuming } from './client/consume.ts'
import { consume } from './client/consume.ts'
import type { Following, StreamItem } from './client/follow.ts'
import { follow } from './client/follow.ts'
import { readAddress, readToken } from './files.ts'
import type { NodeOptions } from './http.ts'
import { nodeTransport, notRunning } from './http.ts'

export interface ApiClient extends ApiCalls {
  /** Lets go of the kept connections. */
  close(): void
  /**
   * Every event after `since`, then those to come, in order and without loss, over dropped connections and restarts of
   * the daemon. Ends when `signal` fires. Throws LockedError and what a refused token means.
   */
  events(since: number, signal?: AbortSignal): AsyncGenerator<StreamItem>
  /** The same from a consumer's place, or of some types only. */
  follow(following: Following, signal?: AbortSignal): AsyncGenerator<StreamItem>
  /** See `consume`: a bot's loop. */
  consume(options: Consuming, handler: (event: EventView) => Promise<void> | void): Promise<void>
}

/** A client of the daemon on `home`. Throws DaemonError where none runs. */
export async function connect(home: string, timeoutMs?: number): Promise<ApiClient> {
  const [address, token] = await Promise.all([readAddress(home), readToken(home)])
  if (address === undefined || token === undefined) throw notRunning()
  return openClient({ endpoint: { socketPath: address.socketPath }, token, timeoutMs })
}

export function openClient(options: NodeOptions): ApiClient {
  const transport = nodeTransport(options)
  const client: ApiClient = {
    ...apiCalls(transport),
    close: () => {
      transport.close()
    },
    events: (since, signal) => client.follow({ since }, signal),
    async *follow(following, signal) {
      const { nodeLine } = await import('./event-client.ts')
      yield* follow(nodeLine(options.endpoint, options.token), following, signal)
    },
    consume: async (consuming, handler) => consume(client, consuming, handler),
  }
  return client
}
