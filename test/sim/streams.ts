/** The two kinds of streams, from end to end. */
import { NetworkError } from '../../src/lib/errors.ts'
import type { HolderCaller, HolderLink } from '../../src/services/ports.ts'
import { decode, encode } from '../../src/wire/codec.ts'
import { directFrameCodec } from '../../src/wire/direct.ts'
import type { DirectFrame } from '../../src/wire/direct.ts'
import {
  HOLDER_FRAME,
  HOLDER_FRAME_BYTES_MAX,
  holderClientFrameCodec,
  holderServerFrameCodec,
} from '../../src/wire/holder.ts'
import type { HolderRequest, HolderResponse, HolderServerFrame } from '../../src/wire/holder.ts'
import { onAbort } from './network.ts'
import type { Direct, Life, Network, Peer, Stream } from './network.ts'

const CHALLENGE_BYTES = 32

/** A stream from a client to a holder: requests are pipelined. */
export class Link implements HolderLink, Stream {
  readonly peerId: string
  readonly client: Peer
  readonly server: Peer
  readonly challenge: Uint8Array
  readonly #net: Network
  readonly #clientLife: Life
  readonly #serverLife: Life
  readonly #waiting = new Map<number, { resolve(response: HolderResponse): void; reject(error: Error): void }>()
  readonly #closers: (() => void)[] = []
  readonly #caller: HolderCaller
  #next = 1
  #clientAlive = true
  #serverAlive = true

