/** What the owner chose: kept sealed, read once, told to whoever works by it. */
import type { Startable } from '../../lib/lifecycle.ts'
import type { StoreOp } from '../../store/database.ts'
import type { Journal } from '../events/journal.ts'
import { changed, decodeSettings, DEFAULT_SETTINGS, encodeSettings, sameSettings } from './values.ts'
import type { UserSettings, UserSettingsChange } from './values.ts'

/** Under which the sealed settings store keeps them, as JSON. */
export const SETTINGS_NAME = 'user-settings'

export interface SettingsComponents {
  readonly store: {
    readonly settings: {
      get(name: string): Promise<string | undefined>
      put(name: string, value: string): readonly StoreOp[]
    }
  }
  readonly journal: Journal
}

export class SettingsBook implements Startable {
  readonly #c: SettingsComponents
  readonly #watchers = new Set<(settings: UserSettings) => void>()
  #current = DEFAULT_SETTINGS

  constructor(components: SettingsComponents) {
    this.#c = components
  }

  async start(): Promise<void> {
    this.#current = await this.#kept()
  }

  stop(): void {
    this.#watchers.clear()
  }

  /** As they are on the disk; the defaults before {@link start}. */
  current(): UserSettings {
    return this.#current
  }

  /** Throws UsageError for a number out of its bounds. */
  async update(change: UserSettingsChange): Promise<UserSettings> {
    return this.#c.journal.commit(async () => {
      const before = await this.#kept()
      const next = changed(before, change)
      if (sameSettings(before, next)) return { ops: [], facts: [], result: before }
      return {
        ops: this.#c.store.settings.put(SETTINGS_NAME, encodeSettings(next)),
        facts: [{ type: 'settings:changed', data: { ...next } }],
        result: next,
        done: () => {
          this.#became(next)
        },
      }
    })
  }

  /** Calls back after each change, until the returned function ends it. */
  watch(watcher: (settings: UserSettings) => void): () => void {
    this.#watchers.add(watcher)
    return () => {
      this.#watchers.delete(watcher)
    }
  }

  /** Something else has written them. Where they cannot be read now, they hold from the next start on. */
  async reload(): Promise<void> {
    try {
      this.#became(await this.#kept())
    } catch {}
  }

  async #kept(): Promise<UserSettings> {
    return decodeSettings(await this.#c.store.settings.get(SETTINGS_NAME))
  }

  #became(settings: UserSettings): void {
    this.#current = settings
    for (const watcher of this.#watchers) watcher(settings)
  }
}
