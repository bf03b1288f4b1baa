/**
 * A bot that answers every text with the same text, each exactly once, however often it or the daemon is killed.
 *
 *     node src/examples/echo-bot.ts            # SOTTO_HOME says whose
 *
 * Two things make it so. The daemon remembers what the consumer `echo-bot` has acknowledged, and hands out the rest again. And the
 * answer's id is made from the event's number, so that an answer that was sent before a crash is not sent again after it.
 */
import { connect, DaemonError, LockedError, resolveHome } from '../library.ts'
import type { EventView } from '../library.ts'

const NAME = 'echo-bot'
const AGAIN_MS = 1_000

/** Answers until `signal` fires; throws what a restart of the daemon does not mend. */
async function answer(home: string, signal: AbortSignal): Promise<void> {
  const client = await connect(home)
  try {
    await client.consumer(NAME)
    process.stdout.write('ready\n')
    await client.consume({ name: NAME, types: ['message:received'], signal }, async (event) => {
      const { id } = event.data as { readonly id: string }
      const { contact, kind, gone, text } = await client.message(id)
      if (kind === 'text' && gone === 'no') await client.send(contact, { text, replyTo: id, id: keyFor(event) })
    })
  } finally {
    client.close()
  }
}

const keyFor = ({ number }: EventView): string => `${NAME}-${number}`

const stopping = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => {
    stopping.abort()
  })
}
while (!stopping.signal.aborted) {
  try {
    await answer(resolveHome(undefined, process.env), stopping.signal)
  } catch (error) {
    // The daemon starts, or waits for its passphrase: so do we.
    if (!(error instanceof DaemonError) && !(error instanceof LockedError)) throw error
    await new Promise((resolve) => {
      setTimeout(resolve, AGAIN_MS)
    })
  }
}
