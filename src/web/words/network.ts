import type { ReachabilityName } from '../../api/application/account.ts'

export const REACH_WORDS: Readonly<Record<ReachabilityName, string>> = {
  public: 'Others can reach this device directly.',
  'behind-nat': 'This device is behind a router; others reach it through relays, or it calls them.',
  unknown: 'Not known yet: others have to try first.',
}

/** 1,536 → "1.5 KiB". */
export function bytesWords(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[unit] ?? ''}`
}

/** The end of a peer's id: its start is alike for all. */
export const shortPeer = (peerId: string): string => `…${peerId.slice(-8)}`

export const count = (number: number, one: string, many = `${one}s`): string => `${number} ${number === 1 ? one : many}`
