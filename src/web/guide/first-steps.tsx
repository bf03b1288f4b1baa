import type { JSX } from 'preact'
import { to } from '../app/routes.ts'

export function FirstSteps(): JSX.Element {
  return (
    <>
      <h2>Your 24 words</h2>
      <p>
        They were shown once, when the account was made. They are the account: with them you come back on a new device,
        and so does anybody else who finds them. Paper in a drawer is better than a photograph in a cloud.
      </p>
      <h2>Your first contact</h2>
      <ol>
        <li>
          Open <a href={to.addContact}>Add a contact</a> and send your invite link over any way you already have, or
          show its QR code.
        </li>
        <li>The other person adds it in their Sotto. A request appears under Contacts: accept it.</li>
        <li>
          Open the contact and choose <em>Verify</em>: compare sixty digits side by side or on the telephone. It takes a
          minute, and afterwards nobody can pretend to be them without you being told.
        </li>
      </ol>
      <h2>Your first message</h2>
      <p>
        Write, and press Enter. The word beneath the message says where it is. Press the word, and Sotto tells why. You
        may close this page: the daemon goes on delivering. Leave it running, and others’ mail finds you at once.
      </p>
      <h2>Keys</h2>
      <p>
        Everything can be done from the keyboard: press <kbd>Alt</kbd> and <kbd>?</kbd> for the list.
      </p>
    </>
  )
}
