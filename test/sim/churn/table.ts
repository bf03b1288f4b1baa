/** The study as text: Markdown tables, next to the figures that the design was chosen by. */
import { COPY_BYTES } from './copy-bytes.ts'
import type { ChurnRow, FailureRow, LiarsRow, Study } from './experiments.ts'
import { PUBLISHED_AVAILABILITY, PUBLISHED_FAILURES, PUBLISHED_LIARS, publishedRow } from './published.ts'
import type { Tally } from './study.ts'

/** All tables, each under its line. */
export function tables(study: Study): string {
  const parts = [verdict(study.churn), churnTable(study.churn)]
  if (study.deliveries !== undefined) parts.push(deliveryTable(study.deliveries))
  if (study.liars.length > 0) parts.push(liarsTable(study.liars))
  if (study.failures.length > 0) parts.push(failureTable(study.failures))
  return parts.join('\n\n')
}

/** The one sentence that the study is for. */
export function verdict(rows: readonly ChurnRow[]): string {
  const ordinary = rows.filter(({ ordinary, replicas }) => ordinary && replicas === 5)
  if (ordinary.length === 0) return 'No ordinary model was asked for.'
  const [records, once, repair, sender] = [
    sum(ordinary, (row) => row.sender.records),
    sum(ordinary, (row) => row.once.lost),
    sum(ordinary, (row) => row.repair.lost),
    sum(ordinary, (row) => row.sender.lost),
  ]
  const bound = sender === 0 ? ` (below ${figure(3 / records)} with 95 % confidence)` : ''
  return `Lost on day 30 of ${whole(records)} letters in ${ordinary.map(({ model }) => model).join(', ')}: put once ${whole(once)}, with repair ${whole(repair)}, with repair and the sender's rechecks **${whole(sender)}**${bound}.`
}

function churnTable(rows: readonly ChurnRow[]): string {
  const heads = [
    'model (there)',
    'k',
    'letters',
    'put once: unread / lost',
    '*published*',
    'repair: unread / lost',
    '*published unread*',
    'copies a letter, 30 d',
    'KiB',
    '*published copies*',
    '+ sender: unread / lost',
    'longest gap',
    'I8',
  ]
  return table(heads, rows.map(churnCells))
}

function churnCells(row: ChurnRow): string[] {
  const known = publishedRow(row.model, row.replicas)
  const there = PUBLISHED_AVAILABILITY[row.model]
  const copies = each(row.sender, row.sender.copies + row.sender.again)
  return [
    `${row.model} (${row.availability.toFixed(2)}${there === undefined ? '' : `, *${there}*`})`,
    String(row.replicas),
    whole(row.sender.records),
    loss(row.once),
    known === undefined ? '' : `*${plain(known.unread)} / ${plain(known.lost)}*`,
    loss(row.repair),
    known === undefined ? '' : `*${plain(known.repairedUnread)}*`,
    each(row.repair, row.repair.copies).toFixed(1),
    ((each(row.repair, row.repair.copies) * COPY_BYTES) / 1_024).toFixed(0),
    known === undefined ? '' : `*${known.copies}*`,
    loss(row.sender),
    `${row.sender.longestGapHours} h`,
    copies <= COPIES_MAX ? `${copies.toFixed(1)} ≤ ${COPIES_MAX}` : `${copies.toFixed(1)} > ${COPIES_MAX}`,
  ]
}

/** I8: copies that a letter may cost in 30 days in the ordinary model. */
export const COPIES_MAX = 10

function deliveryTable(deliveries: NonNullable<Study['deliveries']>): string {
  const heads = [
    'twenty peers, half an hour there, half away, two thirds gone for good in a day',
    'mails',
    'delivered',
    'mean',
    'p99',
    'hourly reads of a day that find nothing',
  ]
  const names = { once: 'put once', repair: 'repair', sender: "repair and the sender's rechecks" }
  const row = (name: keyof typeof deliveries): string[] => {
    const { mails, delivered, meanHours, p99Hours, day } = deliveries[name]
    const share = `${((100 * delivered) / mails).toFixed(3)} %`
    return [
      names[name],
      whole(mails),
      share,
      `${meanHours.toFixed(1)} h`,
      `${p99Hours.toFixed(1)} h`,
      figure(day.failed / day.reads),
    ]
  }
  return table(heads, [row('once'), row('repair'), row('sender')])
}

function liarsTable(rows: readonly LiarsRow[]): string {
  const heads = [
    'liars',
    'letters',
    'lost, claims trusted',
    'lost, audited',
    'lost, audited + sender',
    '*published*',
    'longest gap',
    'copies',
  ]
  return table(
    heads,
    rows.map((row) => {
      const known = row.silent ? undefined : PUBLISHED_LIARS[`${row.model} ${row.percent}`]
      return [
        `${row.model}, ${row.percent} %${row.silent ? ' silent' : ''}`,
        whole(row.sender.records),
        share(row.trusting),
        share(row.audited),
        share(row.sender),
        known === undefined ? '' : `*${known.map(plain).join(' / ')}*`,
        `${row.sender.longestGapHours} h`,
        each(row.sender, row.sender.copies).toFixed(0),
      ]
    }),
  )
}

function failureTable(rows: readonly FailureRow[]): string {
  const heads = [
    'day 10',
    'letters',
    'lost, put once',
    'lost, repair',
    'lost, repair + sender',
    '*published*',
    'longest gap',
  ]
  return table(
    heads,
    rows.map((row) => {
      const known = row.hours === undefined ? PUBLISHED_FAILURES[`${row.model} ${row.percent}`] : undefined
      return [
        `${row.model}, ${row.percent} % ${row.hours === undefined ? 'gone for good' : `dark for ${row.hours} h`}`,
        whole(row.sender.records),
        share(row.once),
        share(row.repair),
        share(row.sender),
        known === undefined ? '' : `*${known.map((value) => (value === undefined ? '–' : plain(value))).join(' / ')}*`,
        `${row.sender.longestGapHours} h`,
      ]
    }),
  )
}

const table = (heads: readonly string[], rows: readonly (readonly string[])[]): string =>
  [heads, heads.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

const sum = <T>(items: readonly T[], of: (item: T) => number): number => items.reduce((sum, item) => sum + of(item), 0)
const each = ({ records }: Tally, total: number): number => total / records
const whole = (value: number): string => value.toLocaleString('en')
const loss = (tally: Tally): string => `${figure(tally.failed / tally.reads)} / ${share(tally)}`
const share = ({ lost, records }: Tally): string => figure(lost / records)

/** As it was published. */
const plain = (value: number): string => (value === 0 || value >= 1e-3 ? String(value) : value.toExponential(1))

/** Two digits that matter. */
export function figure(value: number): string {
  if (value === 0) return '0'
  if (value < 1e-3) return value.toExponential(1)
  return String(Number(value.toPrecision(2)))
}
