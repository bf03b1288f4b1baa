import type { JSX } from 'preact'

const ROWS: readonly (readonly [who: string, can: string, cannot: string])[] = [
  [
    'Your internet provider',
    'See that you use the network, with whom you are connected, when, and how much.',
    'Read anything, or see for whom a letter is.',
  ],
  [
    'A holder of your mail',
    'See that letters of certain sizes lie under an address of this week, who puts them and who asks for them.',
    'Read them, alter them unnoticed, delete them for good alone, or link the address to your account by itself.',
  ],
  [
    'Many holders together',
    'Refuse service, and link more: that is why five are chosen by distance, watched, and replaced.',
    'Read, forge, or delete what others still hold.',
  ],
  [
    'A stranger',
    'Look up your account’s public keys where they have your id, and ask to talk to you, after some work for their device.',
    'See your name, picture, contacts, or whether you are online.',
  ],
  [
    'A contact',
    'See your profile, what you wrote to them, and what receipts, typing and presence tell, while you leave them on.',
    'Read what you write to others, or let somebody else take their place unnoticed.',
  ],
  [
    'Someone you blocked',
    'Send, and see that nothing comes back.',
    'Reach you. They are not told that they are blocked, though they may guess it.',
  ],
  [
    'Somebody between you two',
    'Pretend to be your contact once, the first time, where the keys came from the network only.',
    'Do it unnoticed after you compared the safety number, or change keys later without a loud warning.',
  ],
  [
    'A thief of the computer that is off or locked',
    'Copy sealed files and guess the passphrase, each guess made slow on purpose.',
    'Read anything without it.',
  ],
  [
    'A program that runs as you while it is unlocked',
    'Do what you can do.',
    'Read messages that were deleted before it came.',
  ],
  [
    'Other web pages in this browser',
    'Notice, perhaps, that something on this computer listens.',
    'Read, send or ask anything: the daemon refuses them.',
  ],
  [
    'A quantum computer of the future',
    'Break one of the two kinds of keys.',
    'Read what was recorded today, unless the other kind breaks too.',
  ],
]

export function Threats(): JSX.Element {
  return (
    <div class="table-scroll" tabIndex={0} role="group" aria-label="Who can learn what">
      <table class="threats">
        <thead>
          <tr>
            <th scope="col">Who</th>
            <th scope="col">can</th>
            <th scope="col">cannot</th>
          </tr>
        </thead>
        <tbody>
          {ROWS.map(([who, can, cannot]) => (
            <tr key={who}>
              <th scope="row">{who}</th>
              <td data-label="can">{can}</td>
              <td data-label="cannot">{cannot}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
