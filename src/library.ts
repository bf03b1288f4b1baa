/**
 * What `import … from 'sotto'` gives: the typed client of a running daemon, the shapes of what it answers, and the errors it
 * throws. The daemon itself is started by the command line.
 */
export { connect, openClient } from './api/client.ts'
export type { ApiClient } from './api/client.ts'
export { resolveHome } from './api/paths.ts'
export * from './lib/errors.ts'
export type { StatusView, IdentityView, KeyView, PrekeysView } from './api/application/account.ts'
export type { Application } from './api/application/application.ts'
export type { ContactView, VerifyView } from './api/application/contacts.ts'
export type { ConsumerView, EventView } from './api/application/events.ts'
export type { ConversationView, MessageView, Page, WhyView } from './api/application/messages.ts'
export type { MailboxView, NetView, PeerView, ZoneView } from './api/application/network.ts'
export type { ProfileView } from './api/application/profile.ts'
export type { SettingsView } from './api/application/settings.ts'
export type { BackupSummary } from './api/application/storage.ts'
