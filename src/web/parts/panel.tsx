import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { Icon } from './icon.tsx'

export interface PanelProps {
  readonly title: string
  /** Where the way back leads. */
  readonly back?: string
  readonly backLabel?: string
  readonly actions?: ComponentChildren
  readonly children: ComponentChildren
  readonly wide?: boolean
}

/** A screen beside the navigation: its title takes the focus when it is come to, so that readers start there. */
export function Panel({ title, back, backLabel = 'Back', actions, children, wide = false }: PanelProps): JSX.Element {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    heading.current?.focus()
  }, [title])
  return (
    <section class="panel" aria-label={title}>
      <header class="panel-head">
        {back !== undefined && (
          <a class="icon-button" href={back} aria-label={backLabel} title={backLabel}>
            <Icon name="back" />
          </a>
        )}
        <h1 tabIndex={-1} ref={heading}>
          {title}
        </h1>
        {actions}
      </header>
      <div class={`panel-body ${wide ? 'wide' : ''}`}>{children}</div>
    </section>
  )
}
