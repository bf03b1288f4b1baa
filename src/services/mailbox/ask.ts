/** One question to one holder, with a deadline; what the answer says about other peers goes to the routing table. */
import { withDeadline } from '../../lib/clock.ts'
import { LimitError, NetworkError, TimeoutError } from '../../lib/errors.ts'
import type { HolderRequest, HolderResponse } from '../../wire/holder.ts'
import type { PeerRecord } from '../../wire/peer.ts'
import type { HolderLink } from '../ports.ts'
import type { MailDeps } from './deps.ts'

/** A holder that takes longer counts as gone: dialling included. */
export const ASK_TIMEOUT_MS = 3_000

type AskDeps = Pick<MailDeps, 'clock' | 'network' | 'routing'>

/** Throws NetworkError or TimeoutError, and then the peer is out of the table; LimitError where too much is asked of it; or the signal's reason. */
export async function ask(
  deps: AskDeps,
  peer: PeerRecord,
  request: HolderRequest,
  signal: AbortSignal,
): Promise<HolderResponse> {
  return withLink(deps, peer, signal, (link, inTime) => question(deps, link, request, inTime))
}

/** The same; nothing where the network, or the signal, kept the answer away. */
export async function tryAsk(...args: Parameters<typeof ask>): Promise<HolderResponse | undefined> {
  try {
    return await ask(...args)
  } catch (error) {
    if (isNetworkFault(error) || args[3].aborted) return undefined
    throw error
  }
}

/** Asks on a stream that is there; for what has to be said on one and the same stream. */
export async function question(
  deps: Pick<AskDeps, 'routing'>,
  link: HolderLink,
  request: HolderRequest,
  signal: AbortSignal,
): Promise<HolderResponse> {
  const response = await link.request(request, signal)
  deps.routing.learn(link.peerId, response.closer)
  return response
}

/** Runs `use` on the stream to `peer` within the deadline. Throws as {@link ask} does. */
export async function withLink<T>(
  deps: AskDeps,
  peer: PeerRecord,
  signal: AbortSignal,
  use: (link: HolderLink, inTime: AbortSignal) => Promise<T>,
): Promise<T> {
  const job = async (inTime: AbortSignal): Promise<T> => use(await deps.network.link(peer, inTime), inTime)
  try {
    return await withDeadline(deps.clock, ASK_TIMEOUT_MS, job, signal)
  } catch (error) {
    signal.throwIfAborted()
    // Too much under way on this link, or a fault of ours, says nothing about the peer.
    if (error instanceof NetworkError || error instanceof TimeoutError) deps.routing.evict(peer.id)
    throw error
  }
}

/** Whether an error is the network's, or its limit, and not a fault of ours. */
export function isNetworkFault(error: unknown): boolean {
  return error instanceof NetworkError || error instanceof TimeoutError || error instanceof LimitError
}
