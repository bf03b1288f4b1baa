/** Network profiles by name, or out of a file. */
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { UsageError } from './lib/errors.ts'
import { LOCAL, MAIN } from './lib/network-profile.ts'
import type { NetworkProfile } from './lib/network-profile.ts'
import { LIST_KEYS_MAX } from './wire/peer-list.ts'

const FILE_BYTES_MAX = 65_536

/** A file names its network and says only where it differs from `main`. */
const profileSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/)
    .refine((name) => name !== 'main' && name !== 'local', 'is taken'),
  epochMs: z.number().int().min(60_000).default(MAIN.epochMs),
  repairIntervalMs: z.number().int().min(1_000).default(MAIN.repairIntervalMs),
  holderUptimeMs: z.number().int().min(0).default(MAIN.holderUptimeMs),
  stampBits: z.number().int().min(0).max(20).default(MAIN.stampBits),
  puzzleBits: z.number().int().min(0).max(24).default(MAIN.puzzleBits),
  collectIntervalMs: z.number().int().min(1_000).default(MAIN.collectIntervalMs),
  diversity: z.boolean().default(MAIN.diversity),
  privateAddresses: z.boolean().default(MAIN.privateAddresses),
  inboundPerSecond: z.number().int().min(1).default(MAIN.inboundPerSecond),
  bootstrap: z.array(z.string().max(512)).max(64).default([]),
  listKeys: z
    .array(z.string().regex(/^[0-9a-f]{64}$/))
    .max(LIST_KEYS_MAX)
    .default([]),
})

/** `main`, `local`, or what the file at that path says. Throws UsageError. */
export async function loadProfile(network: string): Promise<NetworkProfile> {
  if (network === MAIN.name) return MAIN
  if (network === LOCAL.name) return LOCAL
  let parsed: unknown
  try {
    const text = await readFile(network, 'utf8')
    parsed = text.length > FILE_BYTES_MAX ? undefined : JSON.parse(text)
  } catch (error) {
    throw new UsageError('the network is neither main nor local, nor a profile file that can be read', { cause: error })
  }
  const result = profileSchema.safeParse(parsed)
  if (result.success) return result.data
  const faults = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
  throw new UsageError(`the network profile has ${faults.length} fault(s): ${faults.join('; ')}`)
}
