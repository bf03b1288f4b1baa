/** Every route of the API, room by room. */
import type { Route } from './route.ts'
import { contactRoutes } from './routes/contacts.ts'
import { eventRoutes } from './routes/events.ts'
import { identityRoutes } from './routes/identity.ts'
import { liveRoutes } from './routes/live.ts'
import { messageRoutes } from './routes/messages.ts'
import { networkRoutes } from './routes/network.ts'
import { openApiRoute } from './routes/openapi.ts'
import { profileRoutes } from './routes/profile.ts'
import { sessionRoutes } from './routes/sessions.ts'
import { settingsRoutes } from './routes/settings.ts'
import { storageRoutes } from './routes/storage.ts'
import { tokenRoutes } from './routes/tokens.ts'

export const ROUTES: readonly Route[] = [
  ...networkRoutes,
  ...identityRoutes,
  ...storageRoutes,
  ...contactRoutes,
  ...messageRoutes,
  ...liveRoutes,
  ...profileRoutes,
  ...settingsRoutes,
  ...eventRoutes,
  ...sessionRoutes,
  ...tokenRoutes,
  openApiRoute(() => ROUTES),
]
