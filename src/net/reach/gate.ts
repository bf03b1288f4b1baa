/** Protocols of libp2p's services that are spoken only while we serve: nobody is told of them, and nobody is answered, before. */
import type { Connection, PeerId, Stream, StreamHandler, StreamHandlerOptions, Topology } from '@libp2p/interface'

/** The part of libp2p's registrar that its services use. */
export interface RegistrarPart {
  handle(protocol: string, handler: StreamHandler, options?: StreamHandlerOptions): Promise<void>
  unhandle(protocols: string | string[]): Promise<void>
  register(protocol: string, topology: Topology): Promise<string>
}

/** Whether a stream may be served at all. */
type Guard = (stream: Stream, connection: Connection) => boolean

interface Handler {
  readonly handler: StreamHandler
  readonly options: StreamHandlerOptions | undefined
}

export class Gate {
  readonly #protocols: (protocol: string) => boolean
  readonly #guard: Guard
  readonly #handlers = new Map<string, Handler>()
  readonly #topologies = new Map<string, Topology>()
  #registrar: RegistrarPart | undefined
  #open = false
  #changing: Promise<void> = Promise.resolve()

  /** @param protocols which of the protocols are behind the gate */
  constructor(protocols: (protocol: string) => boolean, guard: Guard) {
    this.#protocols = protocols
    this.#guard = guard
  }

  get open(): boolean {
    return this.#open
  }

  /** What the service takes for the registrar. */
  wrap<T extends RegistrarPart>(registrar: T): T {
    this.#registrar = registrar
    const part: RegistrarPart = {
      handle: async (protocol, handler, options) => this.#handle(registrar, protocol, handler, options),
      unhandle: async (protocols) => {
        for (const protocol of [protocols].flat()) this.#handlers.delete(protocol)
        await registrar.unhandle(protocols)
      },
      register: async (protocol, topology) => {
        if (!this.#protocols(protocol)) return registrar.register(protocol, topology)
        // libp2p would tell it of every peer, those behind relays too; whom it meets is our choice
        this.#topologies.set(protocol, topology)
        return protocol
      },
    }
    return new Proxy(registrar, {
      get: (target, key) => (Object.hasOwn(part, key) ? Reflect.get(part, key) : Reflect.get(target, key, target)),
    })
  }

  /** Takes the protocols up, or puts them down. */
  async set(open: boolean): Promise<void> {
    this.#changing = this.#changing.catch(() => {}).then(async () => this.#set(open))
    return this.#changing
  }

  /** Tells the service of a peer as if it had just come: it asks it what it has to ask. */
  meet(protocol: string, peerId: PeerId, connection: Connection): boolean {
    const topology = this.#topologies.get(protocol)
    void topology?.onConnect?.(peerId, connection)
    return topology !== undefined
  }

  async #handle(
    registrar: RegistrarPart,
    protocol: string,
    handler: StreamHandler,
    options?: StreamHandlerOptions,
  ): Promise<void> {
    if (!this.#protocols(protocol)) return registrar.handle(protocol, handler, options)
    const guarded: StreamHandler = async (stream, connection) => {
      if (this.#open && this.#guard(stream, connection)) await handler(stream, connection)
      else stream.abort(new Error('not served'))
    }
    this.#handlers.set(protocol, { handler: guarded, options })
    if (this.#open) await registrar.handle(protocol, guarded, options)
  }

  async #set(open: boolean): Promise<void> {
    const registrar = this.#registrar
    if (open === this.#open || registrar === undefined) return
    const protocols = [...this.#handlers.keys()]
    if (!open) {
      this.#open = false // nobody is answered from here on, even if somebody is not told
      await registrar.unhandle(protocols)
      return
    }
    try {
      for (const [protocol, { handler, options }] of this.#handlers) await registrar.handle(protocol, handler, options)
    } catch (error) {
      await registrar.unhandle(protocols).catch(() => {}) // all or none: the next try finds it as this one did
      throw error
    }
    this.#open = true
  }
}
