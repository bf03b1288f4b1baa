import type { JSX } from 'preact'

export function HowItWorks(): JSX.Element {
  return (
    <>
      <h2>No servers</h2>
      <p>
        On each device runs a small program, the daemon. Daemons find one another over a shared table that all of them
        keep together, each a part of it. No company stands in the middle, none can read along, and none can close it.
      </p>
      <h2>Both are online</h2>
      <p>
        The two devices speak over one stream. A message counts as delivered when the other device has written it to its
        disk and says so, with a proof that only it can make.
      </p>
      <h2>One is away</h2>
      <p>
        The message becomes a sealed letter of a fixed size. Five other devices of the network, the <em>holders</em>,
        keep it for up to 30 days under an address that changes every week and that only you and your contact can work
        out. It is “stored” when three of them have signed that it is on their disk. When holders go away, the others
        make new copies. Your own device keeps the message until the other side’s receipt is there, looks after the
        letter, and puts it again.
      </p>
      <h2>Keys</h2>
      <p>
        Every message has a key of its own. Keys come from two kinds of mathematics together: elliptic curves, and
        lattices that a quantum computer cannot break as far as is known. Who steals your keys today cannot read
        yesterday’s messages; and after a few messages to and fro, not tomorrow’s either.
      </p>
      <h2>What you do for others</h2>
      <p>
        Your device keeps sealed letters of strangers in turn, within the room that you give. You cannot read them, nor
        learn whose they are. The network screen shows how much it is.
      </p>
    </>
  )
}
