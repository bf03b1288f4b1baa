/**
 * Hosts in a process of their own, to be killed or frozen: `node victim.ts DIR BOOTSTRAP [COUNT]` prints one JSON line for each, with its
 * addresses, when it has started.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { nativeProvider } from '../../../src/crypto/native.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/log.ts'
import { LOCAL } from '../../../src/lib/network-profile.ts'
import { systemRng } from '../../../src/lib/rng.ts'
import { Host } from '../../../src/net/host.ts'
import { finder, until } from './hosts.ts'

const [dir = '', bootstrap = '', count = '1'] = process.argv.slice(2)
for (let i = 0; i < Number(count); i++) {
  const home = join(dir, `victim-${i}`)
  await mkdir(home)
  const host = await Host.create({
    keyFile: join(home, 'node.key'),
    cacheFile: join(home, 'peers'),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    announce: [],
    bootstrap: [bootstrap],
    role: 'peer',
    profile: LOCAL,
    crypto: nativeProvider,
    clock: systemClock,
    rng: systemRng,
    log: silentLogger,
  })
  await host.setHolderHandler(finder(host))
  await host.start()
  await until(() => host.routing.known(new Uint8Array(32), 50).length > Math.min(i, 4))
  process.stdout.write(`${JSON.stringify(host.routing.self())}\n`)
}
