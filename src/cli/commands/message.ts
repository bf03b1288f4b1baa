import type { Command } from 'commander'
import type { ConversationChange, ConversationView, MessageView, WhyView } from '../../api/application/messages.ts'
import type { ApiClient } from '../../api/client.ts'
import { UsageError } from '../../lib/errors.ts'
import type { Context, Register } from '../context.ts'
import { onOff } from '../context.ts'
import { messageLine, safeLine, statusOf, when } from '../render.ts'
import { resolveAccount } from '../resolve.ts'

/** What can be done with one message, or with one conversation. */
export const registerMessage: Register = (program, open) => {
  const msg = program.command('msg').description('one message')
  const onMessage = (
    verb: string,
    description: string,
    work: (context: Context, id: string) => Promise<void>,
  ): void => {
    msg
      .command(`${verb} <id>`)
      .description(description)
      .action(async (id: string, _options: object, self: Command) => work(open(self), id))
  }
  onMessage('show', 'show it', show)
  onMessage('why', 'what is proved about its delivery, and what happens next', why)
  onMessage('take-back', 'take back a message that has not been delivered yet', takeBack)
  msg
    .command('edit <id> <text>')
    .description('replace the text of a message of yours, for both')
    .action(async (id: string, text: string, _options: object, self: Command) => edit(open(self), id, text))
  msg
    .command('delete <id>')
    .description('delete it here, or with --for-both everywhere (only what you wrote)')
    .option('--for-both', 'for you and the other')
    .action(async (id: string, options: { forBoth?: boolean }, self: Command) =>
      remove(open(self), id, options.forBoth === true),
    )
  msg
    .command('react <id> [emoji]')
    .description('react with one emoji; without one, take the reaction back')
    .action(async (id: string, emoji: string | undefined, _options: object, self: Command) =>
      react(open(self), id, emoji),
    )
  for (const [verb, flag] of [
    ['star', 'starred'],
    ['pin', 'pinned'],
  ] as const) {
    msg
      .command(`${verb} <id>`)
      .description(`${verb} it; with --off no longer`)
      .option('--off', 'no longer')
      .action(async (id: string, options: { off?: boolean }, self: Command) => {
        const context = open(self)
        const on = options.off !== true
        const message = await (await context.client()).flagMessage(id, { [flag]: on })
        context.done(message, () => `${on ? '' : 'no longer '}${flag} ${message.id}`)
      })
  }
  registerConversation(program, open)
}

const registerConversation: Register = (program, open) => {
  const conversation = program.command('conversation').description('one conversation')
  const change = (verb: string, value: string, description: string, to: (text: string) => ConversationChange): void => {
    conversation
      .command(`${verb} <who> <${value}>`)
      .description(description)
      .action(async (who: string, text: string, _options: object, self: Command) => update(open(self), who, to(text)))
  }
  change('mute', 'on|off', 'whether its messages make a noise', (text) => ({ muted: onOff(text) }))
  change('pin', 'on|off', 'whether it stands at the top', (text) => ({ pinned: onOff(text) }))
  change('unread', 'on|off', 'mark it as unread, until it is read next', (text) => ({ markedUnread: onOff(text) }))
  change(
    'timer',
    'time',
    'new messages disappear so long after they were read: 30s, 5m, 8h, 7d, 4w or off',
    (text) => ({
      timerSeconds: timerOf(text),
    }),
  )
  conversation
    .command('show <who>')
    .description('show how it is set')
    .action(async (who: string, _options: object, self: Command) => {
      const context = open(self)
      const client = await context.client()
      context.print(await client.conversation(await resolveAccount(client, who)), conversationText)
    })
  conversation
    .command('clear <who>')
    .description('delete all its messages on this device')
    .requiredOption('--yes', 'they cannot be brought back')
    .action(async (who: string, _options: object, self: Command) => clear(open(self), who))
}

