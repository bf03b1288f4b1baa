/** A process of the put bench: `node put-process.ts sotto|hyperdht NODES`, told what to do over its IPC channel. */
import { cpuMs } from './harness.ts'
import type { PutOrder, PutReport, PutSide, PutTimes, SideName } from './put-sides.ts'

/** Each side is loaded in its own process only. */
async function open(name: SideName, nodes: number): Promise<PutSide> {
  if (name === 'hyperdht') return (await import('./put-hyperdht.ts')).openHyperdht(nodes)
  return (await import('./put-sotto.ts')).openSotto(nodes)
}

function tell(report: PutReport): void {
  process.send?.(report)
}

async function obey(side: PutSide, { puts }: PutOrder, first: number): Promise<void> {
  const times: PutTimes[] = []
  const spent = await cpuMs(async () => {
    for (let i = 0; i < puts; i++) times.push(await side.put(first + i))
  })
  tell({ kind: 'done', times, cpuMs: spent })
}

async function serve(name: SideName, nodes: number): Promise<void> {
  const side = await open(name, nodes)
  let done = 0
  process.on('message', (order: PutOrder) => {
    obey(side, order, done).catch((error: unknown) => {
      tell({ kind: 'failed', text: String(error) })
    })
    done += order.puts
  })
  process.once('disconnect', () => {
    void side.close().finally(() => process.exit())
  })
  tell({ kind: 'ready' })
}

const [, , name, nodes] = process.argv
serve(name === 'hyperdht' ? name : 'sotto', Number(nodes)).catch((error: unknown) => {
  tell({ kind: 'failed', text: error instanceof Error ? (error.stack ?? error.message) : String(error) })
})
