/** What each route is for and what it answers with, for the OpenAPI document. A test holds this list against the routes. */
import type { z } from 'zod'
import {
  backupSummary,
  createdTokenView,
  pageCodeView,
  pageSessionView,
  rotatedTokenView,
  tokenView,
} from './views/access.ts'
import {
  createdIdentityView,
  identityView,
  keyView,
  prekeysView,
  publishedView,
  rotatedIdentityView,
  sessionView,
  statusView,
} from './views/account.ts'
import { contactView, inviteView, profileView, settingsView, verifyView } from './views/contacts.ts'
import { consumerView, eventPage } from './views/events.ts'
import { conversationView, markedView, messagePage, messageView, whyView } from './views/messages.ts'
import { mailboxView, netView, peerView, zoneView } from './views/network.ts'

export type AnswerShape =
  | { readonly view: z.ZodType }
  | { readonly items: z.ZodType }
  | { readonly bytes: string }
  | { readonly any: string }
  | { readonly nothing: true }

export interface Description {
  readonly summary: string
  readonly answer: AnswerShape
}

const nothing = { nothing: true } as const
const as = (view: z.ZodType, summary: string): Description => ({ summary, answer: { view } })
const listOf = (items: z.ZodType, summary: string): Description => ({ summary, answer: { items } })
const done = (summary: string): Description => ({ summary, answer: nothing })
const bytes = (type: string, summary: string): Description => ({ summary, answer: { bytes: type } })

const ACCOUNT: Readonly<Record<string, Description>> = {
  'GET /status': as(statusView, 'The daemon in short: version, state, peers, outbox, mailbox'),
  'GET /identity': as(identityView, 'The account of this home and its devices'),
  'POST /identity': as(
    createdIdentityView,
    'Make the account, or bring one back by its 24 words; the phrase is shown once',
  ),
  'POST /identity/unlock': as(identityView, 'Open the sealed keys'),
  'POST /identity/lock': done('Seal the keys; everything that needs them stops'),
  'POST /identity/rotate': as(rotatedIdentityView, 'New account keys, signed by the old; the new phrase is shown once'),
  'POST /identity/publish': as(publishedView, 'Put the account and prekey cards on holders again'),
  'PUT /identity/passphrase': done('Seal the home with another passphrase'),
  'GET /prekeys': as(prekeysView, 'The one-time prekeys of this device'),
  'POST /prekeys/rotate': as(prekeysView, 'Replace the signed and the last-resort prekey'),
  'GET /invite': as(inviteView, 'A link by which others add this account'),
  'GET /keys/:accountId': as(keyView, 'Look an account up in the network'),
  'GET /profile': as(profileView, 'What this account tells its contacts of itself'),
  'PATCH /profile': as(profileView, 'Change it; every contact is told'),
  'GET /settings': as(settingsView, 'What the owner chose'),
  'POST /use': done('A user is there: puts the sealing of the keys off'),
  'PATCH /settings': as(settingsView, 'Change what the owner chose'),
}

const PEOPLE: Readonly<Record<string, Description>> = {
  'GET /contacts': listOf(contactView, 'All contacts and requests'),
  'POST /contacts': as(contactView, 'Ask somebody, by account id or link'),
  'GET /contacts/:id': as(contactView, 'One contact'),
  'PATCH /contacts/:id': as(contactView, 'Name it, make it a favourite, hide from it'),
  'DELETE /contacts/:id': done('Forget a contact'),
  'POST /contacts/:id/accept': as(contactView, 'Accept a request'),
  'POST /contacts/:id/block': as(contactView, 'Want nothing from it'),
  'POST /contacts/:id/unblock': as(contactView, 'Take the block away'),
  'GET /contacts/:id/profile': as(profileView, 'What the contact says of itself'),
  'GET /contacts/:id/safety-number': as(verifyView, 'Digits and QR code to compare with the other side'),
  'POST /contacts/:id/verify': as(contactView, 'Mark as verified, or accept changed keys'),
}

