/**
 * The WebRTC helper: a process of its own, since the native library underneath can end the process that it runs in. It opens one
 * ordered, reliable data channel for each meeting and passes on what comes; who it is that speaks is proved above, in the daemon.
 * It is told only by its parent, and does not outlive it.
 */
import { Socket } from 'node:net'
import { PeerConnection } from 'node-datachannel'
import type { DataChannel } from 'node-datachannel'
import { Line } from './line.ts'
import { CHANNEL_MESSAGE_BYTES_MAX, FROM_HELPER, TO_HELPER, fromHelperCodec, toHelperCodec } from './messages.ts'
import type { FromHelper, IcePeer, MeetingOrder, ToHelper } from './messages.ts'
import { MID, parse, render, renderCandidates } from './sdp.ts'

/** Candidates that are not there by then are done without: a STUN server that is silent takes longer. */
const GATHERING_MS = 2_000
/**
 * Who answers starts a little later: checks that reach the other side in the moment when it takes the answer connect it before it
 * has kept the fingerprint to compare with, and DTLS fails.
 */
const HEAD_START_MS = 100
/** What may wait for the daemon on one meeting: those who keep to the window of `pipe.ts` stay far below. */
const WAITING_BYTES_MAX = 4 * 1_024 * 1_024
const WAITING_MESSAGES_MAX = 4_096
/** Where messages are handed over one by one, many empty ones would cost more than they weigh. */
const MESSAGE_OVERHEAD_BYTES = 64
const OVER = new Set(['disconnected', 'failed', 'closed'])

/** Everything is kept here: what nobody refers to is closed by the garbage collector. */
const meetings = new Map<number, Meeting>()

class Meeting {
  readonly #id: number
  readonly #pc: PeerConnection
  readonly #channel: DataChannel
  #described = false
  #over = false
  #waitingBytes = 0
  #waitingMessages = 0

  constructor(id: number, { stun, bind }: MeetingOrder) {
    this.#id = id
    this.#pc = new PeerConnection('', {
      iceServers: stun === undefined ? [] : [{ hostname: stun.ip, port: stun.port }],
      disableAutoNegotiation: true,
      maxMessageSize: CHANNEL_MESSAGE_BYTES_MAX,
      ...(bind === undefined ? {} : { bindAddress: bind }),
    })
    this.#channel = this.#pc.createDataChannel('', { negotiated: true, id: 0 })
    this.#listen()
  }

  describe({ answers }: MeetingOrder): void {
    if (answers !== undefined) this.#pc.setRemoteDescription(render('offer', answers), 'offer')
    this.#pc.setLocalDescription(answers === undefined ? 'offer' : 'answer')
    if (answers !== undefined) setTimeout(() => this.#goTo(answers), HEAD_START_MS)
    setTimeout(() => {
      this.#tellOwn()
    }, GATHERING_MS)
  }

  answered(peer: IcePeer): void {
    this.#pc.setRemoteDescription(render('answer', peer), 'answer')
    this.#goTo(peer)
  }

  send(data: Uint8Array): void {
    this.#channel.sendMessageBinary(data)
  }

  close(): void {
    if (this.#over) return
    this.#over = true
    meetings.delete(this.#id)
    tell({ kind: FROM_HELPER.closed, body: { id: this.#id } })
    this.#pc.close()
  }

  /** After the description has been taken: over a candidate before it the library ends the process. */
  #goTo(peer: IcePeer): void {
    try {
      if (!this.#over) for (const candidate of renderCandidates(peer)) this.#pc.addRemoteCandidate(candidate, MID)
    } catch {
      this.close()
    }
  }

  #listen(): void {
    const close = (): void => {
      this.close()
    }
    this.#pc.onGatheringStateChange((state) => {
      if (state === 'complete') this.#tellOwn()
    })
    this.#pc.onStateChange((state) => {
      if (OVER.has(state)) close()
    })
    this.#pc.onDataChannel(close) // one channel is agreed
    this.#channel.onOpen(() => {
      this.#tellOpen()
    })
    this.#channel.onClosed(close)
    this.#channel.onError(close)
    this.#channel.onMessage((message) => {
      this.#pass(message)
    })
  }

  #tellOwn(): void {
    if (this.#described || this.#over) return
    const own = parse(this.#pc.localDescription()?.sdp ?? '')
    if (own === undefined) return
    this.#described = true
    tell({ kind: FROM_HELPER.described, body: { id: this.#id, own } })
  }

  #tellOpen(): void {
    const remote = this.#pc.getSelectedCandidatePair()?.remote
    if (this.#over || remote === undefined) return
    tell({ kind: FROM_HELPER.open, body: { id: this.#id, at: { ip: remote.address, port: remote.port } } })
  }

  #pass(message: string | Buffer | ArrayBuffer): void {
    if (this.#over) return
    if (!(message instanceof Uint8Array) || message.length > CHANNEL_MESSAGE_BYTES_MAX) {
      this.close()
      return
    }
    const cost = message.length + MESSAGE_OVERHEAD_BYTES
    this.#waitingBytes += cost
    this.#waitingMessages++
    tell({ kind: FROM_HELPER.data, body: { id: this.#id, data: message } }, () => {
      this.#waitingBytes -= cost
      this.#waitingMessages--
    })
    if (this.#waitingBytes > WAITING_BYTES_MAX || this.#waitingMessages > WAITING_MESSAGES_MAX) this.close()
  }
}

function tell(message: FromHelper, written: () => void = () => {}): void {
  daemon.say(message, written)
}

/** An order that the library refuses ends its own meeting only. */
function obey({ kind, body }: ToHelper): void {
  const { id } = body
  try {
    if (kind === TO_HELPER.meet) begin(id, body.order)
    const meeting = meetings.get(id)
    if (kind === TO_HELPER.answered) meeting?.answered(body.peer)
    if (kind === TO_HELPER.data) meeting?.send(body.data)
    if (kind === TO_HELPER.close) meeting?.close()
  } catch {
    const meeting = meetings.get(id)
    if (meeting === undefined) tell({ kind: FROM_HELPER.closed, body: { id } })
    else meeting.close()
  }
}

function begin(id: number, order: MeetingOrder): void {
  const meeting = new Meeting(id, order)
  meetings.set(id, meeting)
  meeting.describe(order)
}

// what ends the daemon is often sent to all of its processes, and it ends us when it is ready
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
const daemon = new Line<FromHelper, ToHelper>({
  pipe: new Socket({ fd: 3, readable: true, writable: true }),
  says: fromHelperCodec,
  hears: toHelperCodec,
  heard: obey,
  // not by `exit`: the library aborts or hangs in its own cleaning up
  ended: () => process.kill(process.pid, 'SIGKILL'),
})
