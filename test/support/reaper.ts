/**
 * No process outlives its test. Children are known to a small shell that reads their ids from a pipe: when this process
 * ends, however it ends, the pipe closes, and the shell kills what is left and removes the directory.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'

const SCRIPT = `
trap '' INT TERM HUP
dir=$1
pids=' '
while read -r verb pid; do
  case $verb in
    add) pids="$pids$pid " ;;
    gone) pids="\${pids%% $pid *} \${pids#* $pid }" ;;
    keep) dir= ;;
  esac
done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
[ -n "$dir" ] && rm -rf -- "$dir"
exit 0
`

export class Reaper {
  readonly #shell: ChildProcess
  readonly #children = new Set<ChildProcess>()

  /** @param directory removed when this process has ended. */
  constructor(directory: string) {
    // A session of its own: Ctrl-C goes to the group in the foreground and must not reach the reaper first.
    this.#shell = spawn('/bin/sh', ['-c', SCRIPT, 'sotto-test-reaper', directory], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    })
    this.#shell.unref()
    const { stdin } = this.#shell
    stdin?.on('error', () => {})
    ;(stdin as { unref?: () => void } | null)?.unref?.()
  }

  /** Takes charge of a child until it exits. */
  watch(child: ChildProcess): void {
    const { pid } = child
    if (pid === undefined) return
    this.#children.add(child)
    this.#tell(`add ${pid}`)
    child.once('exit', () => {
      this.#children.delete(child)
      this.#tell(`gone ${pid}`)
    })
  }

  /** Leaves the directory where it is. */
  keepDirectory(): void {
    this.#tell('keep')
  }

  /** SIGKILL to every child that is left, at once; for exit handlers. */
  killNow(): void {
    for (const child of this.#children) child.kill('SIGKILL')
  }

  /** Kills what is left and waits until the shell has removed the directory. */
  async close(): Promise<void> {
    const exits = [...this.#children].map((child) => once(child, 'exit'))
    this.killNow()
    await Promise.all(exits)
    if (this.#shell.exitCode !== null) return
    this.#shell.ref()
    const done = once(this.#shell, 'exit')
    this.#shell.stdin?.end()
    await done
  }

  #tell(line: string): void {
    if (this.#shell.stdin?.writable === true) this.#shell.stdin.write(`${line}\n`)
  }
}
