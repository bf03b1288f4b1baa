import type { ComponentChildren } from 'preact'
import type { RenderResult } from '@testing-library/preact'
import { render } from '@testing-library/preact'
import { StoreContext } from '../../../src/web/state/context.ts'
import { Store } from '../../../src/web/state/store.ts'
import type { FakeApi } from './fake-api.ts'

/** A component with a store around it that has read everything. */
export async function mount(api: FakeApi, children: ComponentChildren): Promise<{ store: Store; view: RenderResult }> {
  const store = new Store(api)
  await store.readAll()
  return { store, view: render(<StoreContext.Provider value={store}>{children}</StoreContext.Provider>) }
}

/** A component with this store around it. */
export function mountWith(store: Store, children: ComponentChildren): RenderResult {
  return render(<StoreContext.Provider value={store}>{children}</StoreContext.Provider>)
}
