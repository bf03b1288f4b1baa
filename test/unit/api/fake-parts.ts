/** The parts of the fake application that stand alone: owner, storage, consumers, what is live. */
import type { ConsumerView, EventsPart } from '../../../src/api/application/events.ts'
import type { LiveEvent, LivePart } from '../../../src/api/application/live.ts'
import type { ZoneView } from '../../../src/api/application/network.ts'
import type { ProfilePart, ProfileView } from '../../../src/api/application/profile.ts'
import type { SettingsPart, SettingsView } from '../../../src/api/application/settings.ts'
import type { StoragePart } from '../../../src/api/application/storage.ts'
import { fromUtf8, utf8 } from '../../../src/lib/bytes.ts'
import { CodecError, NotFoundError, PassphraseError, UsageError } from '../../../src/lib/errors.ts'

const AT = '2026-11-21T13:20:00.000Z'

export interface FakeLive {
  readonly typed: { accountId: string; typing: boolean }[]
  emitLive(event: LiveEvent): void
}

export function fakeProfile(find: (accountId: string) => unknown): ProfilePart {
  let profile: ProfileView = { name: '', bio: '', avatar: null, number: 0 }
  return {
    profile: async () => profile,
    async updateProfile(change) {
      profile = { ...profile, ...change, number: profile.number + 1 }
      return profile
    },
    async contactProfile(accountId) {
      find(accountId)
      return { name: 'Bob', bio: '', avatar: null, number: 1 }
    },
  }
}

export function fakeSettings(): SettingsPart {
  let settings: SettingsView = {
    readReceipts: true,
    typing: true,
    presence: true,
    retentionDays: null,
    autoLockMinutes: null,
    defaultTimerSeconds: null,
  }
  return {
    settings: async () => settings,
    async updateSettings(change) {
      settings = { ...settings, ...change }
      return settings
    },
  }
}

/** A backup that is three chunks of text: `sotto backup`, the passphrase that opens it, `end`. */
export function fakeStorage(home: { state: string; passphrase: string }, accountId: string): StoragePart {
  const summary = { accountId, createdAt: AT, contacts: 2, messages: 0 }
  return {
    async *backup({ current, passphrase }) {
      if (current !== home.passphrase) throw new PassphraseError('the passphrase does not open the keys')
      for (const chunk of ['sotto backup\n', `${passphrase}\n`, 'end\n']) yield utf8(chunk)
    },
    async restoreBackup({ backup, passphrase, newPassphrase }) {
      let text = ''
      for await (const chunk of backup) text += fromUtf8(chunk) ?? ''
      const [head, opens, end] = text.split('\n')
      if (head !== 'sotto backup' || end !== 'end') throw new CodecError('this is no backup, or it was cut off')
      if (opens !== passphrase) throw new PassphraseError('the passphrase does not open the backup')
      home.state = 'ready'
      home.passphrase = newPassphrase
      return summary
    },
    async changePassphrase({ passphrase, newPassphrase }) {
      if (passphrase !== home.passphrase) throw new PassphraseError('the passphrase does not open the keys')
      home.passphrase = newPassphrase
    },
  }
}

export function fakeLive(find: (accountId: string) => unknown): LivePart & FakeLive {
  const listeners = new Set<(event: LiveEvent) => void>()
  const typed: FakeLive['typed'] = []
  return {
    typed,
    emitLive(event) {
      for (const listener of listeners) listener(event)
    },
    async setTyping(accountId, typing) {
      find(accountId)
      typed.push({ accountId, typing })
    },
    onLive(listener) {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
  }
}

type ConsumerPart = Pick<EventsPart, 'consumers' | 'consumer' | 'acknowledge' | 'removeConsumer'>

export function fakeConsumers(last: () => number): ConsumerPart {
  const known = new Map<string, ConsumerView>()
  const keep = (name: string, acknowledged: number): ConsumerView => {
    const view = { name, acknowledged, createdAt: AT, seenAt: AT }
    known.set(name, view)
    return view
  }
  const find = (name: string): ConsumerView => {
    const found = known.get(name)
    if (found === undefined) throw new NotFoundError('no such consumer')
    return found
  }
  return {
    consumers: async () => [...known.values()],
    consumer: async (name, { from = last() } = {}) => known.get(name) ?? keep(name, from),
    async acknowledge(name, number) {
      const { acknowledged } = find(name)
      if (number > last()) throw new UsageError('this event has not happened yet')
      return keep(name, Math.max(acknowledged, number))
    },
    async removeConsumer(name) {
      find(name)
      known.delete(name)
    },
  }
}

export const fakeZone: ZoneView = {
  self: 'a'.repeat(64),
  holders: [{ peerId: '12D3KooWHolder', position: 'b'.repeat(64), connected: true, holdsForUs: true }],
  mailboxes: ['c'.repeat(64)],
  held: { serving: true, letters: 2, bytes: 100, bytesMax: 1_000, mailboxes: 1, cards: 1 },
}
