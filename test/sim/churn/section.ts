/** The study's part of the README of simulations: written between its markers, nothing else is touched. */
import type { Study } from './experiments.ts'
import { tables } from './table.ts'

const BEGIN = '<!-- churn: begin -->'
const END = '<!-- churn: end -->'

export function section(found: Study, records: number): string {
  return `## Churn

Written by \`npm run churn -- --records ${records} --seed ${found.seed} --write\`. Every letter is placed, repaired and looked after by the product's own pure
rules (\`protocol/replicas.ts\`, \`protocol/repair-rules.ts\`, the schedule of \`services/outbox/limits.ts\`) among 600 peers that come and go in ticks of
five minutes for 30 days; a test holds the fast zone against the product's. Nobody ever collects a letter: each waits its whole life.

- *There*: mean share of the 600 slots that is up. *ours*: 30 % always on, 45 % homes of 9 h a day, 25 % casual (KAD sessions); *oursBad* 10/50/40;
  *oursOneTz* 15/45/40 and everybody sleeps at the same time; *ipfsMix*: 12 % always on, the rest IPFS server sessions. These four are the **ordinary** ones: holders
  are peers that were up for an hour and can be dialled, of people who want their mail. *weibKad* and *expKad* are file-sharing clients, up for 4.4 h of every 20: harsh, to see where it ends.
- Lives end for good after 300 d (always on), 90 d (home), 30 d (others) in the mean; a newcomer takes the slot. Disks survive downtime. A lookup misses 5 % of the peers that are there.
- *Unread*: share of hourly reads of the zone that find no copy. *Lost*: share of letters that no read of the whole of day 30 finds. *Copies*: made by repair.
- Repair: every holder on its own, at its start and hourly ± 20 %, and 15 minutes after another one of the letter's vanished; copies go to whom it has known the longest (\`services/repair/ages.ts\`).
- The sender is a person of *ours*: at home 9 h a day, absent on some days. It looks after 1 h, 6 h, then daily, as soon as it is there, and puts again below 3.
  It never leaves for good: a sender who does is a network without rechecks from then on.
- *Published*: what the design's own simulation found, with one repair round a letter and hour. Here every holder makes rounds
  of its own: dips that an hourly look misses are seen and repaired, which costs up to twice the copies and leaves fewer reads empty.
- Not modelled: handing over on leaving, full disks, the ladder of fallback zones (each would lose less or the same), copies made by two repairers in the same seconds.

${tables(found)}

Liars take every copy, serve none and claim to have it, which an audit refutes: they are left out then. *Silent* ones do not even
claim it: no audit speaks against them, but who has signed for a letter is not given it again by the same holder. Copies are per letter in 30 days, repair's own.

![Unread, lost and copied, by model](churn/loss.svg)`
}

/** `readme` with the section in its place; at the end where there was none. */
export function withSection(readme: string, text: string): string {
  const block = `${BEGIN}\n\n${text}\n\n${END}`
  const [from, to] = [readme.indexOf(BEGIN), readme.indexOf(END)]
  if (from >= 0 && to > from) return readme.slice(0, from) + block + readme.slice(to + END.length)
  const before = readme === '' ? '# Simulations' : readme.trimEnd()
  return `${before}\n\n${block}\n`
}
