/** What the doctor says of one thing. */
export interface Check {
  readonly name: string
  readonly result: 'ok' | 'warn' | 'fail'
  readonly detail: string
  /** What to do about it; empty where there is nothing to do. */
  readonly advice: string
}

export const ok = (name: string, detail: string): Check => ({ name, result: 'ok', detail, advice: '' })
export const warn = (name: string, detail: string, advice: string): Check => ({ name, result: 'warn', detail, advice })
export const fail = (name: string, detail: string, advice: string): Check => ({ name, result: 'fail', detail, advice })
