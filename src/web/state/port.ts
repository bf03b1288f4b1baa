/** What the page asks of the daemon: the typed client of the API over `fetch`, or a handful of closures in a test. */
import type { ApiCalls } from '../../api/client/calls.ts'
import type { EventCalls } from '../../api/client/events.ts'
import type { StreamItem } from '../../api/client/follow.ts'

export interface PageApi extends Omit<ApiCalls, keyof EventCalls> {
  /** What happens from now on, for as long as the connection holds. Its first item is a hello. */
  events(signal: AbortSignal): AsyncIterable<StreamItem>
  /** Whether anybody answers where the daemon was; asked without the token. */
  answers(): Promise<boolean>
  /** Exchanges a code of `sotto open` for this tab's token. Throws where the code is not good. */
  enter(code: string): Promise<void>
}
