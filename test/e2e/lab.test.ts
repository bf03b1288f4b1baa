/** The NAT lab as a program: on a machine that cannot have one it says why; on one that can, two pairs are measured with real daemons. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { lacks } from '../lab/world.ts'

const MAIN = join(import.meta.dirname, '..', 'lab', 'main.ts')

interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly pid: number
}

async function lab(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Outcome> {
  const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, err]: [Buffer[], Buffer[]] = [[], []]
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout: String(Buffer.concat(out)), stderr: String(Buffer.concat(err)), pid: child.pid ?? 0 }
}

function namespacesOf(pid: number): readonly string[] {
  try {
    return readdirSync('/run/netns').filter((name) => name.startsWith(`sottolab${pid}-`))
  } catch {
    return []
  }
}

test('TE-17 where the machine lacks something, the lab says what, and ends with 2', async () => {
  const { code, stderr } = await lab(['nat'], { ...process.env, PATH: '/nowhere' })
  assert.equal(code, 2)
  assert.match(stderr, /lacks .*command ip .*command nft/)
})

test('TE-17 a pair that is none, and a verb that is none, end with 2', async () => {
  for (const args of [['nat', '--pairs', 'cone-moon'], ['fly'], ['nat', '--seconds', '0']]) {
    assert.equal((await lab(args)).code, 2, args.join(' '))
  }
})

test('NA-02 NA-08 TE-17 two behind symmetric NATs and two with IPv6 only reach each other; nothing of the lab is left', async (t) => {
  const missing = lacks()
  const { code, stdout, stderr, pid } = await lab(['nat', '--pairs', 'symmetric-symmetric,ipv6-ipv6', '--json'])
  t.diagnostic(stdout.trim())
  if (missing.length > 0) {
    assert.equal(code, 2)
    assert.ok(
      missing.every((what) => stderr.includes(what)),
      stderr,
    )
    return
  }
  const [symmetric, ipv6, sum] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  assert.ok(symmetric?.['path'] === 'relay' || symmetric?.['path'] === 'mailbox', stderr)
  assert.ok(ipv6?.['path'] !== 'none' && Number(ipv6?.['firstMessageMs']) > 0, stderr)
  assert.deepEqual([sum?.['pairs'], sum?.['reached'], sum?.['punchable'], sum?.['direct']], [2, 2, 1, 1])
  assert.equal(code, 0)
  assert.deepEqual(namespacesOf(pid), [])
})
