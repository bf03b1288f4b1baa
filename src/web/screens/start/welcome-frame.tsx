import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { Mark } from '../../parts/mark.tsx'

/** The screens before the keys are open: one column, one thing to do. */
export function WelcomeFrame({ title, children }: { title: string; children: ComponentChildren }): JSX.Element {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    heading.current?.focus()
  }, [title])
  return (
    <main class="welcome">
      <div class="welcome-card">
        <p class="welcome-name">
          <Mark size={44} /> <span>Sotto</span>
        </p>
        <h1 tabIndex={-1} ref={heading}>
          {title}
        </h1>
        {children}
      </div>
    </main>
  )
}
