/** What contacts say of themselves, read once for each number of their profile. */
import { signal } from '@preact/signals'
import type { ContactView } from '../../api/application/contacts.ts'
import type { ProfileView } from '../../api/application/profile.ts'
import type { PageApi } from './port.ts'

export class Profiles {
  readonly known = signal<ReadonlyMap<string, ProfileView>>(new Map())
  readonly #api: Pick<PageApi, 'contactProfile'>
  readonly #asked = new Map<string, number>()

  constructor(api: Pick<PageApi, 'contactProfile'>) {
    this.#api = api
  }

  /** Reads the profile unless this number of it is known or being read. A failure leaves the picture out. */
  async want({ accountId, profileNumber }: ContactView): Promise<void> {
    if (profileNumber === 0 || this.#asked.get(accountId) === profileNumber) return
    this.#asked.set(accountId, profileNumber)
    try {
      const profile = await this.#api.contactProfile(accountId)
      this.known.value = new Map(this.known.value).set(accountId, profile)
    } catch {
      this.#asked.delete(accountId)
    }
  }

  forget(): void {
    this.#asked.clear()
    this.known.value = new Map()
  }
}
