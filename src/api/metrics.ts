/** What a Prometheus server may know: counts and sizes, never whom. What the daemon knows is asked for when it is scraped. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Application } from './application/application.ts'

const SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 1, 5, 30]
const DELIVERED = 'message:delivered'
const BATCH = 1_000
/** Events looked at by one scrape at most; the next goes on from there. */
const EVENTS_MAX = 50_000
const REACHABILITY = ['unknown', 'public', 'behind-nat'] as const
const STATES = ['empty', 'locked', 'joining', 'ready'] as const

export interface MetricsOptions {
  readonly application: Application
  readonly streams: () => number
}

export class ApiMetrics {
  readonly #options: MetricsOptions
  readonly #registry = new Registry()
  readonly #requests: Counter
  readonly #seconds: Histogram
  readonly #events: Counter
  readonly #delivered: Counter
  readonly #gauges = new Map<string, Gauge>()
  #counted: number | undefined
  #counting: Promise<void> = Promise.resolve()

  constructor(options: MetricsOptions) {
    this.#options = options
    const registers = [this.#registry]
    const counter = (name: string, help: string, labelNames: string[] = []): Counter =>
      new Counter({ name, help, labelNames, registers })
    this.#requests = counter('sotto_api_requests_total', 'Requests answered', ['method', 'route', 'status'])
    this.#events = counter('sotto_events_total', 'Events since the start of the daemon', ['type'])
    this.#delivered = counter('sotto_outbox_delivered_total', 'Messages whose receipt came')
    this.#seconds = new Histogram({
      name: 'sotto_api_request_seconds',
      help: 'Time to answer',
      labelNames: ['route'],
      buckets: SECONDS,
      registers,
    })
    for (const [name, help, ...labelNames] of GAUGES)
      this.#gauges.set(name, new Gauge({ name, help, labelNames, registers }))
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** @param route the pattern of a route of ours, or a word for what is none: there is memory for each. */
  answered(method: string, route: string, status: number, seconds: number): void {
    this.#requests.inc({ method, route, status: String(status) })
    this.#seconds.observe({ route }, seconds)
  }

  async text(): Promise<string> {
    await this.#measure()
    // One after another: two scrapes must not count an event twice.
    this.#counting = this.#counting.then(async () => this.#countEvents())
    await this.#counting
    return this.#registry.metrics()
  }

  async #measure(): Promise<void> {
    const { application, streams } = this.#options
    const [status, net] = await Promise.all([application.status(), application.net()])
    this.#one('sotto_state', 'state', STATES, status.state)
    this.#one('sotto_reachability', 'state', REACHABILITY, net.reachability)
    this.#set('sotto_uptime_seconds', status.uptimeSeconds)
    this.#set('sotto_outbox_waiting', status.outbox.waiting)
    this.#set('sotto_mailbox_unread', status.mailbox.unread)
    this.#set('sotto_holder_records', status.holder.records)
    this.#set('sotto_holder_bytes', status.holder.bytes)
    this.#set('sotto_peers', net.peers.connected)
    this.#set('sotto_peers_relayed', net.peers.relayed)
    this.#set('sotto_relays', net.relays.length)
    this.#set('sotto_relay_reservations', net.serves.reservations)
    this.#set('sotto_relay_circuits', net.serves.circuits)
    this.#set('sotto_api_event_streams', streams())
    const { rss, heapUsed } = process.memoryUsage()
    const { user, system } = process.cpuUsage()
    this.#set('process_resident_memory_bytes', rss)
    this.#set('nodejs_heap_used_bytes', heapUsed)
    this.#set('process_cpu_seconds', (user + system) / 1_000_000)
  }

  /** Begins with the first scrape; while the keys are sealed nothing happens, and nothing can be read. */
  async #countEvents(): Promise<void> {
    const { application } = this.#options
    try {
      this.#counted ??= (await application.eventsSince(Number.MAX_SAFE_INTEGER - 1, 1)).last
      for (let looked = 0; looked < EVENTS_MAX; looked += BATCH) {
        const { events } = await application.eventsSince(this.#counted, BATCH)
        for (const { type } of events) this.#events.inc({ type })
        this.#delivered.inc(events.filter(({ type }) => type === DELIVERED).length)
        this.#counted = events.at(-1)?.number ?? this.#counted
        if (events.length < BATCH) return
      }
    } catch {
      // The next scrape goes on where this one ended.
    }
  }

  #set(name: string, value: number): void {
    this.#gauges.get(name)?.set(value)
  }

  /** One of a few words as the one series that is 1. */
  #one(name: string, label: string, words: readonly string[], now: string): void {
    for (const word of words) this.#gauges.get(name)?.set({ [label]: word }, word === now ? 1 : 0)
  }
}

const GAUGES: readonly (readonly [name: string, help: string, ...labels: string[]])[] = [
  ['sotto_state', 'Which state the daemon is in', 'state'],
  ['sotto_reachability', 'Whether others can dial this machine', 'state'],
  ['sotto_uptime_seconds', 'Since the start of the daemon'],
  ['sotto_outbox_waiting', 'Messages that are not delivered yet'],
  ['sotto_mailbox_unread', 'Messages that are here and were not read'],
  ['sotto_holder_records', 'Records held for others'],
  ['sotto_holder_bytes', 'Bytes held for others'],
  ['sotto_peers', 'Peers connected'],
  ['sotto_peers_relayed', 'Peers connected over a relay'],
  ['sotto_relays', 'Relays that carry connections to this machine'],
  ['sotto_relay_reservations', 'Reservations of others here'],
  ['sotto_relay_circuits', 'Connections carried for others'],
  ['sotto_api_event_streams', 'Event streams open'],
  ['process_resident_memory_bytes', 'Memory of the process'],
  ['nodejs_heap_used_bytes', 'Memory of JavaScript values'],
  ['process_cpu_seconds', 'Processor time since the start of the process'],
]
