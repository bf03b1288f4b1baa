import { writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { fromSystemError } from '../../api/errors.ts'
import type { Context, Register } from '../context.ts'
import { count } from '../context.ts'

interface NewOptions {
  readonly network: string
  readonly peer: readonly string[]
  readonly days: number
  readonly after?: string
}

const several = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]

/** For those who keep the list of peers that a network is joined by; no daemon is asked. */
export const registerPeerList: Register = (program, open) => {
  const group = program.command('peer-list').description('the signed list of peers to join a network by')
  group
    .command('key <file>')
    .description('make a key that signs lists; shows the public one')
    .action(async (file: string, _options: object, self: Command) => key(open(self), file))
  group
    .command('new <file>')
    .description('write an unsigned list')
    .requiredOption('--network <name>', 'name of the network')
    .requiredOption('--peer <multiaddr>', 'peer to join by, with /p2p/… (repeat, at least three)', several)
    .option('--days <number>', 'how long it is valid', count, 180)
    .option('--after <file>', 'the list that it follows')
    .action(async (file: string, options: NewOptions, self: Command) => make(open(self), file, options))
  group
    .command('rotate <file>')
    .description('name the keys that sign from now on; sign with the old ones and the new ones')
    .requiredOption('--key <hex>', 'public key (repeat for more)', several)
    .action(async (file: string, options: { key: readonly string[] }, self: Command) => {
      const { rotateListKeys } = await import('../../peer-list-tool.ts')
      await write(open(self), file, await rotateListKeys(file, options.key))
    })
  group
    .command('sign <file>')
    .description('add a signature to the list')
    .requiredOption('--key <file>', 'key file of sotto peer-list key')
    .action(async (file: string, options: { key: string }, self: Command) => {
      const { signPeerList } = await import('../../peer-list-tool.ts')
      await write(open(self), file, await signPeerList(file, options.key))
    })
  group
    .command('check <file>')
    .description('whether daemons of the network believe the list')
    .requiredOption('--network <profile>', 'network profile: main, local, or a file')
    .action(async (file: string, options: { network: string }, self: Command) => check(open(self), file, options))
}

async function key(context: Context, file: string): Promise<void> {
  const { makeListKey } = await import('../../peer-list-tool.ts')
  context.print({ publicKey: await makeListKey(file) }, ({ publicKey }) => publicKey)
}

async function make(context: Context, file: string, options: NewOptions): Promise<void> {
  const { newPeerList } = await import('../../peer-list-tool.ts')
  const { network, peer, days, after } = options
  await write(context, file, await newPeerList({ network, peers: peer, days, before: after }))
}

async function check(context: Context, file: string, options: { network: string }): Promise<void> {
  const { checkPeerList } = await import('../../peer-list-tool.ts')
  const { list } = await checkPeerList(file, options.network)
  const result = {
    sequence: list.sequence,
    peers: list.peers.length,
    expiresAt: new Date(list.expiresAt).toISOString(),
  }
  context.print(
    result,
    ({ sequence, peers, expiresAt }) => `list ${sequence}: ${peers} peers, valid until ${expiresAt}`,
  )
}

async function write(context: Context, file: string, text: string): Promise<void> {
  await writeFile(file, text).catch((error: unknown) => {
    throw fromSystemError(error, 'cannot write the list')
  })
  context.print({ file }, () => `${file} is written`)
}
