import type { Command } from 'commander'
import type { ContactView } from '../../api/application/contacts.ts'
import type { ApiClient } from '../../api/client.ts'
import { UsageError } from '../../lib/errors.ts'
import type { Context, Register } from '../context.ts'
import { onOff } from '../context.ts'
import { CONTACT_HEAD, contactRow, safeLine } from '../render.ts'
import { resolveAccount } from '../resolve.ts'

interface AddOptions {
  readonly note?: string
  readonly qr?: boolean
}
interface VerifyOptions {
  readonly confirm?: boolean
  readonly undo?: boolean
  readonly acceptChange?: boolean
  readonly qr?: boolean
}

/** People: invited, asked, accepted, named, blocked, verified. */
export const registerContacts: Register = (program, open) => {
  program
    .command('invite')
    .description('show a link that others add you by')
    .option('--qr', 'as a QR code too')
    .option('--token', 'whoever has the link may write without proof of work')
    .action(async (options: { qr?: boolean; token?: boolean }, self: Command) => invite(open(self), options))
  const contact = program.command('contact').description('the people you know')
  contact
    .command('list', { isDefault: true })
    .description('list them')
    .action(async (_options: object, self: Command) => listContacts(open(self)))
  contact
    .command('add <account-or-link> [name]')
    .description('ask somebody to be your contact')
    .option('--note <text>', 'say who you are; they see it with the request')
    .option('--qr', 'the link was scanned from their screen')
    .action(async (target: string, name: string | undefined, options: AddOptions, self: Command) =>
      add(open(self), target, name, options),
    )
  contact
    .command('accept <who> [name]')
    .description('say yes to a request')
    .action(async (who: string, name: string | undefined, _options: object, self: Command) => {
      await change(
        open(self),
        who,
        (client, id) => client.acceptContact(id, name === undefined ? {} : { name }),
        'accepted',
      )
    })
  contact
    .command('rename <who> <name>')
    .description('call somebody by another name')
    .action(async (who: string, name: string, _options: object, self: Command) => {
      await change(open(self), who, (client, id) => client.updateContact(id, { name }), 'renamed')
    })
  contact
    .command('direct <who> <always|never>')
    .description('whether somebody may learn your address; never: over relays and mailboxes only')
    .action(async (who: string, direct: string, _options: object, self: Command) => {
      if (direct !== 'always' && direct !== 'never') throw new UsageError('say always or never')
      await change(open(self), who, (client, id) => client.updateContact(id, { direct }), `${direct} direct:`)
    })
  contact
    .command('favourite <who> <on|off>')
    .description('whether somebody is among your favourites')
    .action(async (who: string, text: string, _options: object, self: Command) => {
      const favourite = onOff(text)
      await change(open(self), who, (client, id) => client.updateContact(id, { favourite }), 'changed')
    })
  contact
    .command('block <who>')
    .description('take nothing more from somebody')
    .action(async (who: string, _options: object, self: Command) => {
      await change(open(self), who, (client, id) => client.blockContact(id), 'blocked')
    })
  contact
    .command('unblock <who>')
    .description('take messages again')
    .action(async (who: string, _options: object, self: Command) => {
      await change(open(self), who, (client, id) => client.unblockContact(id), 'unblocked')
    })
  contact
    .command('remove <who>')
    .description('forget somebody and the conversation')
    .action(async (who: string, _options: object, self: Command) => remove(open(self), who))
  contact
    .command('verify <who>')
    .description('show the safety number to compare; say with --confirm that it matches')
    .option('--confirm', 'the numbers match: mark as verified')
    .option('--undo', 'not verified after all')
    .option('--accept-change', 'take the changed key as theirs')
    .option('--qr', 'as a QR code too')
    .action(async (who: string, options: VerifyOptions, self: Command) => verify(open(self), who, options))
}

async function invite(context: Context, options: { qr?: boolean; token?: boolean }): Promise<void> {
  const client = await context.client()
  const made = await client.invite({ token: options.token === true })
  const code = options.qr === true && !context.json ? `\n${await qrCode(made.link)}` : ''
  context.print(made, ({ link }) => `${link}${code}`)
}

async function listContacts(context: Context): Promise<void> {
  const client = await context.client()
  context.print({ items: await client.contacts() }, ({ items }) =>
    items.length === 0
      ? 'no contacts yet; try: sotto contact add LINK'
      : context.table(CONTACT_HEAD, items.map(contactRow)),
  )
}

async function add(context: Context, target: string, name: string | undefined, options: AddOptions): Promise<void> {
  const client = await context.client()
  const source = options.qr === true ? 'qr' : target.startsWith('sotto:') ? 'invite' : 'network'
  const optional = {
    ...(name === undefined ? {} : { name }),
    ...(options.note === undefined ? {} : { note: options.note }),
  }
  const work = client.addContact({ target, source, ...optional })
  context.print(await context.patiently('looking the account up', work), (made) => `asked ${describe(made)}`)
}

async function change(
  context: Context,
  who: string,
  work: (client: ApiClient, accountId: string) => Promise<ContactView>,
  done: string,
): Promise<void> {
  const client = await context.client()
  const accountId = await resolveAccount(client, who)
  context.done(await context.patiently('working', work(client, accountId)), (contact) => `${done} ${describe(contact)}`)
}

async function remove(context: Context, who: string): Promise<void> {
  const client = await context.client()
  const accountId = await resolveAccount(client, who)
  await client.removeContact(accountId)
  context.done({ removed: accountId }, () => `removed ${accountId}`)
}

async function verify(context: Context, who: string, options: VerifyOptions): Promise<void> {
  if (options.confirm === true && options.undo === true) throw new UsageError('--confirm and --undo exclude each other')
  const client = await context.client()
  const accountId = await resolveAccount(client, who)
  const { confirm, undo, acceptChange, qr } = options
  if (confirm === true || undo === true || acceptChange === true) {
    const mark = confirm === true || undo === true ? { verified: confirm === true } : {}
    const input = { ...mark, ...(acceptChange === true ? { acceptChange: true } : {}) }
    context.print(await client.verifyContact(accountId, input), (contact) => {
      const state = contact.verified ? 'verified' : acceptChange === true ? 'took the new key of' : 'not verified:'
      return `${state} ${describe(contact)}`
    })
    return
  }
  const number = await client.safetyNumber(accountId)
  const code = qr === true && !context.json ? `\n${await qrCode(number.qr)}` : ''
  context.print(number, ({ digits, verified }) => {
    const next = verified ? 'verified before' : 'if both sides see the same: sotto contact verify NAME --confirm'
    return `${digits}${code}\n${next}`
  })
}

function describe(contact: ContactView): string {
  const name = contact.name === '' ? contact.accountId : `${safeLine(contact.name)} (${contact.accountId})`
  return `${name}, ${contact.state}`
}

/** For the terminal, loaded only when asked for. */
async function qrCode(text: string): Promise<string> {
  const { default: qrcode } = await import('qrcode')
  return qrcode.toString(text, { type: 'utf8', errorCorrectionLevel: 'L' })
}
