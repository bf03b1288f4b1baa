/** The daemon's figures, as `/metrics` gives them, added up over what they are broken down by. */
import type { IncomingMessage } from 'node:http'
import { readAddress, readToken } from '../api/files.ts'
import { notRunning } from '../api/http.ts'
import { NetworkError } from '../lib/errors.ts'

/** As in `api/http.ts`: an import of it would load a WebSocket client too. */
const http = process.getBuiltinModule('node:http')

export interface Figure {
  readonly metric: string
  readonly value: number
}

/** Throws DaemonError where no daemon runs, NetworkError where it gives no figures. */
export async function metricsOf(home: string): Promise<readonly Figure[]> {
  const [address, token] = await Promise.all([readAddress(home), readToken(home)])
  if (address === undefined || token === undefined) throw notRunning()
  const options = { socketPath: address.socketPath, path: '/metrics', headers: { authorization: `Bearer ${token}` } }
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    http.get(options, resolve).on('error', reject)
  }).catch((error: unknown) => {
    throw notRunning(error)
  })
  let text = ''
  for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) text += chunk
  if (response.statusCode !== 200) throw new NetworkError('the daemon gives no figures')
  return figures(text)
}

/** The text format of Prometheus, without labels and without the buckets of histograms. */
export function figures(text: string): readonly Figure[] {
  const sums = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [, metric = '', value] = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{.*\})? (\S+)$/.exec(line) ?? []
    const number = Number(value)
    if (metric === '' || metric.endsWith('_bucket') || !Number.isFinite(number)) continue
    sums.set(metric, (sums.get(metric) ?? 0) + number)
  }
  return [...sums].map(([metric, value]) => ({ metric, value }))
}
