/** Steps with ticks and times on a terminal, one line each elsewhere, one JSON object each with `--json`. */
export interface Output {
  readonly isTTY?: boolean
  write(text: string): unknown
}

export interface ReporterOptions {
  readonly json: boolean
  readonly out: Output
  /** `NO_COLOR` (https://no-color.org) is set: no escapes for colour. */
  readonly noColor: boolean
  now(): number
}

/** Facts of a step, shown behind its name and put into its JSON object. */
export type Facts = Readonly<Record<string, string | number | boolean | readonly string[]>>
export interface StepResult {
  /** One line for people. */
  readonly shown: string
  readonly facts?: Facts
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const FRAME_MS = 80
const NAME_COLUMNS = 44

export class Reporter {
  readonly #options: ReporterOptions
  readonly #startedMs: number
  #steps = 0
  #abandoned = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: ReporterOptions) {
    this.#options = options
    this.#startedMs = options.now()
  }

  get steps(): number {
    return this.#steps
  }

  title(text: string): void {
    if (!this.#options.json) this.#options.out.write(`${this.#paint('1', text)}\n\n`)
  }

  /** Runs one step and says how it went. Rethrows what it throws. */
  async step(name: string, work: (progress: (text: string) => void) => Promise<StepResult>): Promise<void> {
    const number = ++this.#steps
    const startedMs = this.#options.now()
    let progress = ''
    this.#spin(() => `${name}${progress === '' ? '' : `  ${progress}`}`, startedMs)
    try {
      const result = await work((text) => (progress = text))
      this.#done({ number, name, seconds: this.#seconds(startedMs), ok: true, ...result })
    } catch (error) {
      const shown = error instanceof Error ? error.message : String(error)
      this.#done({ number, name, seconds: this.#seconds(startedMs), ok: false, shown })
      throw error
    }
  }

  /** The last line. */
  end(ok: boolean): void {
    this.stopSpinner()
    if (this.#abandoned) return
    const seconds = this.#seconds(this.#startedMs)
    if (this.#options.json) this.#line({ ok, seconds, steps: this.#steps })
    else if (ok)
      this.#options.out.write(`\n${this.#paint('1;32', 'Every step held.')} ${this.#steps} steps in ${seconds} s\n`)
    else this.#options.out.write(`\n${this.#paint('1;31', `Step ${this.#steps} did not hold.`)} ${seconds} s\n`)
  }

  /** Ctrl-C: whatever the steps come to now is not worth a line. */
  abandon(): void {
    this.stopSpinner()
    this.#abandoned = true
    if (!this.#options.json) this.#options.out.write('\nStopping…\n')
  }

  stopSpinner(): void {
    if (this.#timer === undefined) return
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#options.out.write('\r\u001b[K')
  }

  #done(step: { number: number; name: string; ok: boolean; seconds: number } & StepResult): void {
    this.stopSpinner()
    if (this.#abandoned) return
    const { number, name, ok, seconds, shown, facts = {} } = step
    if (this.#options.json) {
      this.#line({ step: number, name, ok, seconds, detail: shown, ...facts })
      return
    }
    const tick = ok ? this.#paint('32', '✔') : this.#paint('31', '✖')
    const time = this.#paint('2', `${seconds.toFixed(1).padStart(5)} s`)
    this.#options.out.write(`${tick} ${String(number).padStart(2)} ${name.padEnd(NAME_COLUMNS)}${time}  ${shown}\n`)
  }

  #spin(text: () => string, startedMs: number): void {
    const { json, out } = this.#options
    if (json || out.isTTY !== true) return
    let frame = 0
    this.#timer = setInterval(() => {
      const seconds = this.#seconds(startedMs).toFixed(1)
      out.write(
        `\r\u001b[K${FRAMES[frame++ % FRAMES.length] ?? ''} ${String(this.#steps).padStart(2)} ${text()}  ${seconds} s`,
      )
    }, FRAME_MS)
  }

  #line(value: unknown): void {
    this.#options.out.write(`${JSON.stringify(value)}\n`)
  }

  #paint(code: string, text: string): string {
    const { noColor, out } = this.#options
    return noColor || out.isTTY !== true ? text : `\u001b[${code}m${text}\u001b[0m`
  }

  #seconds(sinceMs: number): number {
    return Math.round((this.#options.now() - sinceMs) / 10) / 100
  }
}
