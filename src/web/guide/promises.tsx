import type { JSX } from 'preact'

export function Promises(): JSX.Element {
  return (
    <>
      <p>Read this before you rely on it for something that matters.</p>
      <ul class="promises">
        <li>
          <strong>It is young.</strong> No outside audit has been made. For danger to life, use something that has stood
          for years.
        </li>
        <li>
          <strong>It does not hide that you use it.</strong> Your internet provider sees that you speak to other devices
          of this network, and when.
        </li>
        <li>
          <strong>It does not hide your address from contacts</strong> that are connected directly. You can switch
          direct connections off for each contact.
        </li>
        <li>
          <strong>Thirty days.</strong> A letter that nobody fetches in that time is gone from the holders. Your own
          copy stays.
        </li>
        <li>
          <strong>A deleted message can have been copied.</strong> “Delete for both” and disappearing messages are a
          request that an honest Sotto follows. A camera does not.
        </li>
        <li>
          <strong>Nobody can reset anything.</strong> Without the passphrase, the 24 words and a backup, the account is
          lost.
        </li>
        <li>
          <strong>A computer that somebody else controls cannot keep your secrets.</strong> While Sotto is unlocked, a
          program that runs as you can read what you can read.
        </li>
        <li>
          <strong>Small networks are weak.</strong> With few devices online, letters have few places to wait.
        </li>
      </ul>
    </>
  )
}