async function update(context: Context, who: string, change: ConversationChange): Promise<void> {
  const client = await context.client()
  const accountId = await resolveAccount(client, who)
  context.done(await client.updateConversation(accountId, change), conversationText)
}

function conversationText(view: ConversationView): string {
  const timer = view.timerSeconds === null ? 'messages stay' : `messages disappear ${view.timerSeconds} s after reading`
  const parts = [view.muted ? 'muted' : 'not muted', view.pinned ? 'pinned' : 'not pinned', timer]
  return `${safeLine(view.name === '' ? view.contact : view.name)}: ${parts.join(', ')}`
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 }

/** `30s`, `5m`, `8h`, `7d`, `4w`, `off`. Throws UsageError. */
function timerOf(text: string): number | null {
  if (text === 'off') return null
  const [, number, unit = ''] = /^([1-9][0-9]{0,6})([smhdw])$/.exec(text) ?? []
  const factor = UNIT_SECONDS[unit]
  if (number === undefined || factor === undefined) throw new UsageError('a timer is like 30s, 5m, 8h, 7d, 4w or off')
  return Number(number) * factor
}

async function clear(context: Context, who: string): Promise<void> {
  const client = await context.client()
  const accountId = await resolveAccount(client, who)
  await client.clearConversation(accountId)
  context.done({ cleared: accountId }, () => 'its messages are gone from this device')
}

async function show(context: Context, id: string): Promise<void> {
  const client = await context.client()
  const message = await client.message(id)
  const name = context.json ? '' : await petname(client, message.contact)
  context.print(message, () => messageLine(message, name))
}

/** What to call a contact that may have no name. */
export async function petname(client: ApiClient, accountId: string): Promise<string> {
  const contact = await client.contact(accountId)
  return contact.name === '' ? `${accountId.slice(0, 14)}…` : contact.name
}

async function why(context: Context, id: string): Promise<void> {
  const client = await context.client()
  context.print(await client.why(id), explain)
}

async function takeBack(context: Context, id: string): Promise<void> {
  const client = await context.client()
  const message = await context.patiently('taking back', client.takeBack(id))
  context.done(message, () => `${statusOf(message)} ${message.id}`)
}

async function edit(context: Context, id: string, text: string): Promise<void> {
  if (text === '') throw new UsageError('the message is empty; to take it away: sotto msg delete')
  const client = await context.client()
  context.done(await client.editMessage(id, { text }), (message: MessageView) => `edited ${message.id}`)
}

async function remove(context: Context, id: string, forBoth: boolean): Promise<void> {
  const client = await context.client()
  await client.deleteMessage(id, { for: forBoth ? 'both' : 'me' })
  context.done({ deleted: id, for: forBoth ? 'both' : 'me' }, () => `deleted ${forBoth ? 'for both' : 'here'} ${id}`)
}

async function react(context: Context, id: string, emoji: string | undefined): Promise<void> {
  const client = await context.client()
  const message = await client.react(id, { emoji: emoji ?? null })
  context.done(message, () =>
    emoji === undefined ? `took the reaction back ${id}` : `reacted ${safeLine(emoji)} ${id}`,
  )
}

function explain(view: WhyView): string {
  const devices = view.devices.flatMap((device) => [
    `device ${device.deviceId}: ${device.path}, ${device.attempts} attempts, expires ${when(device.expiresAt)}`,
    ...(device.nextAttemptAt === null ? [] : [`  next attempt ${when(device.nextAttemptAt)}`]),
    ...device.holders.map((holder) => `  receipt of ${holder.peerId} at ${when(holder.at)}`),
    ...(device.proved === null ? [] : [`  shown by ${device.proved.holders} holders at ${when(device.proved.at)}`]),
    ...device.steps.map((step) => `  ${when(step.at)} ${safeLine(step.event)} ${safeLine(step.detail)}`.trimEnd()),
  ])
  return [`${view.status}: ${safeLine(view.summary)}`, ...devices].join('\n')
}
