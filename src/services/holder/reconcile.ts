/** SYNC and RECONCILE: neighbours bring what they know of mailboxes together, policies and tombstones. */
import { equal, toHex } from '../../lib/bytes.ts'
import { HOUR_MS } from '../../lib/time.ts'
import { ANSWER_KIND, CARD_KIND, HOLDER_STATUS, RECONCILE_TOMBSTONES_MAX } from '../../wire/holder.ts'
import type { HolderRequest } from '../../wire/holder.ts'
import type { Policy, Tombstone } from '../../wire/letter.ts'
import { RUNGS } from '../../wire/letter.ts'
import { mailboxDigest } from '../../protocol/mailbox-digest.ts'
import type { MailboxSummary } from '../../protocol/mailbox-digest.ts'
import { compareVersions } from '../../protocol/mailbox-rules.ts'
import { rungPlacement, ZONE_CANDIDATES } from '../../protocol/replicas.ts'
import type { HolderCaller } from '../ports.ts'
import { ENTRIES_PER_COST, READS_PER_COST } from './costs.ts'
import { outcome } from './deps.ts'
import type { Outcome } from './deps.ts'
import type { Desk } from './desk.ts'

type Sync = Extract<HolderRequest, { kind: 11 }>['body']
type Reconcile = Extract<HolderRequest, { kind: 12 }>['body']

/**
 * How far ahead the hour may lie. Neighbours name the one that runs; with one of next month who asks would learn how many letters of
 * which age are dead, and have everything read for nothing.
 */
const AHEAD_MAX_HOURS = 24

/** Which of the mailboxes are known otherwise here. A digest tells nothing to who does not know what it is made of. */
export async function sync(desk: Desk, caller: HolderCaller, { salt, after, boxes }: Sync): Promise<Outcome> {
  if (isFarAhead(desk, after)) return outcome(HOLDER_STATUS.refused, undefined)
  const places: number[] = []
  desk.quotas.chargeRequest(caller, boxes.length / ENTRIES_PER_COST)
  let summary: MailboxSummary | undefined
  for (const [place, { address, digest }] of boxes.entries()) {
    // A card is asked about twice running, the second time with the digest of nothing.
    if (summary === undefined || !equal(summary.address, address)) {
      const reads = desk.held.graves.digestReads(address, after)
      // What was read is remembered: who comes again gets on.
      if (reads > 0 && !desk.quotas.takeWork(caller, reads / READS_PER_COST))
        return outcome(HOLDER_STATUS.rate, undefined)
      summary = await desk.held.summary(address, after)
    }
    if (!equal(mailboxDigest(desk.crypto, salt, summary), digest)) places.push(place)
  }
  return outcome(HOLDER_STATUS.ok, undefined, { kind: ANSWER_KIND.differing, body: { places } })
}

/**
 * What the asker lacks of a mailbox, and what it should bring. Tombstones tell how much a mailbox gets: only peers of its
 * zone are told, and its owner.
 */
export async function reconcile(desk: Desk, caller: HolderCaller, request: Reconcile): Promise<Outcome> {
  const { address, after } = request
  if (isFarAhead(desk, after)) return outcome(HOLDER_STATUS.refused, address)
  if (!caller.opened.has(toHex(address)) && !isNear(desk, caller, address))
    return outcome(HOLDER_STATUS.closed, address)
  const { wanted, dead, more, looked } = await compareDead(desk, request)
  desk.quotas.chargeRequest(caller, (looked + dead.length) / ENTRIES_PER_COST)
  const policy = await comparePolicy(desk, request)
  const body = { wanted, dead, more, ...policy }
  return outcome(HOLDER_STATUS.ok, address, { kind: ANSWER_KIND.reconciled, body })
}

async function compareDead(desk: Desk, { address, dead, after, from, upto }: Reconcile) {
  const theirs = new Map(dead.map((id, place) => [toHex(id), place]))
  const lacking: Tombstone[] = []
  let more = false
  let looked = 0
  let last = ''
  const onRead = (): void => {
    looked++
  }
  for await (const id of desk.held.graves.ids(address, { after, from, upto, onRead })) {
    last = toHex(id)
    if (theirs.delete(last)) continue
    more = lacking.length >= RECONCILE_TOMBSTONES_MAX
    if (more) break
    const grave = await desk.held.graves.get(id)
    if (grave !== undefined) lacking.push(grave.tombstone)
  }
  // Where the walk ended early, what stands behind its end was not compared: it is asked for the next time.
  const wanted = [...theirs].filter(([id]) => !more || id < last).map(([, place]) => place)
  return { wanted, dead: lacking, more, looked }
}

async function comparePolicy(
  desk: Desk,
  { address, after, policy: theirs }: Reconcile,
): Promise<{ readonly policy: Policy | undefined; readonly policyWanted: boolean }> {
  const ours = await desk.held.policyVersion(address, after)
  const order = ours === undefined ? -1 : theirs === undefined ? 1 : compareVersions(ours, theirs)
  if (order <= 0) return { policy: undefined, policyWanted: theirs !== undefined && order < 0 }
  const record = await desk.held.cards.get(address, desk.clock.now())
  return { policy: record?.kind === CARD_KIND.policy ? record.body : undefined, policyWanted: false }
}

function isFarAhead(desk: Desk, hour: number): boolean {
  return hour * HOUR_MS > desk.clock.now() + AHEAD_MAX_HOURS * HOUR_MS
}

/**
 * Whether the caller stands among the candidates for one of the address's zones. Only whom we know as a holder does: anybody can
 * make peer ids until one is near, and only holders have paid for theirs.
 */
function isNear(desk: Desk, caller: HolderCaller, address: Uint8Array): boolean {
  return RUNGS.some((rung) => {
    const candidates = desk.routing.known(rungPlacement(desk.crypto, address, rung), ZONE_CANDIDATES)
    return candidates.some(({ id }) => id === caller.peerId)
  })
}
