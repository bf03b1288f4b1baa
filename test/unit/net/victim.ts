/** A host in a process of its own, to be killed: `node victim.ts DIR BOOTSTRAP` prints its addresses as one JSON line. */
import { join } from 'node:path'
import { nativeProvider } from '../../../src/crypto/native.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { LOCAL } from '../../../src/lib/network-profile.ts'
import { systemRng } from '../../../src/lib/rng.ts'
import { Host } from '../../../src/net/host.ts'
import { finder } from './hosts.ts'

const [dir = '', bootstrap = ''] = process.argv.slice(2)
const host = await Host.create({
  keyFile: join(dir, 'node.key'),
  cacheFile: join(dir, 'peers'),
  listen: ['/ip4/127.0.0.1/tcp/0'],
  announce: [],
  bootstrap: [bootstrap],
  profile: LOCAL,
  crypto: nativeProvider,
  clock: systemClock,
  rng: systemRng,
  log: silentLogger,
})
await host.setHolderHandler(finder(host))
await host.start()
process.stdout.write(`${JSON.stringify(host.routing.self())}\n`)
