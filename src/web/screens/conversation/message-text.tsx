import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { Button } from '../../parts/button.tsx'
import { pieces } from '../../words/links.ts'
import { beginningOf } from '../../words/long-text.ts'

/**
 * A text as it was written; addresses of the web become links that tell the other side nothing. A long one is shown in part,
 * until all of it is asked for.
 */
export function MessageText({ text }: { text: string }): JSX.Element {
  const [whole, setWhole] = useState(false)
  const beginning = beginningOf(text)
  return (
    <>
      <p class="message-text" dir="auto">
        {pieces(whole || beginning === undefined ? text : beginning).map(({ text: part, href }, at) =>
          href === null ? (
            part
          ) : (
            <a key={at} href={href} target="_blank" rel="noopener noreferrer">
              <bdi>{part}</bdi>
            </a>
          ),
        )}
        {beginning !== undefined && !whole && '…'}
      </p>
      {beginning !== undefined && (
        <Button
          kind="quiet"
          onPress={() => {
            setWhole(!whole)
          }}
        >
          {whole ? 'Show less' : `Show all (${text.length.toLocaleString()} characters)`}
        </Button>
      )}
    </>
  )
}
