import type { ComponentChildren, JSX, Ref } from 'preact'
import { useState } from 'preact/hooks'
import { Icon } from './icon.tsx'
import type { IconName } from './icon.tsx'

export interface ButtonProps {
  readonly children: ComponentChildren
  readonly onPress?: () => unknown
  readonly kind?: 'main' | 'plain' | 'quiet' | 'danger'
  readonly type?: 'button' | 'submit'
  readonly disabled?: boolean
  readonly icon?: IconName
}

/** A button with words. While what it began is not finished it cannot be pressed again. */
export function Button({
  children,
  onPress,
  kind = 'plain',
  type = 'button',
  disabled,
  icon,
}: ButtonProps): JSX.Element {
  const [busy, setBusy] = useState(false)
  const press = async (): Promise<void> => {
    setBusy(true)
    try {
      await onPress?.()
    } finally {
      setBusy(false)
    }
  }
  return (
    <button
      class={`button ${kind}`}
      type={type}
      disabled={disabled === true || busy}
      aria-busy={busy}
      onClick={onPress === undefined ? undefined : () => void press()}
    >
      {icon !== undefined && <Icon name={icon} />}
      <span>{children}</span>
    </button>
  )
}

export interface IconButtonProps {
  readonly icon: IconName
  /** Its accessible name. */
  readonly label: string
  readonly onPress: () => unknown
  readonly disabled?: boolean
  readonly expanded?: boolean
  readonly pressed?: boolean
  readonly menu?: boolean
  readonly buttonRef?: Ref<HTMLButtonElement>
  readonly class?: string
}

export function IconButton(props: IconButtonProps): JSX.Element {
  const { icon, label, onPress, disabled = false, expanded, pressed, menu, buttonRef, class: extra = '' } = props
  return (
    <button
      ref={buttonRef ?? null}
      class={`icon-button ${extra}`}
      type="button"
      aria-label={label}
      title={label}
      disabled={disabled}
      aria-expanded={expanded}
      aria-pressed={pressed}
      aria-haspopup={menu === true ? 'menu' : undefined}
      onClick={() => void onPress()}
    >
      <Icon name={icon} />
    </button>
  )
}
