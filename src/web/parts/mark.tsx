import type { JSX } from 'preact'

const MARK = new URL('../mark.svg', import.meta.url).href

/** The mark: a dot over a bow, somebody speaking low. */
export function Mark({ size = 40 }: { size?: number }): JSX.Element {
  return <img class="mark" src={MARK} width={size} height={size} alt="" />
}
