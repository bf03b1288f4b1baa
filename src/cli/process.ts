/** The command line with this process for a world. Loaded by `main.ts`; runs on import. */
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { isatty } from 'node:tty'
import { UsageError } from '../lib/errors.ts'
import { run } from './run.ts'
import { Interrupted } from './world.ts'
import type { World } from './world.ts'

const { stdin, stdout, stderr } = process

/** Programs that open an address with what the user likes best. */
const OPENERS: Readonly<Record<string, readonly string[]>> = {
  darwin: ['open'],
  win32: ['cmd', '/c', 'start', ''],
}

async function readStdin(maxBytes: number): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    size += chunk.length
    if (size > maxBytes) break
  }
  return Buffer.concat(chunks).subarray(0, maxBytes + 1)
}

async function askHidden(question: string): Promise<string> {
  stderr.write(question)
  const nowhere = new Writable({
    write(_chunk, _encoding, done) {
      done()
    },
  })
  const reader = createInterface({ input: stdin, output: nowhere, terminal: true })
  try {
    return await new Promise<string>((resolve, reject) => {
      reader.question('', resolve)
      reader.once('SIGINT', () => {
        reject(new Interrupted('stopped'))
      })
      reader.once('close', () => {
        reject(new UsageError('no passphrase was typed'))
      })
    })
  } finally {
    reader.close()
    stderr.write('\n')
  }
}

async function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve)
  })
}

async function untilCrash(): Promise<unknown> {
  return new Promise((resolve) => {
    process.on('uncaughtException', resolve)
    process.on('unhandledRejection', resolve)
  })
}

/** The browser lives on when we are gone. */
async function openUrl(url: string): Promise<boolean> {
  const [program, ...args] = OPENERS[process.platform] ?? ['xdg-open']
  if (program === undefined) return false
  const { spawn } = await import('node:child_process')
  return new Promise((resolve) => {
    const child = spawn(program, [...args, url], { stdio: 'ignore', detached: true })
    child.once('error', () => {
      resolve(false)
    })
    child.once('spawn', () => {
      child.unref()
      resolve(true)
    })
  })
}

const world: World = {
  env: process.env,
  terminal: {
    stdin: isatty(0),
    stdout: isatty(1),
    stderr: isatty(2),
    columns: stdout.columns ?? 80,
  },
  stdout: (text) => {
    stdout.write(text)
  },
  stderr: (text) => {
    stderr.write(text)
  },
  readStdin,
  askHidden,
  untilSignal,
  untilCrash,
  openUrl,
  loadNode: () => import('../node.ts'),
}

// A reader that has seen enough (`sotto tail | head`) is no fault.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

process.exitCode = await run(process.argv.slice(2), world)
// A handle that a stopped part forgot must not keep the process; nothing is left to do by now.
setTimeout(() => process.exit(), 500).unref()
