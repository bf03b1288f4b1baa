import type { JSX } from 'preact'

const STATES: readonly (readonly [name: string, words: string])[] = [
  ['sending…', 'This page has handed it to the daemon on your computer and waits for its answer.'],
  ['queued', 'The daemon has it on its disk and will send it, also after a restart. Nobody else has it yet.'],
  ['stored 4/5', 'Four of five holders have proved that they keep it, sealed. Your device can go offline now.'],
  ['delivered', 'The other device has it on its disk, and proved that.'],
  ['read', 'The other side says that it was read. They can switch this off; then it stays at “delivered”.'],
  ['taken back', 'You took it back in time. A receipt that comes all the same makes it “delivered”.'],
  ['expired', 'It was not fetched within 30 days. It is still here: copy it, and send it again if you like.'],
  ['failed', 'It cannot be delivered, for instance because the contact’s keys changed. Press the word to see why.'],
]

export function Statuses(): JSX.Element {
  return (
    <>
      <p>
        Sotto never shows a state that was not proved. Press the word under one of your messages to see what is known
        about it: which holders signed, when it is tried next, what was tried before.
      </p>
      <dl class="states">
        {STATES.map(([name, words]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{words}</dd>
          </div>
        ))}
      </dl>
    </>
  )
}
