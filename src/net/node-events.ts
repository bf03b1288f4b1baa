/** libp2p's events, listened to in such a way that nothing thrown gets out: there it would be an uncaught exception. */
import type { IdentifyResult, PeerId } from '@libp2p/interface'
import { nameOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import type { Node } from './libp2p-node.ts'

export interface NodeListeners {
  readonly connect: (peer: PeerId) => void
  readonly disconnect: (peer: PeerId) => void
  readonly identify: (result: IdentifyResult) => void
  readonly selfUpdate: () => void
}

export class NodeEvents {
  readonly #node: Node
  readonly #log: Logger
  readonly #listeners: NodeListeners
  readonly #told = new Set<string>()

  constructor(node: Node, log: Logger, listeners: NodeListeners) {
    this.#node = node
    this.#log = log
    this.#listeners = listeners
  }

  attach(): void {
    this.#node.addEventListener('peer:connect', this.#onConnect)
    this.#node.addEventListener('peer:disconnect', this.#onDisconnect)
    this.#node.addEventListener('peer:identify', this.#onIdentify)
    this.#node.addEventListener('self:peer:update', this.#onSelfUpdate)
  }

  detach(): void {
    this.#node.removeEventListener('peer:connect', this.#onConnect)
    this.#node.removeEventListener('peer:disconnect', this.#onDisconnect)
    this.#node.removeEventListener('peer:identify', this.#onIdentify)
    this.#node.removeEventListener('self:peer:update', this.#onSelfUpdate)
  }

  /** Runs it; what it throws is logged, once per event. */
  guard(event: string, action: () => void): void {
    try {
      action()
    } catch (error) {
      if (this.#told.has(event)) return
      this.#told.add(event)
      this.#log.error('a listener failed', { event, error: nameOf(error) })
    }
  }

  readonly #onConnect = (event: CustomEvent<PeerId>): void => {
    this.guard('peer:connect', () => {
      this.#listeners.connect(event.detail)
    })
  }

  readonly #onDisconnect = (event: CustomEvent<PeerId>): void => {
    this.guard('peer:disconnect', () => {
      this.#listeners.disconnect(event.detail)
    })
  }

  readonly #onIdentify = (event: CustomEvent<IdentifyResult>): void => {
    this.guard('peer:identify', () => {
      this.#listeners.identify(event.detail)
    })
  }

  readonly #onSelfUpdate = (): void => {
    this.guard('self:peer:update', () => {
      this.#listeners.selfUpdate()
    })
  }
}
