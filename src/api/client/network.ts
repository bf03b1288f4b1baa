import type { LivePart } from '../application/live.ts'
import type { NetworkPart } from '../application/network.ts'
import type { Requests } from './transport.ts'
import { pathOf } from './transport.ts'

export interface SessionCalls {
  /** Fetches what the first message to this contact needs; again is harmless. */
  establishSession(accountId: string): Promise<{ readonly accountId: string; readonly devices: number }>
}

export function networkCalls({ get, list, post }: Requests): NetworkPart & Pick<LivePart, 'setTyping'> & SessionCalls {
  return {
    mailbox: () => get('/mailbox'),
    net: () => get('/net'),
    peers: () => list('/peers'),
    zone: () => get('/zone'),
    setTyping: (accountId, typing) => post(pathOf`/conversations/${accountId}/typing`, { typing }),
    establishSession: (accountId) => post('/sessions', { to: accountId }),
  }
}
