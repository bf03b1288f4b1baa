/** The page's start: the code in the address becomes a token, the token a client, the client a store, the store a page. */
import { render } from 'preact'
import { fetchTransport } from '../api/fetch-transport.ts'
import { apiCalls } from '../api/client/calls.ts'
import { webLine } from '../api/client/web-line.ts'
import { App } from './app/app.tsx'
import { watchRoute } from './app/routes.ts'
import { StoreContext } from './state/context.ts'
import { follow } from './state/feed.ts'
import { loadKeys } from './state/keys.ts'
import { loadNotify } from './state/notify.ts'
import { Session, takeCode } from './state/session.ts'
import { Store } from './state/store.ts'
import { loadTheme } from './state/theme.ts'
import { watchTab } from './state/tab.ts'
import { watchUse } from './state/use.ts'

const root = document.querySelector<HTMLElement>('#page') ?? document.body
// A number that is not reached yet means: from now on.
const FROM_NOW = `/events?since=${Number.MAX_SAFE_INTEGER}`

function storeHere(): { readonly store: Store; readonly session: Session } {
  const ask: typeof fetch = (input, init) => fetch(input, init)
  const session = new Session({
    storage: sessionStorage,
    fetch: ask,
    onRefused: () => (store.door.value = 'refused'),
    onLost: () => (store.door.value = 'lost'),
  })
  const token = (): string | undefined => session.token()
  const open = webLine({ token })
  // The code leads to this very place: it is the one thing that is sent also after the daemon was lost.
  const gate = apiCalls(fetchTransport({ token: () => undefined, fetch: ask }))
  const store: Store = new Store({
    ...apiCalls(fetchTransport({ token, fetch: session.fetch })),
    events: (signal) => session.items(open(FROM_NOW, signal), signal),
    answers: () => session.answers(),
    enter: async (code) => {
      session.letIn((await gate.pageSession(code)).token)
    },
  })
  return { store, session }
}

async function start(): Promise<void> {
  loadTheme(localStorage, document.documentElement)
  loadNotify(localStorage)
  loadKeys(localStorage)
  const { store, session } = storeHere()
  const enter = async (): Promise<void> => {
    const code = takeCode(location, history)
    if (code !== undefined) await store.enter(code).catch(() => {})
  }
  if (session.token() !== undefined) store.door.value = 'in'
  await enter()
  watchRoute(window)
  // A link of `sotto open` in a tab that is open: what was typed in it stays.
  window.addEventListener('hashchange', () => void enter())
  watchTab(store, window)
  watchUse(store, window)
  render(
    <StoreContext.Provider value={store}>
      <App />
    </StoreContext.Provider>,
    root,
  )
  await follow(store, new AbortController().signal)
}

void start()