const TALK: Readonly<Record<string, Description>> = {
  'GET /conversations': listOf(conversationView, 'All conversations'),
  'GET /conversations/:id': as(conversationView, 'One conversation'),
  'PATCH /conversations/:id': as(conversationView, 'Mute, pin, mark as unread, timer, draft'),
  'GET /conversations/:id/messages': as(messagePage, 'A page of messages, newest first'),
  'DELETE /conversations/:id/messages': done('Delete every message on this device'),
  'POST /conversations/:id/read': as(markedView, 'Mark as read, all or up to a message'),
  'POST /conversations/:id/typing': done('Tell the contact that the user types; kept nowhere'),
  'POST /messages': as(messageView, 'Send a text; 202 once the daemon keeps it'),
  'GET /messages/:id': as(messageView, 'One message'),
  'PATCH /messages/:id': as(messageView, 'Star or pin it'),
  'DELETE /messages/:id': as(messageView, 'Take back what was not delivered yet'),
  'PUT /messages/:id/text': as(messageView, 'Replace the text for both'),
  'PUT /messages/:id/reaction': as(messageView, 'React with one emoji; null takes it back'),
  'POST /messages/:id/delete': done('Delete for both or for me'),
  'GET /messages/:id/why': as(whyView, 'Why it has not arrived: what is proved and what happens next'),
  'POST /sessions': as(sessionView, 'Fetch what the first message to a contact needs'),
  'GET /starred': as(messagePage, 'Starred messages, newest first'),
  'GET /search': as(messagePage, 'Messages that have every word'),
}

const MACHINE: Readonly<Record<string, Description>> = {
  'GET /net': as(netView, 'How this machine stands in the network'),
  'GET /mailbox': as(mailboxView, 'What waits for this account at holders'),
  'GET /peers': listOf(peerView, 'Connected peers'),
  'GET /zone': as(zoneView, 'Holders around this device, and what it holds for others'),
  'POST /backup': bytes('application/octet-stream', 'A sealed copy of the home'),
  'POST /backup/restore': as(backupSummary, 'Make the account of an empty home from a backup'),
  'GET /tokens': listOf(tokenView, 'Tokens, without what they are'),
  'POST /tokens': as(createdTokenView, 'Make a token; it is told once'),
  'DELETE /tokens/:id': done('Revoke a token; its streams are closed'),
  'POST /token/rotate': as(
    rotatedTokenView,
    'Replace the token of the home’s api-token file and end the page’s; says which other admin tokens remain',
  ),
  'POST /page-codes': as(pageCodeView, 'A code of one use by which the page gets a token'),
  'POST /page-session': as(pageSessionView, 'A token for the page; the code comes as the bearer'),
  'GET /openapi.json': { summary: 'This document', answer: { any: 'application/json' } },
}

const EVENTS: Readonly<Record<string, Description>> = {
  'GET /events': as(
    eventPage,
    'Numbered events after `since` or after what a consumer acknowledged; with `wait` an empty answer is held back. Upgraded to a WebSocket, the same as EventFrame frames',
  ),
  'GET /events/stream': bytes('text/event-stream', 'The same as Server-Sent Events, each with an EventFrame as data'),
  'GET /events/consumers': listOf(consumerView, 'Readers that the daemon remembers'),
  'GET /events/consumers/:name': as(consumerView, 'One of them'),
  'PUT /events/consumers/:name': as(
    consumerView,
    'Make it, at the end of the log or after `from`; one that exists stays as it is',
  ),
  'POST /events/consumers/:name/ack': as(consumerView, 'Everything up to this number was handled'),
  'DELETE /events/consumers/:name': done('Forget it'),
}

/** By `METHOD /path`. */
export const DESCRIPTIONS: Readonly<Record<string, Description>> = {
  ...ACCOUNT,
  ...PEOPLE,
  ...TALK,
  ...MACHINE,
  ...EVENTS,
}
