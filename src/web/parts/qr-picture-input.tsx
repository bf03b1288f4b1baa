import type { JSX } from 'preact'
import { useSignal } from '@preact/signals'
import { FileField } from './file-field.tsx'
import { pictureOf, readQr } from './qr-read.ts'

/** A picture with a QR code: chosen, dropped, or pasted. The picture does not leave the page. */
export function QrPictureInput({ label, onText }: { label: string; onText: (text: string) => void }): JSX.Element {
  const words = useSignal('')
  const read = async (picture: File | undefined): Promise<void> => {
    if (picture === undefined) return
    words.value = 'Reading…'
    try {
      const text = await readQr(picture)
      words.value = text === undefined ? 'No QR code was found in it. Try a sharper picture, or cut it out.' : 'Read.'
      if (text !== undefined) onText(text)
    } catch {
      words.value = 'This is not a picture that the browser can open.'
    }
  }
  return (
    <div
      class="drop"
      onPaste={(event) => void read(pictureOf(event.clipboardData))}
      onDragOver={(event) => {
        event.preventDefault()
      }}
      onDrop={(event) => {
        event.preventDefault()
        void read(pictureOf(event.dataTransfer))
      }}
    >
      <FileField
        label={label}
        accept="image/*"
        hint="Choose, drop or paste a picture. It stays on this computer."
        onFile={read}
      />
      <p role="status">{words.value}</p>
    </div>
  )
}
