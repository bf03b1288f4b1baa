import type { JSX } from 'preact'
import { to } from '../../app/routes.ts'
import { GUIDE } from '../../guide/pages.ts'
import { Panel } from '../../parts/panel.tsx'

/** The guide: its pages, or one of them. */
export function GuideScreen({ page }: { page: string | null }): JSX.Element {
  const at = GUIDE.findIndex(({ id }) => id === page)
  const chosen = GUIDE[at]
  if (chosen === undefined) return <Contents />
  const next = GUIDE[at + 1]
  const { Text } = chosen
  return (
    <Panel title={chosen.title} back={to.guide} backLabel="Back to the guide">
      <article class="guide">
        <Text />
        {next !== undefined && (
          <p>
            Next: <a href={to.guidePage(next.id)}>{next.title}</a>
          </p>
        )}
      </article>
    </Panel>
  )
}

function Contents(): JSX.Element {
  return (
    <Panel title="Guide">
      <ul class="contents">
        {GUIDE.map(({ id, title, about }) => (
          <li key={id}>
            <a class="card" href={to.guidePage(id)}>
              <strong>{title}</strong>
              <span class="quiet">{about}</span>
            </a>
          </li>
        ))}
      </ul>
    </Panel>
  )
}
