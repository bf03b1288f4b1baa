/** Holds the place of reading while messages come before and after it, and change their heights. */

const END_SLACK = 60
const FLASH_MS = 1_800

export class ScrollKeeper {
  /** Whether the newest message is in view: then it is kept in view. */
  atEnd = true
  #placed = false
  #anchor: { readonly id: string; readonly top: number } | undefined

  /** Remembers the place; to be called after each scrolling. */
  note(box: HTMLElement): void {
    this.atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < END_SLACK
    const first = firstVisible(box)
    const id = first?.dataset['message']
    this.#anchor = first === undefined || id === undefined ? undefined : { id, top: topIn(box, first) }
  }

  /** Where the reading begins: at `start`, or at the end. Once only; afterwards the place is held. */
  place(box: HTMLElement, start: string | null): void {
    if (this.#placed) {
      this.hold(box)
      return
    }
    this.#placed = true
    const element = start === null ? undefined : find(box, start)
    box.scrollTop = element === undefined ? box.scrollHeight : element.offsetTop - box.clientHeight / 4
  }

  /** Brings the place back after the content or the box has changed. */
  hold(box: HTMLElement): void {
    if (!this.#placed) return
    const anchor = this.#anchor
    if (this.atEnd || anchor === undefined) {
      box.scrollTop = box.scrollHeight
      return
    }
    const element = find(box, anchor.id)
    if (element !== undefined) box.scrollTop += topIn(box, element) - anchor.top
  }

  /** Brings a message to the middle, gives it the focus, and lights it up for a moment; false where it is not there. */
  show(box: HTMLElement, id: string): boolean {
    const element = find(box, id)
    if (element === undefined) return false
    this.#placed = true
    box.scrollTop = element.offsetTop - (box.clientHeight - element.offsetHeight) / 2
    this.note(box)
    element.querySelector<HTMLElement>('article')?.focus({ preventScroll: true })
    element.classList.add('flash')
    setTimeout(() => {
      element.classList.remove('flash')
    }, FLASH_MS)
    return true
  }
}

const find = (box: HTMLElement, id: string): HTMLElement | undefined =>
  box.querySelector<HTMLElement>(`[data-message="${CSS.escape(id)}"]`) ?? undefined

const topIn = (box: HTMLElement, element: HTMLElement): number =>
  element.getBoundingClientRect().top - box.getBoundingClientRect().top

function firstVisible(box: HTMLElement): HTMLElement | undefined {
  const all = box.querySelectorAll<HTMLElement>('[data-message]')
  let low = 0
  let high = all.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    const element = all[middle]
    if (element !== undefined && topIn(box, element) + element.offsetHeight <= 0) low = middle + 1
    else high = middle
  }
  return all[low]
}
