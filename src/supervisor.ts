/**
 * Tells a supervisor of the systemd kind how the daemon is (sd_notify(3)): READY=1, WATCHDOG=1, STOPPING=1. Node has no
 * datagram sockets of the unix kind, so systemd's own `systemd-notify` says it; the unit has NotifyAccess=all for that.
 * Without NOTIFY_SOCKET nothing is done.
 */
import { execFile } from 'node:child_process'
import { nameOf } from './lib/errors.ts'
import type { Logger } from './lib/log.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Of the time after which the supervisor takes the daemon for hung: two of three signs of life may come late. */
const WATCHDOG_SHARE = 1 / 3
const NOTIFY_MS = 10_000

export interface Supervised {
  /** It serves: signs of life from now on. */
  ready(status: string): Promise<void>
  /** It stops on purpose. */
  stopping(): Promise<void>
}

/** @param env the process's: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID, PATH. */
export function supervised(env: Environment, log: Logger, pid = process.pid): Supervised {
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  const tell = async (...states: readonly string[]): Promise<void> => {
    if ((env['NOTIFY_SOCKET'] ?? '') === '') return
    // Nothing else of ours: a passphrase may stand in the environment.
    const { NOTIFY_SOCKET, PATH } = env
    await new Promise<void>((resolve) => {
      execFile('systemd-notify', states, { env: { NOTIFY_SOCKET, PATH }, timeout: NOTIFY_MS }, (error) => {
        if (error !== null) log.warn('the supervisor could not be told', { error: nameOf(error) })
        resolve()
      })
    })
  }
  return {
    async ready(status) {
      const everyMs = watchdogMs(env, pid) * WATCHDOG_SHARE
      await tell('READY=1', `STATUS=${status}`, `MAINPID=${pid}`)
      if (everyMs <= 0 || stopped) return
      // The event loop runs: that is the sign of life.
      timer = setInterval(() => void tell('WATCHDOG=1'), everyMs)
      timer.unref()
    },
    async stopping() {
      stopped = true
      clearInterval(timer)
      await tell('STOPPING=1')
    },
  }
}

/** 0 where no signs of life are asked for, or from another process. */
function watchdogMs(env: Environment, pid: number): number {
  const micros = Number(env['WATCHDOG_USEC'] ?? 0)
  const whose = env['WATCHDOG_PID'] ?? String(pid)
  return Number.isFinite(micros) && whose === String(pid) ? Math.max(0, micros / 1_000) : 0
}
