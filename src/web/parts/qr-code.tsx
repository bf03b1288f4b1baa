import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import { qrPicture } from './qr-matrix.ts'

/** The quiet zone that the standard asks for, in modules. */
const QUIET = 4

/** Always dark on white, whatever the theme: many readers know nothing else. */
export function QrCode({ text, label }: { text: string; label: string }): JSX.Element {
  const { size, path } = useMemo(() => qrPicture(text), [text])
  const side = size + 2 * QUIET
  return (
    <svg
      class="qr"
      viewBox={`${-QUIET} ${-QUIET} ${side} ${side}`}
      role="img"
      aria-label={label}
      shape-rendering="crispEdges"
    >
      <rect x={-QUIET} y={-QUIET} width={side} height={side} class="qr-light" />
      <path d={path} class="qr-dark" />
    </svg>
  )
}
