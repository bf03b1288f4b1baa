/** What the session bench asks of either side. */

/**
 * `written`: the session is an object in memory, and its bytes are made after each message, as the daemon does and as an
 * application that has to survive a crash has to. `reread`: it is read from bytes before each message as well. `memory`:
 * no bytes at all, the protocol's own cost.
 */
export type Keeping = 'written' | 'reread' | 'memory'

/** One end of a session that is set up. */
export interface Talker {
  /** Bytes of the session as it was last written; not with `memory`. */
  readonly stateBytes: number
  seal(plaintext: Uint8Array): Promise<Uint8Array>
  open(sealed: Uint8Array): Promise<Uint8Array>
}

/** Two devices with fresh keys that have not spoken; making them is not part of what is measured. */
export interface Meeting {
  readonly a: Talker
  readonly b: Talker
  /** A verifies B's prekeys and makes the first message. */
  begin(plaintext: Uint8Array): Promise<Uint8Array>
  /** B verifies what it says about A, and opens it. */
  accept(first: Uint8Array): Promise<void>
}

export interface Sessions {
  meeting(keeping: Keeping): Promise<Meeting>
}
