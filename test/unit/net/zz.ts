import { newHost } from './hosts.ts'
const t: any = { after() {} }
const first = await newHost(t)
const t0 = performance.now()
const hosts = [first, ...await Promise.all(Array.from({ length: 11 }, async () => newHost(t, { bootstrap: first.addresses() })))]
while (!hosts.every((h) => h.routing.known(new Uint8Array(32), 20).length === 11) && performance.now() - t0 < 15000) await new Promise((r) => setTimeout(r, 50))
console.error('converged', performance.now() - t0, process.cpuUsage(), hosts.map((h) => h.peers().length).join(' '))
for (let k = 0; k < 3; k++) { const times: number[] = []; for (let i = 0; i < 40; i++) { const q = performance.now(); await hosts[i % 12]!.routing.closest(crypto.getRandomValues(new Uint8Array(32)), 8, AbortSignal.timeout(5000)); times.push(performance.now() - q) } times.sort((a, b) => a - b); console.error('find ms p50', times[20], 'p95', times[38]) }
await Promise.all(hosts.map(async (h) => h.stop()))
