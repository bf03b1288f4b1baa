/** A process of a bench: `node side-process.ts PROGRAM ARGS…`, told what to do over its IPC channel. */
import type { BenchSide, OpenSide, SideOrder, SideReport } from './side-types.ts'

/** Each is loaded in its own process only. */
const PROGRAMS: Readonly<Record<string, () => Promise<{ readonly open: OpenSide }>>> = {
  'holders-sotto': async () => import('./holders-sotto.ts'),
  'put-sotto': async () => import('./put-sotto.ts'),
  'read-sotto': async () => import('./read-sotto.ts'),
  'push-sotto': async () => import('./push-sotto.ts'),
  'push-libp2p': async () => import('./push-libp2p.ts'),
  hyperdht: async () => import('./hyperdht-side.ts'),
}

function tell(report: SideReport): void {
  process.send?.(report)
}

async function obey(side: BenchSide, { order, count }: SideOrder): Promise<void> {
  tell({ kind: 'done', sample: await side.turn(order, count) })
}

function failed(error: unknown): void {
  tell({ kind: 'failed', text: error instanceof Error ? (error.stack ?? error.message) : String(error) })
}

async function serve(name: string, args: readonly string[]): Promise<void> {
  const program = PROGRAMS[name]
  if (program === undefined) throw new TypeError(`there is no side called ${name}`)
  const side = await (await program()).open(args)
  process.on('message', (order: SideOrder) => {
    obey(side, order).catch(failed)
  })
  process.once('disconnect', () => {
    void side.close().finally(() => process.exit())
  })
  tell({ kind: 'ready', info: side.info })
}

const [, , name = '', ...args] = process.argv
serve(name, args).catch(failed)
