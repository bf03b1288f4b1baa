/** What a command line touches: handed in, so that tests run commands in their own process. */
import { SottoError } from '../lib/errors.ts'
import type { NodeModule } from './node-module.ts'

/** The user pressed Ctrl-C: nothing is said, and the exit code is 130. */
export class Interrupted extends SottoError {}

export interface World {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Whether each end is a terminal, and how wide. */
  readonly terminal: {
    readonly stdin: boolean
    readonly stdout: boolean
    readonly stderr: boolean
    readonly columns: number
  }
  stdout(text: string): void
  stderr(text: string): void
  /** Standard input to its end, or the first `maxBytes + 1` bytes of it. */
  readStdin(maxBytes: number): Promise<Uint8Array>
  /** Asks on the terminal without showing what is typed. Throws {@link Interrupted}. */
  askHidden(question: string): Promise<string>
  /** Resolves with the first SIGINT or SIGTERM. */
  untilSignal(): Promise<string>
  /** Resolves with the first uncaught exception or unhandled rejection. */
  untilCrash(): Promise<unknown>
  /** Shows an address in the user's browser; false where there is none. */
  openUrl(url: string): Promise<boolean>
  loadNode(): Promise<NodeModule>
}