  constructor(net: Network, client: Peer, server: Peer) {
    this.#net = net
    this.client = client
    this.server = server
    this.peerId = server.peerId
    this.#clientLife = client.life
    this.#serverLife = server.life
    this.challenge = net.dice.rng.bytes(CHALLENGE_BYTES)
    this.#caller = {
      peerId: client.peerId,
      ip: client.ip,
      challenge: this.challenge,
      opened: new Set(),
      push: (deposit) => this.#push({ kind: HOLDER_FRAME.push, body: deposit }),
      onClose: (action) => {
        this.#closers.push(action)
      },
    }
    net.add(this)
  }

  get alive(): boolean {
    return this.#clientAlive && this.#clientLife.up
  }

  async request(request: HolderRequest, signal: AbortSignal): Promise<HolderResponse> {
    signal.throwIfAborted()
    if (!this.alive) throw new NetworkError('the stream is gone')
    const id = this.#next++
    this.#net.onRequest(this.client.peerId, request)
    const bytes = encode(holderClientFrameCodec, { id, request })
    if (bytes.length > HOLDER_FRAME_BYTES_MAX) throw new NetworkError('the frame is too large')
    return new Promise<HolderResponse>((resolve, reject) => {
      const settle = (action: () => void): void => {
        if (!this.#waiting.delete(id)) return
        unlisten()
        action()
      }
      const unlisten = onAbort(signal, (reason) => {
        this.#net.trouble(this.client.peerId, this.peerId)
        settle(() => {
          reject(reason)
        })
      })
      this.#waiting.set(id, {
        resolve: (response) => {
          settle(() => {
            resolve(response)
          })
        },
        reject: (error) => {
          settle(() => {
            reject(error)
          })
        },
      })
      this.#send(bytes)
    })
  }

  #send(bytes: Uint8Array): void {
    const arrived = (): void => {
      void this.#serve(bytes)
    }
    const lost = (): void => {
      this.close()
    }
    this.#net.carry(this.client, this.server, bytes, arrived, lost)
    if (this.#net.dice.chance(this.#net.weather.duplicate)) {
      this.#net.carry(this.client, this.server, bytes, arrived, lost)
    }
  }

  async #serve(bytes: Uint8Array): Promise<void> {
    const { handler } = this.#serverLife
    if (!this.#serverAlive || handler === undefined || !this.#serverLife.up) return
    const { id, request } = decode(holderClientFrameCodec, bytes)
    let response: HolderResponse
    try {
      response = await handler(this.#caller, request)
    } catch {
      // A liar that says nothing at all.
      this.#net.trouble(this.client.peerId, this.peerId)
      return
    }
    if (!this.#serverAlive || !this.#serverLife.up) return
    this.#net.onAnswered(this.peerId, request, response.status)
    const answer = encode(holderServerFrameCodec, { kind: HOLDER_FRAME.answer, body: { id, response } })
    this.#net.carry(
      this.server,
      this.client,
      answer,
      () => {
        const frame = decode(holderServerFrameCodec, answer)
        if (frame.kind === HOLDER_FRAME.answer) this.#waiting.get(frame.body.id)?.resolve(frame.body.response)
      },
      () => {
        this.close()
      },
    )
  }

  #push(frame: Extract<HolderServerFrame, { kind: 3 }>): boolean {
    if (!this.#serverAlive || !this.#serverLife.up) return false
    const bytes = encode(holderServerFrameCodec, frame)
    this.#net.carry(
      this.server,
      this.client,
      bytes,
      () => {
        const pushed = decode(holderServerFrameCodec, bytes)
        if (pushed.kind !== HOLDER_FRAME.push || !this.alive) return
        for (const listener of this.#clientLife.onPush) listener(this.peerId, pushed.body)
      },
      () => {
        this.close()
      },
    )
    return true
  }

  ended(peer: Peer): void {
    if (peer === this.client) this.#endClient()
    if (peer === this.server) this.#endServer()
  }

  close(): void {
    this.#net.drop(this)
    if (this.#clientAlive || this.#serverAlive) this.#net.trouble(this.client.peerId, this.peerId)
    this.#endClient()
    this.#endServer()
  }

  #endClient(): void {
    if (!this.#clientAlive) return
    this.#clientAlive = false
    if (!this.#clientLife.up) return
    for (const waiting of this.#waiting.values()) waiting.reject(new NetworkError('the stream broke'))
    for (const listener of this.#clientLife.onPeer) listener(this.peerId, false)
  }

  #endServer(): void {
    if (!this.#serverAlive) return
    this.#serverAlive = false
    if (this.#serverLife.up) for (const action of this.#closers) action()
  }
}

/** A direct stream between two devices; either may write. */
export class DirectStream implements Direct {
  readonly client: Peer
  readonly server: Peer
  readonly #net: Network
  readonly #lives: ReadonlyMap<Peer, Life>
  readonly #open: Set<Peer>
  readonly #inboxes = new Map<Peer, DirectFrame[]>()

  constructor(net: Network, client: Peer, server: Peer) {
    this.#net = net
    this.client = client
    this.server = server
    this.#lives = new Map([
      [client, client.life],
      [server, server.life],
    ])
    this.#open = new Set([client, server])
    net.add(this)
  }

  isOpenAt(peer: Peer): boolean {
    return this.#open.has(peer) && peer.life === this.#lives.get(peer)
  }

  other(peer: Peer): Peer {
    return peer === this.client ? this.server : this.client
  }

  write(from: Peer, frame: DirectFrame): void {
    const to = this.other(from)
    const bytes = encode(directFrameCodec, frame)
    const copies = this.#net.dice.chance(this.#net.weather.duplicate) ? 2 : 1
    for (let i = 0; i < copies; i++) {
      this.#net.carry(
        from,
        to,
        bytes,
        () => {
          if (this.isOpenAt(to)) this.#receive(from, to, decode(directFrameCodec, bytes))
        },
        () => {
          this.close()
        },
      )
    }
  }

  /** Frames are handed up one after another. */
  #receive(from: Peer, to: Peer, frame: DirectFrame): void {
    const waiting = this.#inboxes.get(to)
    if (waiting !== undefined) {
      waiting.push(frame)
      return
    }
    const queue = [frame]
    this.#inboxes.set(to, queue)
    const next = async (): Promise<void> => {
      for (let taken = queue.shift(); taken !== undefined; taken = queue.shift()) {
        if (!this.isOpenAt(to) || !to.life.up) return
        try {
          await to.life.onFrame?.(from.peerId, taken)
        } catch {
          // The product's own log has it.
        }
      }
      this.#inboxes.delete(to)
    }
    void next()
  }

  ended(peer: Peer): void {
    if (!this.#open.delete(peer)) return
    const life = this.#lives.get(peer)
    if (life?.up === true) for (const listener of life.onPeer) listener(this.other(peer).peerId, false)
  }

  close(): void {
    this.#net.drop(this)
    this.ended(this.client)
    this.ended(this.server)
  }
}
