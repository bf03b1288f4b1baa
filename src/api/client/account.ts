import type { AccountPart } from '../application/account.ts'
import type { Requests } from './transport.ts'
import { pathOf } from './transport.ts'

export function accountCalls({ get, post }: Requests): AccountPart {
  return {
    status: () => get('/status'),
    createIdentity: (input) => post('/identity', input),
    unlock: (passphrase) => post('/identity/unlock', { passphrase }),
    lock: () => post('/identity/lock'),
    identity: () => get('/identity'),
    rotateIdentity: (input) => post('/identity/rotate', input),
    publishIdentity: () => post('/identity/publish'),
    prekeys: () => get('/prekeys'),
    rotatePrekeys: () => post('/prekeys/rotate'),
    lookup: (accountId) => get(pathOf`/keys/${accountId}`),
  }
}
